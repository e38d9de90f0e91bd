"""HTTP POST to a far side, for sinks: guarded address, no redirects, bounded time and answer, status -> what happens.

Status codes by Standard Webhooks 1.0, "Delivery success and failure": only 2xx is success. What we make of the rest:
410, 401, 403 stop the sink (Denied); 3xx, 408, 425, 429 and 5xx are tried again (Unavailable), with Retry-After;
any other 4xx sets this one message aside (Rejected). A time-out or a broken answer is neither yes nor no: again.
"""

import email.utils
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import yarl

from connectors.kits.addresses import AddressRefusedError, Network, Pinned, allowed, literal
from schemas.errors import Code, Denied, Misconfigured, Rejected, Unavailable

ANSWER_BYTES: Final = 16_384
"""Of an answer no more is read."""
LONGEST_RETRY_AFTER_SECONDS: Final = 300.0
"""A far side may ask for patience, not for silence."""
_AGAIN: Final = frozenset({408, 425, 429})
_STOP: Final = {410: Code.RECIPIENT_GONE, 401: Code.UNAUTHENTICATED, 403: Code.FORBIDDEN}


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: status and the first bytes of the body."""

    status: int
    body: bytes


def checked_url(url: str, named: tuple[Network, ...] = ()) -> str:
    """The address when it may be used. Misconfigured otherwise.

    HTTPS, or plain HTTP to a host inside a named network; no user information, no fragment; a spelt-out address
    must be allowed at once, a name is checked whenever it is resolved. The host is read as the client reads it: it
    folds other spellings (wide digits, an ideographic full stop) to a plain address, which is then never resolved.
    """
    try:
        parts = urlsplit(url)
        host = yarl.URL(url).host or ""
    except ValueError:
        raise Misconfigured(Code.CONFIGURATION_INVALID, "an address is https://host/path", "/url") from None
    spelt = literal(host)
    if parts.scheme not in {"https", "http"} or not host or parts.fragment or "@" in parts.netloc:
        raise Misconfigured(Code.CONFIGURATION_INVALID, "an address is https://host/path", "/url")
    if spelt is not None and not allowed(spelt, named):
        raise Misconfigured(Code.CONFIGURATION_INVALID, "this address may not be met (allowed_networks)", "/url")
    if parts.scheme == "http" and not (named and (spelt is not None or host == "localhost")):
        raise Misconfigured(
            Code.CONFIGURATION_INVALID, "plain http is only for an address spelt out and in allowed_networks", "/url"
        )
    return url


class Poster:
    """One far side's HTTP client. Opened by `open`, given back by `close`; many posts at a time."""

    def __init__(
        self, url: str, named: tuple[Network, ...], timeout_seconds: float = 15.0, ca_file: Path | None = None
    ) -> None:
        self._url = checked_url(url, named)
        self._named = named
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Get ready; nothing is sent. Misconfigured when the CA file cannot be read."""
        if self._session is not None:
            return
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except OSError:
            raise Misconfigured(Code.CONFIGURATION_INVALID, "the file cannot be read", "/ca_file") from None
        connector = aiohttp.TCPConnector(limit=0, resolver=Pinned(self._named), ssl=context, use_dns_cache=False)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Give the connections back. Also twice, also before open."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The far side's yes. Unavailable, Rejected or Denied as the module says."""
        if self._session is None:
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, "not connected")
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                said = await _bounded(response.content)
                if response.status // 100 == 2:
                    return Answer(response.status, said)
                raise failure(response.status, response.headers.get("Retry-After"))
        except AddressRefusedError:
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, "the host leads to no address that may be met") from None
        except TimeoutError:
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, "no answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, _why(error)) from None


def failure(
    status: int, retry_after: str | None = None, now: datetime | None = None
) -> Denied | Rejected | Unavailable:
    """What a status other than 2xx causes. `retry_after` is the header as sent, seconds or an HTTP date."""
    if status in _STOP:
        return Denied(_STOP[status], f"the far side answered {status}")
    if status // 100 == 4 and status not in _AGAIN:
        return Rejected(Code.RECIPIENT_REFUSED, f"the far side answered {status}")
    return Unavailable(
        Code.FAR_SIDE_UNAVAILABLE,
        f"the far side answered {status}",
        retry_after_seconds=patience(retry_after, now or datetime.now(UTC)),
    )


def patience(retry_after: str | None, now: datetime) -> float | None:
    """How long the far side asks us to wait, in seconds, bounded; None when it does not, or asks in no known form."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER_SECONDS)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, min((until - now).total_seconds(), LONGEST_RETRY_AFTER_SECONDS))


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    said = bytearray()
    while len(said) < ANSWER_BYTES and (part := await content.read(ANSWER_BYTES - len(said))):
        said += part
    return bytes(said)


def _why(error: Exception) -> str:
    """What went wrong on the way, without host, path or text of the far side."""
    inner = error.__cause__ or error.__context__
    if isinstance(inner, AddressRefusedError):
        return "the host leads to no address that may be met"
    return f"no connection ({type(error).__name__})"

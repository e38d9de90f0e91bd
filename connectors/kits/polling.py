"""Feeds that show what holds now: asked again and again over HTTP, a document only when the answer has changed.

Conditional requests by RFC 9110, 13.1 (If-None-Match, If-Modified-Since); no redirects, bounded time and size, no
content coding, so that nothing small can unpack to something large.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from connectors.contract import Batch, Document
from connectors.kits.json import loads
from schemas.errors import Code, Denied, Rejected, Unavailable

USER_AGENT: Final = "sztab"


@dataclass(frozen=True, slots=True)
class Feed:
    """What is asked, how often, and what bounds its answer."""

    url: str
    every_seconds: float
    timeout_seconds: float
    max_bytes: int
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `body` None: unchanged (304). `validators` go into the next request."""

    status: int
    body: bytes | None
    content_type: str | None
    validators: Mapping[str, str]


class SnapshotSource:
    """A source over one feed: `read` gives the feed's content whenever it differs from the last one.

    A cursor is `<number of the change>:<digest of the content>`, so that A, B, A are three documents and A, A is one,
    also over a restart. Differences of order alone are none (`digest`). An answer without change gives an empty batch:
    the feed lives, and nothing is new. `accepts(status, body)` tells an answer that counts from an outage; only 200
    does where it is not given.
    """

    def __init__(self, feed: Feed, accepts: Callable[[int, bytes], bool] | None = None) -> None:
        self._feed = feed
        self._accepts = accepts or (lambda status, _: status == 200)
        self._session: aiohttp.ClientSession | None = None
        self._due = 0.0
        self._known: tuple[str | None, Mapping[str, str]] = (None, {})

    async def connect(self) -> None:
        """Get ready; the first question is asked at once by `read`."""
        await self.close()
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._feed.timeout_seconds),
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **self._feed.headers},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._due = 0.0

    async def read(self, cursor: str | None) -> Batch:
        """Wait for the next poll and give what it shows, or an empty batch where nothing is new."""
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._due - clock()))
        answer = await self._asked(self._known[1] if self._known[0] == (cursor or "") else {})
        self._due = clock() + self._feed.every_seconds
        if answer.body is None:
            return Batch((), cursor)
        number, _, last = (cursor or "0:").partition(":")
        now = digest(answer.body)
        if now == last:
            self._known = (cursor or "", answer.validators)
            return Batch((), cursor)
        number = str(int(number) + 1 if number.isdecimal() else 1)
        after = f"{number}:{now}"
        self._known = (after, answer.validators)
        context = {"status": str(answer.status)}
        return Batch((Document(answer.body, answer.content_type, number, after, context),), after)

    async def close(self) -> None:
        """Give the connection back."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _asked(self, validators: Mapping[str, str]) -> Answer:
        if self._session is None:
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, "not connected")
        try:
            async with self._session.get(self._feed.url, headers=validators, allow_redirects=False) as response:
                return await self._judged(response, validators)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"no answer ({type(error).__name__})") from None

    async def _judged(self, response: aiohttp.ClientResponse, validators: Mapping[str, str]) -> Answer:
        if response.status == 304 and validators:
            return Answer(304, None, None, validators)
        if response.status in {401, 403}:
            raise Denied(Code.UNAUTHENTICATED if response.status == 401 else Code.FORBIDDEN, "the feed turns us away")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, "the answer is packed, although we asked for none of it")
        body = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            body += chunk
            if len(body) > self._feed.max_bytes:
                raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"the answer is larger than {self._feed.max_bytes} bytes")
        if not self._accepts(response.status, bytes(body)):
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"answered with status {response.status}")
        next_time = {
            asked: response.headers[given]
            for asked, given in (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
            if given in response.headers
        }
        return Answer(response.status, bytes(body), response.headers.get("Content-Type"), next_time)


def digest(body: bytes) -> str:
    """What two answers have in common when they differ in nothing but order and layout; 24 hexadecimal digits.

    The order of lists and names does not count (feeds shuffle them at each poll). What is no JSON counts byte by byte.
    """
    try:
        body = json.dumps(_ordered(loads(body)), sort_keys=True, separators=(",", ":")).encode()
    except Rejected:
        body = b"bytes:" + body
    return hashlib.sha256(body).hexdigest()[:24]


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _ordered(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted((_ordered(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    return value

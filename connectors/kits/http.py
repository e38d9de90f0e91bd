"""The HTTP listener of sources that push: `POST /v1/sources/{name}/documents`, and receipts of what they sent.

Nothing is answered with 202 that the journal does not hold. Who may speak is a bearer token per source, kept as its
SHA-256; a source without one is heard on loopback only.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import aiohttp
import orjson
from aiohttp import web

from connectors.contract import Accepted, Document, Settled
from connectors.journal_rows import JournalRow, RowState
from connectors.kits.inflating import inflated
from connectors.kits.problems import problem, problem_of
from schemas.errors import Code, Denied, Misconfigured, Rejected, SztabError

BODY_SECONDS: Final = 30.0
"""A body that has not arrived by then is not waited for."""
TRACE: Final = "traceparent"
_SETTLED: Final = (RowState.PUBLISHED, RowState.QUARANTINED)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the listener must know of one source."""

    name: str
    token_sha256: str
    max_bytes: int
    content_types: tuple[str, ...]
    connector: str = ""


Accept = Callable[[str, Document, Rejected | None], Awaitable[Settled]]
"""The runner's `accept`."""
AlsoMay = Callable[[web.Request, Pushed], bool]
"""Whether somebody without the source's own token may speak for it: an officer's account at the desk."""


def nobody(_request: web.Request, _source: Pushed) -> bool:
    """Only the source's own token counts."""
    return False


@dataclass(frozen=True, slots=True)
class Listener:
    """The routes for push sources. `row` finds a journal row by document id, `held_by_broker` asks after its number."""

    sources: Mapping[str, Pushed]
    accept: Accept
    row: Callable[[str], Awaitable[JournalRow | None]]
    held_by_broker: Callable[[int], bool]
    also_may: AlsoMay = nobody

    def routes(self) -> list[web.RouteDef]:
        """For the application that listens; served with `auto_decompress=False`, for bodies are inflated here."""
        return [
            web.post("/v1/sources/{name}/documents", self._post),
            web.get("/v1/receipts/{id}", self._receipt),
        ]

    async def _post(self, request: web.Request) -> web.Response:
        try:
            source = self._source(request)
            raw = await _body(request, source.max_bytes)
            document, not_read = _document(request, source, raw)
            settled = await self.accept(source.name, document, not_read)
        except SztabError as error:
            return problem_of(error)
        except TimeoutError:
            return problem(Code.FRAME_INVALID, f"the body did not arrive within {BODY_SECONDS:g} s", status=408)
        except aiohttp.ClientError:
            return problem(Code.FRAME_INVALID, "the body broke off", status=400)
        if isinstance(settled, Accepted):
            return web.Response(body=orjson.dumps(_answer(settled)), status=202, content_type="application/json")
        return problem(settled.code, settled.detail, settled.at, settled.document_id)

    async def _receipt(self, request: web.Request) -> web.Response:
        """What we hold of a document, for the source that sent it and nobody else."""
        try:
            row = await self.row(request.match_info["id"])
        except SztabError as error:
            return problem_of(error)
        source = self.sources.get(row.source) if row else None
        if row is None or source is None or not self._may_speak(request, source):
            return problem(Code.UNKNOWN_HERE, "this node knows nothing of it; that does not mean that it is lost")
        stored = row.stored
        kept = stored.state in _SETTLED or self.held_by_broker(stored.row)
        told: dict[str, Any] = {
            "id": stored.document_id,
            "source": row.source,
            "received_at": stored.received_at.isoformat().replace("+00:00", "Z"),
            "held": "broker" if kept else "journal",
            "state": _state(stored.state, kept=kept),
            "reports": [report for report, _ in row.reports],
        }
        if stored.verdict is not None:
            told |= {"code": stored.verdict.code.value, "detail": stored.verdict.detail, "pointer": stored.verdict.at}
        return web.Response(body=orjson.dumps(told), content_type="application/json")

    def _source(self, request: web.Request) -> Pushed:
        source = self.sources.get(request.match_info["name"])
        if source is None:
            raise Rejected(Code.SOURCE_UNKNOWN, "no source of this name listens here")
        if not self._may_speak(request, source):
            raise Denied(Code.UNAUTHENTICATED, "the bearer token of this source is needed")
        return source

    def _may_speak(self, request: web.Request, source: Pushed) -> bool:
        if not source.token_sha256:
            return True
        own = hmac.compare_digest(hashed(bearer(request)), source.token_sha256.lower())
        return own or self.also_may(request, source)


def check_reach(host: str, sources: Mapping[str, Pushed]) -> None:
    """Misconfigured when a source that needs no token could be reached from another machine."""
    open_ones = sorted(name for name, source in sources.items() if not source.token_sha256)
    if open_ones and not _loopback(host):
        names = ", ".join(open_ones)
        raise Misconfigured(
            Code.CONFIGURATION_INVALID, f"{names}: token_sha256 is needed, for {host} is beyond loopback", "/sources"
        )


def hashed(token: str) -> str:
    """The form in which a bearer token is configured."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def bearer(request: web.Request) -> str:
    """The bearer token of a request, empty when it has none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _body(request: web.Request, limit: int) -> bytes:
    """The body as sent, at most `limit` bytes; what is larger is not read further."""
    too_large = Rejected(Code.TOO_LARGE, f"more than {limit} bytes")
    if (request.content_length or 0) > limit:
        raise too_large
    parts = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for part in request.content.iter_any():
            parts += part
            if len(parts) > limit:
                raise too_large
    return bytes(parts)


def _document(request: web.Request, source: Pushed, raw: bytes) -> tuple[Document, Rejected | None]:
    """The document, and why it could not be read if so: then it is kept as it came.

    A body that is too large only once it is inflated is refused (raised), and not kept.
    """
    content_type = request.headers.get("Content-Type", "")[:200] or None
    context = {TRACE: request.headers[TRACE]} if TRACE in request.headers else {}
    coding = request.headers.get("Content-Encoding", "")[:100]
    try:
        body = inflated(raw, coding, source.max_bytes)
        _check_type(request, source)
    except Rejected as error:
        if error.code is Code.TOO_LARGE:
            raise
        kept = {**context, "content-encoding": coding} if coding else context
        # Not the document that the same bytes would be when they can be read: sent again rightly, they are taken.
        return Document(raw, content_type, f"unread {error.code.value}", context=kept), error
    return Document(body, content_type, context=context), None


def _check_type(request: web.Request, source: Pushed) -> None:
    if request.content_type.lower() not in source.content_types or "Content-Type" not in request.headers:
        raise Rejected(Code.WRONG_CONTENT_TYPE, f"one of: {', '.join(source.content_types)}")
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8"}:
        raise Rejected(Code.WRONG_CONTENT_TYPE, "UTF-8 is the only character set")


def _answer(settled: Accepted) -> dict[str, Any]:
    return {
        "id": settled.document_id,
        "held": settled.held.value,
        "status": f"/v1/receipts/{settled.document_id}",
        "reports": list(settled.report_ids),
        "repeated": settled.repeated,
        "findings": [finding.model_dump(mode="json") for finding in settled.findings],
    }


def _state(state: RowState, *, kept: bool) -> str:
    if state is RowState.RECEIVED and kept:
        return "published"
    return state.name.lower().replace("_", "-")

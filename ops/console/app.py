"""The console's web application: the page, its event stream, its two forwarded forms, the printable list, the trace."""

import asyncio
import html
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

import orjson
from aiohttp import web

from ops.console.board import Board
from ops.console.hub import Hub, Reader
from ops.console.printed import sheet
from ops.console.traced import way
from schemas.errors import Code, Rejected

STATIC: Final = {
    "detail.js": "text/javascript",
    "ledger.js": "text/javascript",
    "list.js": "text/javascript",
    "marks.js": "text/javascript",
    "page.js": "text/javascript",
    "side.js": "text/javascript",
    "state.js": "text/javascript",
    "texts.js": "text/javascript",
    "show.js": "text/javascript",
    "sound.js": "text/javascript",
    "style.css": "text/css",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
BODY_BYTES: Final = 65_536
PIECE_BYTES: Final = 16_384
WRITE_SECONDS: Final = 30.0
"""A browser that takes not even a piece of an event in so long does not read."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: the account's name, and the token by which the intake knows it (empty: loopback without accounts)."""

    name: str
    token: str = ""


Forward = Callable[[str, Mapping[str, Any], Visitor], Awaitable[tuple[int, bytes]]]
"""Posts a body to a path of the intake as this visitor; status and body of the answer. An absent intake is a 503."""
Trace = Callable[[str], Awaitable[Mapping[str, Any] | None]]
"""What is known of an id, without personal data; None when nothing is."""


async def _nobody_accounts(_: str) -> None:
    """No ledger is kept here."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the application is made of; `authenticate` gives the visitor or None, `accounted` the ledger's word."""

    name: str
    mode: str
    board: Board
    hub: Hub
    forward: Forward
    trace: Trace
    categories: Mapping[str, Mapping[str, str]]
    authenticate: Callable[[web.Request], Visitor | None]
    desk_source: str = "desk"
    accounted: Trace = _nobody_accounts
    streams: set[asyncio.Task[Any]] = field(default_factory=set)


PARTS: Final = web.AppKey("parts", Parts)


def build(parts: Parts) -> web.Application:
    """The application; the caller runs it and feeds the board."""
    app = web.Application(middlewares=[_guarded], client_max_size=BODY_BYTES)
    app[PARTS] = parts
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/static/{name}", _static),
            web.get("/print", _printed),
            web.get("/trace/{id}", _traced),
            web.get("/api/about", _about),
            web.get("/api/events", _events),
            web.get("/api/incidents", _incidents),
            web.get("/api/incidents/{id}", _incident),
            web.get("/api/ledger", _ledger),
            web.get("/api/ledger/{id}", _accounted),
            web.post("/api/incidents/{id}/commands", _command),
            web.post("/api/desk", _desk),
        ]
    )
    app.on_shutdown.append(_stop_streams)
    return app


async def _stop_streams(app: web.Application) -> None:
    app[PARTS].hub.close()
    for task in list(app[PARTS].streams):
        task.cancel()


@web.middleware
async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Only known people; no frames, no foreign scripts, nothing cached; a form of another site changes nothing."""
    if request.app[PARTS].authenticate(request) is None:
        response: web.StreamResponse = web.json_response(
            {"code": "unauthenticated"}, status=401, headers={"WWW-Authenticate": 'Basic realm="Sztab"'}
        )
    elif request.method == "POST" and request.headers.get("X-Sztab-Page") != "1":
        response = web.json_response({"code": "forbidden", "detail": "not from the page"}, status=403)
    else:
        response = await _answer(request, handler)
    if not response.prepared:
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Cache-Control", "no-store")
    return response


async def _answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Rejected as error:
        return _json({"code": error.code.value, "detail": error.detail}, 400)


def _asset(name: str) -> bytes:
    return (files("ops.console") / "static" / name).read_bytes()


async def _page(_: web.Request) -> web.Response:
    return web.Response(body=_asset("index.html"), content_type="text/html", charset="utf-8")


async def _static(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    return web.Response(body=_asset(name), content_type=STATIC[name], charset="utf-8")


def _json(data: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


async def _about(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    return _json({"name": parts.name, "mode": parts.mode, "categories": parts.categories})


async def _events(request: web.Request) -> web.StreamResponse:
    parts = request.app[PARTS]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    task = asyncio.current_task()
    if task is not None:
        parts.streams.add(task)
        task.add_done_callback(parts.streams.discard)
    reader = Reader()
    async with aclosing(parts.hub.stream(request.headers.get("Last-Event-ID"), reader)) as stream:
        try:
            async for framed in stream:
                await _written(response, framed)
        except TimeoutError:
            parts.hub.drop(reader)
            if request.transport is not None:
                request.transport.abort()
    return response


async def _written(response: web.StreamResponse, framed: bytes) -> None:
    """Write piece by piece: of a whole board that a browser does not read, only the next piece takes room here.

    TimeoutError when the browser has taken nothing for a while.
    """
    for start in range(0, len(framed), PIECE_BYTES):
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(framed[start : start + PIECE_BYTES])


async def _incidents(request: web.Request) -> web.Response:
    return _json(request.app[PARTS].board.snapshot())


async def _incident(request: web.Request) -> web.Response:
    view = request.app[PARTS].board.incident(request.match_info["id"])
    return _json({"code": "unknown-here"}, 404) if view is None else _json(view)


async def _ledger(request: web.Request) -> web.Response:
    """The account as it was said last; 404 when none ever was."""
    told = request.app[PARTS].board.ledger
    return _json({"code": Code.UNKNOWN_HERE.value}, 404) if told is None else _json(told)


async def _accounted(request: web.Request) -> web.Response:
    """One id's account; 404 where the ledger does not know it, or none is kept on this machine."""
    told = await request.app[PARTS].accounted(request.match_info["id"])
    return _json({"code": Code.UNKNOWN_HERE.value}, 404) if told is None else _json(told)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise Rejected(Code.SYNTAX_INVALID, "the body is no JSON object")
    return body


async def _forwarded(request: web.Request, path: str, body: Mapping[str, Any]) -> web.Response:
    parts = request.app[PARTS]
    visitor = parts.authenticate(request)
    if visitor is None:
        raise web.HTTPUnauthorized
    status, answer = await parts.forward(path, body, visitor)
    return web.Response(
        status=status,
        body=answer,
        content_type="application/json" if status < web.HTTPBadRequest.status_code else "application/problem+json",
    )


async def _command(request: web.Request) -> web.Response:
    return await _forwarded(request, f"/v1/incidents/{request.match_info['id']}/commands", await _body(request))


async def _desk(request: web.Request) -> web.Response:
    form = {name: value for name, value in (await _body(request)).items() if value not in ("", None)}
    return await _forwarded(request, f"/v1/sources/{request.app[PARTS].desk_source}/documents", form)


async def _traced(request: web.Request) -> web.Response:
    found = await request.app[PARTS].trace(request.match_info["id"])
    if found is None:
        return _html("Sztab", "<p>Nie znaleziono / not found</p>", 404)
    return _html("Sztab: ślad", way(found))


async def _printed(request: web.Request) -> web.Response:
    parts, language = request.app[PARTS], request.query.get("language", "pl")
    title, body = sheet(parts.board.incidents.values(), parts.categories, parts.name, datetime.now(UTC), language)
    return _html(title, body, language=language)


def _html(title: str, body: str, status: int = 200, language: str = "pl") -> web.Response:
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f'<title>{html.escape(title)}</title><link rel="stylesheet" href="/static/style.css">'
    lang = "en" if language == "en" else "pl"
    page = f'<!doctype html><html lang="{lang}"><head>{head}</head><body><article>{body}</article></body></html>'
    return web.Response(text=page, status=status, content_type="text/html")

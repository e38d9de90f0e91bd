"""The small web application of every role: `/metrics`, `/health/live`, `/health/ready`, `/problems/<code>`.

It shows no report and no person; its address stands in `run/<role>.json` as `operation`.
"""

import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from ops import runbook
from ops.health import Ready
from schemas.errors import Code, Misconfigured

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"


def operation_app(registry: CollectorRegistry, ready: Ready) -> web.Application:
    """The application; `ready` is asked at each `/health/ready`."""
    app = web.Application()

    async def asked(_: web.Request) -> web.Response:
        told = await ready()
        body = orjson.dumps({"ready": told.ready, "why": told.why, **told.detail})
        return web.Response(body=body, status=200 if told.ready else 503, content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.add_routes(
        [
            web.get("/metrics", metrics),
            web.get("/health/live", _live),
            web.get("/health/ready", asked),
            *problem_routes(),
        ]
    )
    return app


def problem_routes() -> list[web.RouteDef]:
    """`/problems/<code>`: what a problem's type address leads to (RFC 9457, section 3.1.1). For any application."""
    return [web.get("/problems/{code}", _problem)]


async def _live(_: web.Request) -> web.Response:
    """That the loop turns and answers is the whole promise; an error that nobody foresaw ends the process."""
    return web.json_response({"live": True})


async def _problem(request: web.Request) -> web.Response:
    code = request.match_info["code"]
    if code not in set(Code):
        raise web.HTTPNotFound
    text = runbook.sections()[Code(code)]
    paragraphs = "".join(f"<p>{html.escape(one)}</p>" for one in text.split("\n\n"))
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{code}</title><h1>{code}</h1>{paragraphs}</html>'
    )
    return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": POLICY})


@asynccontextmanager
async def served(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve the application while the context lasts; gives its URL. Misconfigured when the address cannot be bound.

    Bodies reach the handlers as they came (aiohttp would inflate them without a bound), and what is left of a refused
    one is not read for long.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, auto_decompress=False, lingering_time=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            detail = f"cannot listen on {host}:{port}: {error.strerror}"
            raise Misconfigured(Code.CONFIGURATION_INVALID, detail) from error
        bound_host, bound_port = runner.addresses[0][:2]
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        yield f"http://{shown}:{bound_port}"
    finally:
        await runner.cleanup()

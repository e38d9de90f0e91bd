"""`/docs` and `/openapi.json`: the HTTP API, readable without any script or foreign asset. For any application."""

import html
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import orjson
from aiohttp import web

from ops import openapi

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code,pre{font:14px/1.4 ui-monospace,monospace;background:#f2f2f2;padding:.1rem .3rem;overflow-wrap:anywhere}"
    "pre{padding:.6rem;white-space:pre-wrap}h2{border-top:2px solid #888;padding-top:.6rem;margin-top:2rem}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}"
)


def docs_routes() -> list[web.RouteDef]:
    """The two routes."""
    return [web.get("/docs", _docs), web.get("/openapi.json", _openapi)]


@cache
def _document() -> dict[str, Any]:
    return openapi.document(version("sztab"))


async def _openapi(_: web.Request) -> web.Response:
    return web.Response(body=orjson.dumps(_document()), content_type="application/json")


async def _docs(_: web.Request) -> web.Response:
    headers = {"Content-Security-Policy": POLICY}
    return web.Response(text=page(_document()), content_type="text/html", charset="utf-8", headers=headers)


def page(document: dict[str, Any]) -> str:
    """The document as one page: every operation under its tag, then every schema with its fields."""
    parts = [f"<h1>{_safe(document['info']['title'])} {_safe(document['info']['version'])}</h1>"]
    parts.append(f"<p>{_safe(document['info']['description'])} <a href='/openapi.json'>openapi.json</a></p>")
    for tag in document["tags"]:
        parts.append(f"<h2>{_safe(tag['name'])}</h2><p>{_safe(tag['description'])}</p>")
        parts += [
            _operation(path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if tag["name"] in operation["tags"]
        ]
    parts.append("<h2>Schemas</h2>")
    parts += [_schema(name, schema) for name, schema in document["components"]["schemas"].items()]
    style = f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    body = "\n".join(parts)
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Sztab API</title>{style}{body}</html>'


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td>{_safe(one['name'])}</td><td>{_safe(one['description'])}</td></tr>"
        for one in operation.get("parameters", ())
    ]
    if "requestBody" in operation:
        rows.append(f"<tr><td>body</td><td>{_content(operation['requestBody'])}</td></tr>")
    rows += [
        f"<tr><td>{status}</td><td>{_safe(answer['description'])} {_content(answer)}</td></tr>"
        for status, answer in operation["responses"].items()
    ]
    head = f"<h3><code>{method.upper()} {_safe(path)}</code></h3><p>{_safe(operation['summary'])}</p>"
    return f"{head}<table>{''.join(rows)}</table>"


def _content(holder: dict[str, Any]) -> str:
    return ", ".join(
        f"<code>{_safe(media)}</code> {_kind(content.get('schema', {}))}"
        for media, content in holder["content"].items()
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        f"<tr><td><code>{_safe(field)}</code>{' *' if field in required else ''}</td><td>{_kind(one)}</td>"
        f"<td>{_safe(one.get('description', ''))}</td></tr>"
        for field, one in schema.get("properties", {}).items()
    ]
    values = ", ".join(f"<code>{_safe(str(one))}</code>" for one in schema.get("enum", ()))
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    return f"<h3 id='{_safe(name)}'>{_safe(name)}</h3><p>{_safe(schema.get('description', ''))} {values}</p>{table}"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"<a href='#{_safe(name)}'>{_safe(name)}</a>"
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{_safe(str(one))}</code>" for one in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    kind = schema.get("type", "")
    return _safe(" or ".join(kind) if isinstance(kind, list) else kind)


def _safe(text: str) -> str:
    return html.escape(text)

"""Refusals over HTTP: RFC 9457 problems with our code, a JSON pointer, and the id of the document when one is kept."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from schemas.errors import Code, Denied, Rejected, SztabError, Unavailable

STATUS: Final[Mapping[Code, int]] = {
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.SOURCE_UNKNOWN: 404,
    Code.UNKNOWN_HERE: 404,
    Code.TOO_LARGE: 413,
    Code.WRONG_CONTENT_TYPE: 415,
    Code.OVERLOADED: 429,
    Code.JOURNAL_FULL: 503,
    Code.JOURNAL_UNAVAILABLE: 503,
    Code.BROKER_UNAVAILABLE: 503,
}
"""HTTP status of a code; 422 for every other: understood as HTTP, not as a document."""
RETRY_AFTER: Final[Mapping[int, str]] = {429: "1", 503: "5"}


def problem(
    code: Code, detail: str, at: str = "", document_id: str | None = None, status: int | None = None
) -> web.Response:
    """The answer that refuses. `type` leads to the code's page; `pointer` is there when a field is to blame."""
    chosen = status or STATUS.get(code, 422)
    body: dict[str, Any] = {
        "type": f"/problems/{code.value}",
        "title": code.value.replace("-", " "),
        "status": chosen,
        "code": code.value,
        "detail": detail,
    }
    if at:
        body["pointer"] = at
    if document_id:
        body |= {"id": document_id, "kept": "quarantine"}
    headers = {"Retry-After": RETRY_AFTER[chosen]} if chosen in RETRY_AFTER else {}
    if chosen == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.Response(
        body=orjson.dumps(body), status=chosen, content_type="application/problem+json", headers=headers
    )


def problem_of(error: SztabError) -> web.Response:
    """The answer for one of our errors."""
    return problem(error.code, error.detail, error.at)


def problem_error(told: Mapping[str, Any]) -> SztabError:
    """The error that a problem of ours tells, for whoever asked; Unavailable for an answer that is none of ours."""
    try:
        code, detail, at = Code(told["code"]), str(told["detail"]), str(told.get("pointer", ""))
    except (KeyError, ValueError):
        return Unavailable(Code.FAR_SIDE_UNAVAILABLE, "the answer is not understood")
    status = STATUS.get(code, 422)
    kind = Denied if status in {401, 403} else Unavailable if status in {429, 503} else Rejected
    return kind(code, detail, at)

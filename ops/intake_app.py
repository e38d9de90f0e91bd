"""The web application of the intake: documents of push sources, receipts, commands, and the journal's ids."""

import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from connectors.holding import Holding
from connectors.journal import Journal
from connectors.kits.http import Listener, Pushed, bearer, hashed
from connectors.kits.json import read_object
from connectors.kits.problems import RETRY_AFTER, problem, problem_of
from ops.commands import Answer, CommandDesk
from ops.docs_page import docs_routes
from ops.http import problem_routes
from ops.settings_parts import Account
from schemas.errors import Code, Denied, Rejected, SztabError
from streams.lifecycle import RECONCILER

LOCAL: Final = "local"
"""The actor's name where no accounts are configured and only this machine can ask."""
COMMAND_BYTES: Final = 65_536
PAGE: Final = 5_000
REASON_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may use the commands API: an account's bearer token; without accounts everybody, who then is on loopback.

    `reconciler_sha256` is the digest of the token that the installation's own reconciler has
    (`ops.runtime.reconciler_token`); empty: it has none.
    """

    accounts: Sequence[Account]
    reconciler_sha256: str = ""

    def actor(self, request: web.Request, *roles: str) -> str:
        """The name of who asks, who has one of the roles. Denied(`unauthenticated` or `forbidden`) otherwise."""
        given = hashed(bearer(request))
        if self.reconciler_sha256 and hmac.compare_digest(given, self.reconciler_sha256) and "operator" in roles:
            return RECONCILER
        if not self.accounts:
            return LOCAL
        found = [one for one in self.accounts if hmac.compare_digest(given, one.token_sha256)]
        if not found:
            raise Denied(Code.UNAUTHENTICATED, "an account's bearer token is needed")
        if not set(roles) & set(found[0].roles):
            raise Denied(Code.FORBIDDEN, f"needs the role {' or '.join(roles)}")
        return found[0].name

    def officer_at_desk(self, request: web.Request, source: Pushed) -> bool:
        """An officer types at the desk's source with the account's token."""
        if source.connector != "desk" or not self.accounts:
            return False
        try:
            self.actor(request, "officer")
        except Denied:
            return False
        return True


@dataclass(frozen=True, slots=True)
class IntakeApi:
    """The routes beside the listener's."""

    desk: CommandDesk
    journal: Journal
    gate: Gate
    holding: Holding
    publish_again: Callable[[str], Awaitable[None]]

    def routes(self) -> list[web.RouteDef]:
        """Commands, what became of them, the journal's ids, and publishing a document once more."""
        return [
            web.post("/v1/incidents/{id}/commands", self._ask),
            web.get("/v1/commands/{id}", self._later),
            web.get("/v1/journal/ids", self._ids),
            web.get("/v1/journal/held", self._held),
            web.post("/v1/journal/held", self._decide),
            web.post("/v1/journal/documents/{id}/publish", self._publish),
        ]

    async def _ask(self, request: web.Request) -> web.Response:
        try:
            actor = self.gate.actor(request, "officer", "operator")
            body = read_object(await _small_body(request))
            return _told(await self.desk.ask(request.match_info["id"], actor, body))
        except SztabError as error:
            return problem_of(error)

    async def _later(self, request: web.Request) -> web.Response:
        try:
            self.gate.actor(request, "officer", "operator", "reader")
            return _told(await self.desk.later(request.match_info["id"]))
        except SztabError as error:
            return problem_of(error)

    async def _ids(self, request: web.Request) -> web.Response:
        """Ids of rows after `after`, at most `limit`, for the ledger: never bytes."""
        try:
            self.gate.actor(request, "operator")
            after, limit = _count(request, "after", 0), min(_count(request, "limit", PAGE), PAGE)
            rows, gaps = await self.journal.ids(after, limit), await self.journal.gaps()
        except SztabError as error:
            return problem_of(error)
        told: dict[str, Any] = {
            "rows": [
                {
                    "row": one.row,
                    "document_id": one.document_id,
                    "state": one.state.name.lower().replace("_", "-"),
                    "reports": one.reports,
                    "received_ms": one.received_ms,
                    "source": one.source,
                }
                for one in rows
            ],
            "next": rows[-1].row if len(rows) == limit else None,
            "last_row": self.journal.last_row,
            "gaps": gaps,
        }
        return web.Response(body=orjson.dumps(told), content_type="application/json")

    async def _held(self, request: web.Request) -> web.Response:
        """Rows that wait for a person since a restore: ids, never bytes."""
        try:
            self.gate.actor(request, "operator")
            rows = await self.holding.rows()
        except SztabError as error:
            return problem_of(error)
        return _json({"rows": [one._asdict() for one in rows]})

    async def _publish(self, request: web.Request) -> web.Response:
        """Bring a document that was published once more to the broker: the ledger misses what it became."""
        try:
            self.gate.actor(request, "operator")
            await self.publish_again(request.match_info["id"])
        except SztabError as error:
            return problem_of(error)
        return web.json_response({"document_id": request.match_info["id"]}, status=202)

    async def _decide(self, request: web.Request) -> web.Response:
        """Let held rows go, or discard them: `act`, `rows` (or `all`), `reason`."""
        try:
            actor = self.gate.actor(request, "operator")
            told = read_object(await _small_body(request))
            rows, released, reason = _decision(told)
            decided = await self.holding.decide(rows, released=released, by=actor, reason=reason)
        except SztabError as error:
            return problem_of(error)
        return _json({"rows": decided})


def build_app(listener: Listener, api: IntakeApi, more: Sequence[web.RouteDef] = ()) -> web.Application:
    """The application; to be served with bodies as they came (`ops.http.served` does). `more`: further routes."""
    app = web.Application(middlewares=[_as_problem])
    app.add_routes([*listener.routes(), *api.routes(), *more, *problem_routes(), *docs_routes()])
    return app


@web.middleware
async def _as_problem(request: web.Request, handler: Any) -> web.StreamResponse:
    """What aiohttp itself refuses (no such path, wrong method) looks like our other refusals."""
    try:
        answer: web.StreamResponse = await handler(request)
    except web.HTTPNotFound:
        return problem(Code.UNKNOWN_HERE, "nothing is served at this address", status=404)
    except web.HTTPMethodNotAllowed as error:
        refused = problem(Code.UNKNOWN_HERE, "this method is not served here", status=405)
        refused.headers["Allow"] = error.headers["Allow"]
        return refused
    return answer


async def _small_body(request: web.Request) -> bytes:
    body = b""
    async for part in request.content.iter_any():
        body += part
        if len(body) > COMMAND_BYTES:
            raise Rejected(Code.TOO_LARGE, f"more than {COMMAND_BYTES} bytes")
    return body


def _count(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Rejected(Code.FIELD_INVALID, "a number from 0", f"/{name}")
    return int(text)


def _decision(told: dict[str, Any]) -> tuple[list[int] | None, bool, str]:
    """Rows (None: all), whether they are let go, the reason. Rejected for anything else than `decideHeld` describes."""
    act, rows, reason = told.get("act"), told.get("rows"), told.get("reason", "")
    if act not in ("release", "discard"):
        raise Rejected(Code.FIELD_INVALID, "release or discard", "/act")
    if not isinstance(reason, str) or len(reason) > REASON_CHARACTERS:
        raise Rejected(Code.FIELD_INVALID, f"a text of at most {REASON_CHARACTERS} characters", "/reason")
    if (rows is None) is not (told.get("all") is True):
        raise Rejected(Code.FIELD_INVALID, "either rows, or all is true", "/rows")
    if rows is not None and not (isinstance(rows, list) and rows and all(type(one) is int for one in rows)):
        raise Rejected(Code.FIELD_INVALID, "row numbers", "/rows")
    return rows, act == "release", reason


def _json(told: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(told), content_type="application/json")


def _told(answer: Answer) -> web.Response:
    status, body = answer
    kind = "application/json" if status < 400 else "application/problem+json"
    headers = {"Retry-After": RETRY_AFTER[status]} if status in RETRY_AFTER else {}
    return web.Response(body=orjson.dumps(body), status=status, content_type=kind, headers=headers)

"""The quarantine over HTTP, beside the intake's other routes: for accounts with the role operator, else for loopback.

What is read names no person. Bytes are shown for a purpose, which is written down first; every act needs a reason.
"""

import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import orjson
from aiohttp import web

from connectors.kits.json import read_object
from connectors.kits.problems import problem_of
from ops.aside.desk import Correction, Desk
from ops.aside.documents import SHOWN_BYTES, as_text, difference, hexed
from ops.aside.jobs import Jobs
from ops.aside.shelf import State, Wanted, histogram
from ops.intake_app import LOCAL, Gate
from ops.moments import milliseconds
from schemas.errors import Code, Denied, Rejected, SztabError

ROLE: Final = "operator"
USER: Final = "X-Sztab-User"
"""On an installation without accounts: who says that he asks. Stands in the audit log behind `local:`.

Compulsory where something is done: a page of another site in somebody's browser can send a form, but no such header.
"""
MOST_SHOWN: Final = 1_000
BODY_BYTES: Final = 8 * 1024 * 1024
REASON_CHARACTERS: Final = 2_000
_USER: Final = re.compile(r"[A-Za-z0-9._-]{1,32}")
_FILTERS: Final = {"code": "codes", "source": "sources", "stage": "stages", "state": "states"}

Handler = Callable[[web.Request], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class QuarantineApi:
    """The routes."""

    desk: Desk
    jobs: Jobs
    gate: Gate

    def routes(self) -> list[web.RouteDef]:
        """For the intake's application."""
        return [
            web.get("/v1/quarantine", self._answered(self._list)),
            web.get("/v1/quarantine/{id}", self._answered(self._show)),
            web.post("/v1/quarantine/{id}/bytes", self._answered(self._bytes)),
            web.post("/v1/quarantine/{id}/diff", self._answered(self._diff)),
            web.post("/v1/quarantine/{id}/replay", self._answered(self._replay)),
            web.post("/v1/quarantine/{id}/discard", self._answered(self._discard)),
            web.get("/v1/replays", self._answered(self._replays)),
            web.post("/v1/replays", self._answered(self._begin)),
            web.get("/v1/replays/{id}", self._answered(self._one_replay)),
        ]

    def _answered(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """The handler behind the gate; every refusal is a problem with its code."""

        async def handle(request: web.Request) -> web.Response:
            try:
                self._actor(request)
                told = await handler(request)
            except SztabError as error:
                return problem_of(error)
            return web.Response(body=orjson.dumps(told), content_type="application/json")

        return handle

    def _actor(self, request: web.Request) -> str:
        """Who asks. Without accounts only this machine may, and is believed who it says it is."""
        actor = self.gate.actor(request, ROLE)
        if self.gate.accounts:
            return actor
        if not _loopback(request.remote):
            raise Denied(Code.FORBIDDEN, "without accounts only this machine may ask")
        user = request.headers.get(USER, "")
        if _USER.fullmatch(user):
            return f"{LOCAL}:{user}"
        if request.method != "GET":
            raise Denied(Code.FORBIDDEN, f"without accounts say who you are in {USER}: letters, digits, . _ -")
        return LOCAL

    async def _list(self, request: web.Request) -> dict[str, Any]:
        wanted = wanted_of({name: request.query.getall(name, []) for name in request.query})
        found = wanted.of((await self.desk.shelved.fresh()).items.values())
        return {
            "items": [one.shown() for one in found[:MOST_SHOWN]],
            "count": len(found),
            "histogram": histogram(found),
            "passed_over": self.desk.shelved.now.passed_over,
        }

    async def _show(self, request: web.Request) -> dict[str, Any]:
        return (await self.desk.item(request.match_info["id"])).shown()

    async def _bytes(self, request: web.Request) -> dict[str, Any]:
        body = await _body(request)
        item = await self.desk.item(request.match_info["id"])
        found = await self.desk.look(item, self._actor(request), said(body, "purpose"))
        if found is None:
            raise Rejected(Code.UNKNOWN_HERE, "its bytes are not kept")
        told: dict[str, Any] = {"bytes": base64.b64encode(found).decode(), "text": as_text(found[:SHOWN_BYTES])}
        told["hex"] = hexed(found[:SHOWN_BYTES])
        return {**item.shown(), **told}

    async def _diff(self, request: web.Request) -> dict[str, Any]:
        """The original against a correction: the one given, else the one that took its place."""
        body = await _body(request)
        item = await self.desk.item(request.match_info["id"])
        correction = _correction(body)
        original = await self.desk.look(item, self._actor(request), said(body, "purpose"))
        corrected = correction.body if correction is not None else await self._taken(item.shown())
        if original is None or corrected is None:
            raise Rejected(Code.UNKNOWN_HERE, "its bytes, or those of its correction, are not kept")
        return {"item_id": item.item_id, **difference(original, corrected)}

    async def _taken(self, shown: Mapping[str, Any]) -> bytes | None:
        corrected_by = shown.get("resolved", {}).get("corrected_by")
        if corrected_by is None:
            raise Rejected(Code.FIELD_MISSING, "no correction was sent, and none took its place", "/corrected")
        row = await self.desk.reentry.replaying.kept(corrected_by)
        return row.body if row is not None else None

    async def _replay(self, request: web.Request) -> dict[str, Any]:
        body, actor = await _body(request), self._actor(request)
        item, reason = await self.desk.item(request.match_info["id"]), said(body, "purpose")
        correction = _correction(body)
        if correction is None:
            return await self.desk.replay(item, actor, reason)
        return await self.desk.correct(item, actor, reason, correction)

    async def _discard(self, request: web.Request) -> dict[str, Any]:
        body = await _body(request)
        item = await self.desk.item(request.match_info["id"])
        return await self.desk.discard(item, self._actor(request), said(body, "reason"))

    async def _replays(self, _request: web.Request) -> dict[str, Any]:
        return {"replays": self.jobs.all()}

    async def _one_replay(self, request: web.Request) -> dict[str, Any]:
        return self.jobs.of(request.match_info["id"])

    async def _begin(self, request: web.Request) -> dict[str, Any]:
        """A dry run unless `dry_run` is false; what is selected then is what the job works on, whatever comes later."""
        body = await _body(request)
        told = {name: _texts(body[name], name) for name in (*_FILTERS, "since", "until") if name in body}
        wanted = wanted_of({"state": [State.OPEN.value], **told})
        if body.get("dry_run", True) is not False:
            return {"dry_run": True, **await self.jobs.preview(wanted)}
        job = await self.jobs.begin(wanted, told, self._actor(request), said(body, "purpose"))
        return {"dry_run": False, **job.shown()}


def wanted_of(told: Mapping[str, list[str]]) -> Wanted:
    """The filters of a request: `code`, `source`, `stage`, `state` (several of each), `since`, `until`.

    Rejected(`field-invalid`) for another name, an unknown state, a time without zone.
    """
    made: dict[str, Any] = {}
    for name, values in told.items():
        if name in _FILTERS:
            made[_FILTERS[name]] = tuple(values)
        elif name in {"since", "until"}:
            made[f"{name}_ms"] = milliseconds(values[-1], name)
        else:
            raise Rejected(Code.FIELD_INVALID, "no such filter", f"/{name[:64]}")
    if not set(made.get("states", ())) <= set(State):
        raise Rejected(Code.FIELD_INVALID, f"one of: {', '.join(State)}", "/state")
    return Wanted(**made)


def said(body: Mapping[str, Any], name: str) -> str:
    """Why somebody acts. Rejected(`reason-missing`) without it."""
    reason = body.get(name)
    if not isinstance(reason, str) or not reason.strip():
        raise Rejected(Code.REASON_MISSING, "whoever looks or acts says why", f"/{name}")
    if len(reason) > REASON_CHARACTERS:
        raise Rejected(Code.FIELD_INVALID, f"more than {REASON_CHARACTERS} characters", f"/{name}")
    return reason.strip()


def _texts(value: Any, name: str) -> list[str]:
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(one, str) for one in several):
        raise Rejected(Code.FIELD_INVALID, "a text, or a list of them", f"/{name}")
    return several


def _correction(body: Mapping[str, Any]) -> Correction | None:
    encoded, kind = body.get("corrected"), body.get("content_type")
    if encoded is None:
        return None
    if not isinstance(encoded, str) or not isinstance(kind, str | None):
        raise Rejected(Code.FIELD_INVALID, "the corrected bytes in base64, the media type as text", "/corrected")
    try:
        return Correction(base64.b64decode(encoded, validate=True), kind)
    except ValueError:
        raise Rejected(Code.FIELD_INVALID, "not base64", "/corrected") from None


async def _body(request: web.Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.content.iter_any():
        body += part
        if len(body) > BODY_BYTES:
            raise Rejected(Code.TOO_LARGE, f"more than {BODY_BYTES} bytes")
    return read_object(bytes(body))


def _loopback(remote: str | None) -> bool:
    try:
        return ip_address(remote or "").is_loopback
    except ValueError:
        return False

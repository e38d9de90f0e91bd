"""Commands of people and partners: through the journal like any document, answered by the fact that they became.

The log decides, not this module: it writes the command down, waits a moment for the fact, and tells where to ask later.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog

from connectors.contract import Document, Refused, Settled
from schemas.envelope import Received, attribute
from schemas.errors import Code, Rejected, SztabError
from schemas.incident import CommandRefused, Fact
from schemas.topics import FACTS, INCIDENTS_NOW
from schemas.wire import parse

WAIT_SECONDS: Final = 2.0
"""How long an answer may take, from the question on: the wait for journal and broker is part of it."""
REMEMBERED: Final = 20_000
STATUS: Final[Mapping[Code, int]] = {
    Code.INCIDENT_UNKNOWN: 404,
    Code.REPORT_UNKNOWN: 404,
    Code.UNKNOWN_HERE: 404,
    Code.VERSION_CONFLICT: 409,
    Code.STATE_FORBIDS: 409,
    Code.KEY_REUSED: 409,
    Code.FORBIDDEN: 403,
    Code.JOURNAL_FULL: 503,
    Code.JOURNAL_UNAVAILABLE: 503,
    Code.OVERLOADED: 429,
}
"""HTTP status of a refusal; 422 for all others."""

log = structlog.get_logger()

Answer = tuple[int, dict[str, Any]]
"""HTTP status and body."""


@dataclass(slots=True)
class _Command:
    """What is known of a command id: what was asked under it here, and what it became."""

    digest: str = ""
    """Of what this node wrote down since it started; empty: nothing."""
    answer: Answer | None = None
    before: Answer | None = None
    """What facts had told before this node was asked: the answer of this command only if it had been asked before."""
    told: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Outcomes:
    """What commands became, as far as facts tell; and the unit of each incident, for askers who do not name it.

    The last 20,000 commands are remembered, whichever node was asked: one that starts again reads their facts.
    """

    _known: OrderedDict[str, _Command] = field(default_factory=OrderedDict)
    units: dict[str, str] = field(default_factory=dict)

    def take(self, topic: str, headers: Received, value: bytes | None) -> None:
        """One record of `incident.facts` or `incident.current`; headers decide whether its payload is opened.

        One that cannot be read is passed over: those behind it are waited for, too.
        """
        try:
            self._take(topic, tuple(headers), value)
        except Rejected as error:
            log.warning("fact_passed_over", topic=topic, code=error.code.value)

    def _take(self, topic: str, headers: Received, value: bytes | None) -> None:
        incident, unit = attribute(headers, "incidentid"), attribute(headers, "unit")
        cause = attribute(headers, "causeid")
        if incident and unit:
            self.units[incident] = unit
        if topic != FACTS or cause is None or attribute(headers, "reportid") is not None:
            return
        known = self._known.get(cause)
        if known is not None and known.answer is not None:
            return
        fact = parse(Fact, value)
        if known is None and fact.actor is None:
            return
        known = known or self._remembered(cause)
        known.answer = outcome(fact)
        known.told.set()

    def expect(self, command_id: str, digest: str) -> bool:
        """A command with this id is about to be written down: its fact is waited for from now on.

        False, and nothing changes, when another command was asked under this id here.
        """
        known = self._known.get(command_id) or self._remembered(command_id)
        if not known.digest:
            known.digest, known.before, known.answer = digest, known.answer, None
            known.told.clear()
        return known.digest == digest

    def refused(self, command_id: str) -> None:
        """It was not written down: nothing is waited for, unless it was asked before and has its answer."""
        known = self._known.get(command_id)
        if known is not None and known.answer is None:
            self.forget(command_id)

    def forget(self, command_id: str) -> None:
        """What was expected was not taken: what had been known of the id holds again."""
        known = self._known.pop(command_id, None)
        if known is not None and known.before is not None:
            self._remembered(command_id).answer = known.before

    async def of(self, command_id: str, seconds: float, *, earlier: bool = True) -> Answer | None:
        """What the command became, waiting so long for it; None when no fact has told yet.

        `earlier`: what facts told before this node was asked is its answer, too.
        """
        known = self._known.get(command_id)
        if known is None:
            return None
        before = known.before if earlier else None
        if known.answer is None and before is None and seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(known.told.wait(), seconds)
        return known.answer or before

    def heard_of(self, command_id: str) -> bool:
        """Whether this node wrote the command down since it started, or read a fact of it."""
        return command_id in self._known

    def _remembered(self, command_id: str) -> _Command:
        self._known[command_id] = known = _Command()
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known


def outcome(fact: Fact) -> Answer:
    """The answer that a command's first fact gives."""
    change = fact.change
    if isinstance(change, CommandRefused):
        body = {"type": f"/problems/{change.code.value}", "title": "the command was refused", "code": change.code.value}
        return STATUS.get(change.code, 422), {**body, "command_id": change.command_id}
    version = fact.summary.sequence if fact.summary else None
    state = fact.summary.state.value if fact.summary else None
    told = {"fact_id": fact.fact_id, "kind": change.kind, "incident_id": fact.incident_id}
    return 200, {**told, "version": version, "state": state}


@dataclass(frozen=True, slots=True)
class CommandDesk:
    """Takes commands. `accept` is the runner's, for the built-in source; `command_id` names actor and key."""

    accept: Callable[[Document], Awaitable[Settled]]
    command_id: Callable[[str, str], str]
    outcomes: Outcomes

    async def ask(self, incident_id: str, actor: str, body: Mapping[str, Any]) -> Answer:
        """Write the command down and answer with its fact, a refusal, or 202 and where to ask.

        Same key, same command: another one under a used key is refused, here or by the log.

        The asker may name the unit; else the incident's is taken. An incident that nobody has heard of is refused.
        """
        unit = body.get("unit") or self.outcomes.units.get(incident_id)
        if unit is None:
            return _problem(404, Code.INCIDENT_UNKNOWN, "no such incident here; name its unit if it is new")
        began = time.monotonic()
        key = body.get("idempotency_key")
        asked = {**body, "incident_id": incident_id, "unit": unit, "actor": actor}
        command_id = self.command_id(actor, key) if isinstance(key, str) else ""
        if command_id and not self.outcomes.expect(command_id, _digest(asked)):
            return _problem(409, Code.KEY_REUSED, "the key was used for another command; take a fresh one")
        try:
            settled = await self.accept(Document(orjson.dumps(asked), "application/json", occurrence=command_id))
        except SztabError:
            self.outcomes.refused(command_id)
            raise
        if isinstance(settled, Refused):
            self.outcomes.refused(command_id)
            return _problem(STATUS.get(settled.code, 422), settled.code, settled.detail, settled.at)
        left = WAIT_SECONDS - (time.monotonic() - began)
        answer = await self.outcomes.of(command_id, left, earlier=settled.repeated)
        if answer is not None and answer[1].get("code") == Code.KEY_REUSED.value:
            self.outcomes.forget(command_id)
        return answer or self._later(command_id, settled.held.value)

    async def later(self, command_id: str) -> Answer:
        """What a command became meanwhile; 404 `unknown-here` for one that this node knows nothing of."""
        if not self.outcomes.heard_of(command_id):
            detail = "this node has not written that command down since it started, nor read a fact of it"
            return _problem(404, Code.UNKNOWN_HERE, detail)
        return await self.outcomes.of(command_id, 0) or self._later(command_id, "")

    @staticmethod
    def _later(command_id: str, held: str) -> Answer:
        return 202, {"command_id": command_id, "held": held, "status": f"/v1/commands/{command_id}"}


def _digest(asked: Mapping[str, Any]) -> str:
    """What tells one request from another. Its unit does not: it may be looked up, and change meanwhile."""
    told = {name: value for name, value in asked.items() if name != "unit"}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _problem(status: int, code: Code, detail: str, at: str = "") -> Answer:
    body: dict[str, Any] = {"type": f"/problems/{code.value}", "title": "the command was refused", "code": code.value}
    return status, {**body, "detail": detail, "pointer": at}


FOLLOWED: Final = (INCIDENTS_NOW, FACTS)

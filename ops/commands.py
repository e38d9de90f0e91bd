"""Commands of people and partners: through the journal like any document, answered by the fact that they became.

The log decides, not this module: it writes the command down, waits a moment for the fact, and tells where to ask later.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog

from connectors.contract import Document, Refused, Settled
from schemas.envelope import Received, attribute
from schemas.errors import Code, Rejected
from schemas.incident import CommandRefused, Fact
from schemas.topics import FACTS, INCIDENTS_NOW
from schemas.wire import parse

WAIT_SECONDS: Final = 2.0
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
class Outcomes:
    """What commands became, as far as facts tell; and the unit of each incident, for askers who do not name it."""

    _known: OrderedDict[str, Answer] = field(default_factory=OrderedDict)
    _waiting: dict[str, asyncio.Event] = field(default_factory=dict)
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
        if topic != FACTS or cause is None or cause in self._known or cause not in self._waiting:
            return
        self._known[cause] = outcome(parse(Fact, value))
        while len(self._known) > REMEMBERED:
            forgotten, _ = self._known.popitem(last=False)
            self._waiting.pop(forgotten, None)
        self._waiting[cause].set()

    def expect(self, command_id: str) -> None:
        """A command with this id is about to be published: its fact is waited for from now on."""
        self._waiting.setdefault(command_id, asyncio.Event())

    async def of(self, command_id: str, seconds: float) -> Answer | None:
        """What the command became, waiting so long for it; None when no fact has told yet."""
        waiting = self._waiting.get(command_id)
        if waiting is not None and not waiting.is_set() and seconds > 0:
            try:
                await asyncio.wait_for(waiting.wait(), seconds)
            except TimeoutError:
                return None
        return self._known.get(command_id)

    def asked(self, command_id: str) -> bool:
        """Whether this node wrote the command down since it started."""
        return command_id in self._waiting


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
        """Write the command down and answer with its fact, a refusal, or 202 and where to ask. Same key, same command.

        The asker may name the unit; else the incident's is taken. An incident that nobody has heard of is refused.
        """
        unit = body.get("unit") or self.outcomes.units.get(incident_id)
        if unit is None:
            return _problem(404, Code.INCIDENT_UNKNOWN, "no such incident here; name its unit if it is new")
        key = body.get("idempotency_key")
        asked = {**body, "incident_id": incident_id, "unit": unit, "actor": actor}
        command_id = self.command_id(actor, key) if isinstance(key, str) else ""
        if command_id:
            self.outcomes.expect(command_id)
        settled = await self.accept(Document(orjson.dumps(asked), "application/json", occurrence=command_id))
        if isinstance(settled, Refused):
            return _problem(STATUS.get(settled.code, 422), settled.code, settled.detail, settled.at)
        return await self.outcomes.of(command_id, WAIT_SECONDS) or self._later(command_id, settled.held.value)

    async def later(self, command_id: str) -> Answer:
        """What a command became meanwhile; 404 `unknown-here` for one that this node did not write down."""
        if not self.outcomes.asked(command_id):
            return _problem(404, Code.UNKNOWN_HERE, "this node has not written that command down since it started")
        return await self.outcomes.of(command_id, 0) or self._later(command_id, "")

    @staticmethod
    def _later(command_id: str, held: str) -> Answer:
        return 202, {"command_id": command_id, "held": held, "status": f"/v1/commands/{command_id}"}


def _problem(status: int, code: Code, detail: str, at: str = "") -> Answer:
    body: dict[str, Any] = {"type": f"/problems/{code.value}", "title": "the command was refused", "code": code.value}
    return status, {**body, "detail": detail, "pointer": at}


FOLLOWED: Final = (INCIDENTS_NOW, FACTS)

"""The load of a proof: producers in open loop, like call centres and desks, each telling what it means to tell.

A message is due at t0 + i / rate whatever happened to those before it. What is not answered by a yes or a final no is
sent again, the same bytes, to the other node too, as a partner does that got no answer. Pure but for `Producer`.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson

from connectors.journal_rows import document_id
from connectors.journal_sql import digest_of
from ops.prove.system.configured import ORDINARY, recipients_of
from ops.prove.system.history import FAIL, INFO, OK, Attempt, Operation, outcome_of
from ops.prove.system.known import BAD
from ops.prove.system.role import RAISES

BOX: Final = (51.55, 51.95, 17.85, 18.45)
"""South, north, west, east: about the county."""
CATEGORIES: Final = ("traffic.collision", "crime.theft", "order.disturbance", "person.helpless", "traffic.obstruction")
URGENT: Final = "crime.domestic"
MIX: Final = (("new", 68), ("duplicate", 10), ("update", 12), ("repeat-call", 8), ("cancellation", 2))
"""What is told, per hundred."""
REMEMBERED: Final = 60
"""Forms that a producer may come back to."""
PATIENCE_SECONDS: Final = 5.0
"""After so long without an answer a partner asks again."""
PAUSES: Final = (0.2, 0.5, 1.0, 2.0)
CONNECTIONS: Final = 2_000

Nodes = Callable[[], Sequence[str]]
"""Addresses of the intake nodes as they are now: a node that comes back may listen elsewhere."""


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell: which source hears it, its bytes, and what it is."""

    what: str
    source: str
    far_id: str
    identity: str
    body: bytes
    urgent: bool = False
    content_type: str = "application/json"


@dataclass(slots=True)
class Listed:
    """Messages in a fixed order, each once."""

    name: str
    messages: Sequence[Message]
    number: int = 0

    def next(self) -> Message | None:
        """The next message; None after the last."""
        self.number += 1
        return self.messages[self.number - 1] if self.number <= len(self.messages) else None


@dataclass(slots=True)
class Script:
    """What one producer tells, in its order. The same seed gives the same messages. Pure."""

    name: str
    connector: str
    sources: Sequence[str]
    dice: random.Random
    forms: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    number: int = 0
    raising: tuple[str, ...] = ()
    """Processors whose step shall raise for some messages, and how often: one in `raise_every`."""
    raise_every: int = 200

    def next(self) -> Message:
        """The next message."""
        kinds = [kind for kind, _ in MIX]
        what = self.dice.choices(kinds, [weight for _, weight in MIX])[0]
        self.number += 1
        if self.raising and self.number % self.raise_every == 0:
            return self._raising()
        if what == "new" or not self.forms:
            return self._new()
        if self.connector == "desk" and what in {"update", "cancellation"}:
            return self._new()
        source, known = self.forms[-self.dice.randint(1, min(len(self.forms), REMEMBERED))]
        if what == "duplicate":
            return self._told("duplicate", source, known)
        if what == "repeat-call":
            return self._repeat_call(source, known)
        return self._later(what, source, known)

    def _new(self) -> Message:
        source = self.dice.choice(self.sources)
        south, north, west, east = BOX
        place = {"lat": round(self.dice.uniform(south, north), 5), "lon": round(self.dice.uniform(west, east), 5)}
        return self._form(source, place, "new")

    def _form(self, source: str, place: Mapping[str, Any], what: str, category: str = "") -> Message:
        urgent = self.dice.random() < 0.15
        form: dict[str, Any] = {
            self._key: f"{self.name}-{self.number}",
            "place": {**place, "uncertainty_m": 30, "locality": "Kalisz"},
            "category": category or (URGENT if urgent else self.dice.choice(CATEGORIES)),
            "description": "Zgłoszenie próbne: " + "treść zmyślona. " * self.dice.randint(1, 12),
            "caller": {"first_name": "Anna", "surname": "Zmyślona", "phone": f"+4860{self.dice.randrange(10**7):07d}"},
        }
        if self.connector == "cpr":
            form |= {"revision": 1, "handling_status": "SUBMITTED"}
        self.forms.append((source, form))
        return self._told(what, source, form)

    def _repeat_call(self, source: str, known: Mapping[str, Any]) -> Message:
        """Somebody else calls about the same matter, some metres away."""
        near = {
            "lat": round(known["place"]["lat"] + self.dice.gauss(0, 0.0004), 5),
            "lon": round(known["place"]["lon"] + self.dice.gauss(0, 0.0006), 5),
        }
        return self._form(source, near, "repeat-call", known["category"])

    def _later(self, what: str, source: str, known: dict[str, Any]) -> Message:
        newer = {**known, "revision": known["revision"] + 1, "description": known["description"] + "Dzwoni ponownie."}
        if what == "cancellation":
            newer["handling_status"] = "CANCELLED"
        at = next(i for i, (_, form) in enumerate(self.forms) if form is known)
        self.forms[at] = (source, newer)
        return self._told(what, source, newer)

    def _raising(self) -> Message:
        processor = self.raising[self.number // self.raise_every % len(self.raising)]
        source = self.dice.choice(self.sources)
        form: dict[str, Any] = {
            self._key: f"{self.name}-raise-{self.number}",
            "place": {"lat": 51.76, "lon": 18.09},
            "category": CATEGORIES[0],
            "description": f"{RAISES}-{processor}",
        }
        return self._told(BAD, source, form)

    @property
    def _key(self) -> str:
        return "cpr_id" if self.connector == "cpr" else "entry_id"

    def _told(self, what: str, source: str, form: Mapping[str, Any]) -> Message:
        far_id = form[self._key]
        identity = f"{source}|{far_id}|{form.get('revision', '')}"
        urgent = form["category"] == URGENT
        return Message(what, source, far_id, identity, orjson.dumps(form), urgent=urgent)


@dataclass(slots=True)
class Producer:
    """Sends a script at a rate, each message until it has a certain answer or `patience` ran out. Keeps operations."""

    script: Script | Listed
    run: str
    rate: float
    nodes: Nodes
    ids_key: bytes
    session: aiohttp.ClientSession
    prefer: int = 0
    operations: list[Operation] = field(default_factory=list)
    sent: int = 0
    late: int = 0
    rude: int = 0
    """Refusals for want of room that did not say when to come again."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    giving_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def play(self) -> None:
        """Send until `stopping`, then wait for what is outstanding; what has no answer at `giving_up` stays unknown."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not self.stopping.is_set():
                due = began + self.sent / self.rate
                wait = due - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                elif wait < -1.0:
                    self.late += 1
                message = self.script.next()
                if message is None:
                    break
                group.create_task(self._tell(self.sent, message))
                self.sent += 1

    async def _tell(self, number: int, message: Message) -> None:
        attempts: list[Attempt] = []
        said: dict[str, Any] = {}
        # The same bytes once more come to the other node, too: both must give them the same ids.
        turn = self.prefer + (number % 2 if message.what == "duplicate" else 0)
        while True:
            attempt, said = await self._attempt(message, self._address(turn))
            attempts.append(attempt)
            if attempt.outcome == OK or (attempt.outcome == FAIL and attempt.status in FINAL):
                break
            pause = PAUSES[min(len(attempts) - 1, len(PAUSES) - 1)]
            try:
                await asyncio.wait_for(self.giving_up.wait(), pause)
            except TimeoutError:
                turn += 1
                continue
            break
        self.operations.append(self._operation(number, message, tuple(attempts), said, turn))

    def _address(self, turn: int) -> str:
        nodes = self.nodes()
        return nodes[turn % len(nodes)]

    async def _attempt(self, message: Message, node: str) -> tuple[Attempt, dict[str, Any]]:
        headers = {"Content-Type": message.content_type}
        began, outcome = time.time(), INFO
        status: int | None = None
        said: Any = {}
        try:
            path = f"{node}/v1/sources/{message.source}/documents"
            async with self.session.post(path, data=message.body, headers=headers) as answer:
                status = answer.status
                self.rude += status in BUSY and "Retry-After" not in answer.headers
                body = await answer.read()
            said = orjson.loads(body)
            outcome = _outcome(status, said)
        except aiohttp.ClientConnectorError:
            outcome = FAIL  # nobody listened: nothing was sent
        except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
            outcome = INFO
        return Attempt(began, time.time(), outcome, status), said if isinstance(said, dict) else {}

    def _operation(
        self, number: int, message: Message, attempts: tuple[Attempt, ...], said: Mapping[str, Any], turn: int
    ) -> Operation:
        return Operation(
            id=f"{self.run}/{self.script.name}/{number}",
            process=f"{self.run}/{self.script.name}",
            counter=number,
            run=self.run,
            what=message.what,
            node=str(turn % max(1, len(self.nodes()))),
            source=message.source,
            identity=message.identity,
            subject=message.far_id,
            emergency=message.source not in ORDINARY,
            urgent=message.urgent,
            recipients=() if message.what == BAD else recipients_of(message.source),
            outcome=outcome_of(attempts),
            status=attempts[-1].status,
            code=said.get("code"),
            held=said.get("held") or said.get("kept"),
            document_id=said.get("id") or document_id(self.ids_key, message.source, digest_of(message.body).hex(), ""),
            report_ids=tuple(said.get("reports", ())),
            command_id=None,
            attempts=attempts,
        )


FINAL: Final = frozenset({400, 401, 403, 404, 408, 413, 415, 422})
"""A no that stays a no."""
BUSY: Final = frozenset({429, 503})
NOT_WRITTEN: Final = frozenset({"journal-full", "overloaded"})
"""Why a 503 or 429 was answered before anything was written. After another 503 nobody knows (FAULTS 2)."""


def _outcome(status: int, said: Mapping[str, Any]) -> str:
    if status == 202:
        return OK
    code = said.get("code")
    return FAIL if status in FINAL or code in NOT_WRITTEN else INFO


def session() -> aiohttp.ClientSession:
    """Connections of partners: as many as there are messages on the way."""
    limit = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), timeout=limit)

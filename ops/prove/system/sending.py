"""Producers in open loop, like call centres and desks: each tells its script, and keeps account of what it heard.

A message is due at t0 + i / rate whatever happened to those before it. What is not answered by a yes or a final no is
sent again, the same bytes, to the other node too, as a partner does that got no answer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import orjson

from connectors.journal_rows import document_id
from connectors.journal_sql import digest_of
from ops.prove.system.configured import ORDINARY, recipients_of
from ops.prove.system.history import FAIL, INFO, OK, Attempt, Operation, outcome_of
from ops.prove.system.known import BAD
from ops.prove.system.load import Message

PATIENCE_SECONDS: Final = 5.0
"""After so long without an answer a partner asks again."""
PAUSES: Final = (0.2, 0.5, 1.0, 2.0)
CONNECTIONS: Final = 2_000
FINAL: Final = frozenset({400, 401, 403, 404, 408, 413, 415, 422})
"""A no that stays a no."""
BUSY: Final = frozenset({429, 503})
NOT_WRITTEN: Final = frozenset({"journal-full", "overloaded"})
"""Why a 503 or 429 was answered before anything was written. After another 503 nobody knows (FAULTS 2)."""

Nodes = Callable[[], Sequence[str]]
"""Addresses of the intake nodes as they are now: a node that comes back may listen elsewhere."""
OutcomeOf = Callable[[int, Mapping[str, Any]], str]
"""What a status and the object of an answer mean."""


class Heard(NamedTuple):
    """One request with its answer. `rude`: refused for want of room without a word on when to come again."""

    attempt: Attempt
    said: dict[str, Any]
    rude: bool = False


Ask = Callable[[Message, str], Awaitable[Heard]]
"""Send a message to the node at that address, and wait for the answer."""


class Telling(Protocol):
    """A script: who tells, and what comes next; None after the last."""

    name: str

    def next(self) -> Message | None:
        """The next message."""


def document_outcome(status: int, said: Mapping[str, Any]) -> str:
    """What the documents API means by an answer."""
    if status == 202:
        return OK
    return FAIL if status in FINAL or said.get("code") in NOT_WRITTEN else INFO


def session() -> aiohttp.ClientSession:
    """Connections of partners: as many as there are messages on the way."""
    limit = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), timeout=limit)


async def posted(
    client: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str], outcome_told: OutcomeOf
) -> Heard:
    """POST, and hear. An answer that is none leaves it unknown; only where nobody listened nothing was sent."""
    began, outcome, rude = time.time(), INFO, False
    status: int | None = None
    said: Any = {}
    try:
        async with client.post(url, data=body, headers=headers) as answer:
            status = answer.status
            rude = status in BUSY and "Retry-After" not in answer.headers
            said = orjson.loads(await answer.read())
        outcome = outcome_told(status, said)
    except aiohttp.ClientConnectorError:
        outcome = FAIL
    except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
        outcome = INFO
    return Heard(Attempt(began, time.time(), outcome, status), said if isinstance(said, dict) else {}, rude)


def posting(client: aiohttp.ClientSession) -> Ask:
    """Asks by the documents API."""

    async def ask(message: Message, node: str) -> Heard:
        url = f"{node}/v1/sources/{message.source}/documents"
        return await posted(client, url, message.body, {"Content-Type": message.content_type}, document_outcome)

    return ask


@dataclass(slots=True)
class Producer:
    """Sends a script at a rate, each message until it has a certain answer or `patience` ran out. Keeps operations."""

    script: Telling
    run: str
    rate: float
    nodes: Nodes
    ids_key: bytes
    ask: Ask
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
        # The same bytes once more come to the other node, too: both must give them the same ids.
        turn = self.prefer + (number % 2 if message.what == "duplicate" else 0)
        while True:
            nodes = self.nodes()
            attempt, said, rude = await self.ask(message, nodes[turn % len(nodes)])
            self.rude += rude
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
        node = str(turn % len(self.nodes()))
        teller = Teller(self.run, self.script.name, self.ids_key)
        self.operations.append(teller.operation(number, message, attempts, said, node))


@dataclass(frozen=True, slots=True)
class Teller:
    """Who tells, for the account of what was told."""

    run: str
    name: str
    ids_key: bytes

    def operation(
        self, number: int, message: Message, attempts: Sequence[Attempt], said: Mapping[str, Any], node: str
    ) -> Operation:
        """One message with all its attempts; `said`: the last answer."""
        digest = digest_of(message.body).hex()
        return Operation(
            id=f"{self.run}/{self.name}/{number}",
            process=f"{self.run}/{self.name}",
            counter=number,
            run=self.run,
            what=message.what,
            node=node,
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
            document_id=said.get("id") or document_id(self.ids_key, message.source, digest, ""),
            report_ids=tuple(said.get("reports", ())),
            command_id=None,
            attempts=tuple(attempts),
        )


def status_outcome(done: Collection[int], refused: Collection[int]) -> OutcomeOf:
    """An outcome by the status alone."""
    return lambda status, _: OK if status in done else FAIL if status in refused else INFO

"""Commands: written down first, answered by their fact, harmless twice."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from connectors.contract import Accepted, Document, Held, Refused, Settled
from ops.commands import CommandDesk, Outcomes
from schemas.errors import Code
from schemas.incident import Change, CommandRefused, Fact, IncidentState, StateChanged
from schemas.topics import FACTS, INCIDENTS_NOW
from schemas.wire import record
from tests.ops.test_console_board import summary
from tests.schemas.samples import AT

BODY: Mapping[str, Any] = {"verb": "accept", "unit": "kmp-kalisz", "idempotency_key": "k"}
ACCEPTED = StateChanged(verb="accept", before=IncidentState.OPEN, after=IncidentState.ACCEPTED, actor="a")


def fact(command_id: str, change: Change, factor: int = 1) -> tuple[tuple[tuple[str, bytes], ...], bytes]:
    """Headers and value of the fact that a command became."""
    told = Fact(
        actor="a",
        fact_id=f"f-{factor}",
        caused_by=command_id,
        unit="kmp-kalisz",
        at=AT,
        incident_id="i-1",
        change=change,
        summary=summary(),
    )
    extensions = {"causeid": command_id, "incidentid": "i-1", "unit": "kmp-kalisz"}
    value, headers = record(told, id=told.fact_id, source="/t", extensions=extensions)
    return headers, value


class Journal:
    """Takes documents and tells when one was written down."""

    def __init__(self, settled: Settled | None = None) -> None:
        self.documents: list[Document] = []
        self.asked = asyncio.Event()
        self.settled = settled or Accepted("d-1", Held.BROKER)

    async def accept(self, document: Document) -> Settled:
        """As the runner does."""
        self.documents.append(document)
        self.asked.set()
        return self.settled


@pytest.fixture
def outcomes() -> Outcomes:
    """Nothing is known yet."""
    return Outcomes()


def desk(outcomes: Outcomes, journal: Journal) -> CommandDesk:
    """A desk whose ids can be read."""
    return CommandDesk(journal.accept, lambda actor, key: f"{actor}/{key}", outcomes)


async def test_the_answer_is_the_fact(outcomes: Outcomes) -> None:
    """Who asked learns what happened, with the version to expect next."""
    journal = Journal()
    asking = asyncio.create_task(desk(outcomes, journal).ask("i-1", "dyz", BODY))
    await journal.asked.wait()
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    status, said = await asking
    assert (status, said["kind"], said["fact_id"], said["version"]) == (200, "StateChanged", "f-1", 1)


async def test_the_command_is_written_down_with_its_actor(outcomes: Outcomes) -> None:
    """The body cannot pretend to be somebody else."""
    journal = Journal(Accepted("d-1", Held.BROKER, repeated=True))
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    await desk(outcomes, journal).ask("i-1", "dyz", {**BODY, "actor": "somebody-else", "incident_id": "i-9"})
    asked = orjson.loads(journal.documents[0].body)
    assert (asked["actor"], asked["incident_id"]) == ("dyz", "i-1")


async def test_a_refusal_has_its_code(outcomes: Outcomes) -> None:
    """The log said no: 409 and why."""
    journal = Journal()
    asking = asyncio.create_task(desk(outcomes, journal).ask("i-1", "dyz", BODY))
    await journal.asked.wait()
    refused = CommandRefused(command_id="dyz/k", verb="accept", code=Code.VERSION_CONFLICT)
    outcomes.take(FACTS, *fact("dyz/k", refused))
    status, said = await asking
    assert (status, said["code"]) == (409, "version-conflict")


async def test_without_a_fact_there_is_an_address(outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The yes of the journal is enough; what it becomes can be asked later."""
    monkeypatch.setattr("ops.commands.WAIT_SECONDS", 0.01)
    asked = desk(outcomes, Journal())
    status, said = await asked.ask("i-1", "dyz", BODY)
    assert (status, said["status"]) == (202, "/v1/commands/dyz/k")
    assert (await asked.later("dyz/k"))[0] == 202
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    assert (await asked.later("dyz/k"))[0] == 200


async def test_asked_twice_it_is_one_command(outcomes: Outcomes) -> None:
    """Same key, same document, same answer, whatever facts come later."""
    journal = Journal(Accepted("d-1", Held.BROKER, repeated=True))
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED, 2))
    answers = [await desk(outcomes, journal).ask("i-1", "dyz", BODY) for _ in range(2)]
    assert answers[0][1]["fact_id"] == "f-1"
    assert answers[0] == answers[1]
    assert journal.documents[0] == journal.documents[1]


async def test_the_unit_of_a_known_incident_need_not_be_named(outcomes: Outcomes) -> None:
    """The command line asks with the incident's id alone; an unknown one is refused at once."""
    journal = Journal(Refused(Code.JOURNAL_FULL, "full"))
    body = {"verb": "accept", "idempotency_key": "k"}
    assert (await desk(outcomes, journal).ask("i-1", "dyz", body))[0] == 404
    headers = fact("x", ACCEPTED)[0]
    outcomes.take(INCIDENTS_NOW, headers, b"{}")
    assert (await desk(outcomes, journal).ask("i-1", "dyz", body))[0] == 503
    assert orjson.loads(journal.documents[0].body)["unit"] == "kmp-kalisz"


async def test_a_command_of_another_node_is_unknown_here(outcomes: Outcomes) -> None:
    """Never "not received": only that this node does not know."""
    status, said = await desk(outcomes, Journal()).later("other")
    assert (status, said["code"]) == (404, "unknown-here")


async def test_the_same_key_for_another_command_is_refused_at_once(outcomes: Outcomes) -> None:
    """Accept, then end with the same key: 409, nothing is written down, and the first one's outcome stands."""
    journal = Journal(Accepted("d-1", Held.BROKER, repeated=True))
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    asked = desk(outcomes, journal)
    assert (await asked.ask("i-1", "dyz", BODY))[0] == 200
    status, said = await asked.ask("i-1", "dyz", {**BODY, "verb": "end"})
    assert (status, said["code"]) == (409, "key-reused")
    assert len(journal.documents) == 1
    assert (await asked.later("dyz/k"))[0] == 200


async def test_the_log_refuses_a_used_key_that_this_node_does_not_remember(outcomes: Outcomes) -> None:
    """A fact of an earlier command under the key is no answer to another one; the first one's outcome stands."""
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    journal = Journal()
    asked = desk(outcomes, journal)
    asking = asyncio.create_task(asked.ask("i-1", "dyz", {**BODY, "verb": "end"}))
    await journal.asked.wait()
    refused = CommandRefused(command_id="dyz/k", verb="end", code=Code.KEY_REUSED)
    outcomes.take(FACTS, *fact("dyz/k", refused, 2))
    status, said = await asking
    assert (status, said["code"]) == (409, "key-reused")
    status, said = await asked.later("dyz/k")
    assert (status, said["fact_id"]) == (200, "f-1")


async def test_a_node_that_started_again_knows_what_its_commands_became(outcomes: Outcomes) -> None:
    """The address that 202 gave stays good: facts of persons are kept, asked for here or not; of reports none is."""
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    headers, value = fact("r-1", ACCEPTED)
    outcomes.take(FACTS, (*headers, ("ce_reportid", b"r-1")), value)
    asked = desk(outcomes, Journal())
    assert (await asked.later("dyz/k"))[0] == 200
    assert (await asked.later("r-1"))[0] == 404


async def test_the_answer_comes_in_time_however_long_the_journal_took(
    outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What passed until the journal's yes is part of the two seconds."""
    monkeypatch.setattr("ops.commands.WAIT_SECONDS", 0.05)
    waits: list[float] = []

    async def of(_: Outcomes, __: str, seconds: float, **___: bool) -> None:
        waits.append(seconds)

    async def slow(document: Document) -> Settled:
        await asyncio.sleep(0.06)
        return Accepted("d-1", Held.JOURNAL)

    monkeypatch.setattr(Outcomes, "of", of)
    assert (await CommandDesk(slow, lambda *_: "c", outcomes).ask("i-1", "dyz", BODY))[0] == 202
    assert waits[0] <= 0


async def test_a_refused_command_leaves_nothing_behind(outcomes: Outcomes) -> None:
    """What was not written down is unknown afterwards; what was known of its id before stands."""
    asked = desk(outcomes, Journal(Refused(Code.JOURNAL_FULL, "full")))
    assert (await asked.ask("i-1", "dyz", BODY))[0] == 503
    assert (await asked.later("dyz/k"))[0] == 404
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    assert (await asked.ask("i-1", "dyz", BODY))[0] == 503
    assert (await asked.later("dyz/k"))[0] == 200

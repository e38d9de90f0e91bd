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
    journal = Journal()
    outcomes.expect("dyz/k")
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    await desk(outcomes, journal).ask("i-1", "dyz", {**BODY, "actor": "somebody-else", "incident_id": "i-9"})
    asked = orjson.loads(journal.documents[0].body)
    assert (asked["actor"], asked["incident_id"]) == ("dyz", "i-1")


async def test_a_refusal_has_its_code(outcomes: Outcomes) -> None:
    """The log said no: 409 and why."""
    outcomes.expect("dyz/k")
    refused = CommandRefused(command_id="dyz/k", verb="accept", code=Code.VERSION_CONFLICT)
    outcomes.take(FACTS, *fact("dyz/k", refused))
    status, said = await desk(outcomes, Journal()).ask("i-1", "dyz", BODY)
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
    journal = Journal()
    outcomes.expect("dyz/k")
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED))
    outcomes.take(FACTS, *fact("dyz/k", ACCEPTED, 2))
    answers = [await desk(outcomes, journal).ask("i-1", "dyz", BODY) for _ in range(2)]
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

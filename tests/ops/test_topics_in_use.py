"""Who writes and who reads a topic is in truth whom the catalogue names."""

from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors import file
from connectors.registry import CONNECTORS
from ops import kafka, ledger_sources, quarantine, reconciling, runtime, trace
from ops.aside.reentry import STEPS
from ops.bookkeeping import following, telling
from ops.commands import FOLLOWED
from ops.console.follow import RECENT, WHOLE
from ops.delivering import messages
from ops.delivering.recipient import Receipts
from ops.reading import Cluster
from ops.reference import processors, references
from ops.replay import COPIED
from ops.settings import Settings
from schemas.delivery import Outcome
from schemas.errors import Code, Rejected
from schemas.ledger import ActOutcome, ActStage, ReconcilerActed
from schemas.topics import (
    ACTS,
    ALARMS_NOW,
    AUDIT,
    DECISIONS,
    FEEDS,
    FIGURES,
    INTAKE,
    LANES,
    PROCESSORS,
    QUARANTINE,
    TALLY,
    catalogue,
    changelog,
    outbox,
)
from streams.contract import Processor
from tests.contract.sink_suite import delivery

REFERENCES = references(Settings(connectors={}))
RECIPIENTS = sorted(REFERENCES.route.routing.recipients)
TOPICS = catalogue(RECIPIENTS)
FOUND = processors(REFERENCES)
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CLUSTER = Cluster("nowhere:9092")


def written_by(who: str) -> set[str]:
    """The topics that name it as a writer."""
    return {topic.name for topic in TOPICS.values() if who in topic.writers}


def read_by(who: str) -> set[str]:
    """The topics that name it as a reader."""
    return {topic.name for topic in TOPICS.values() if who in topic.readers}


def instances(name: str) -> list[Processor]:
    """The processors of one name: one for each of its inputs."""
    return [one for one in FOUND if one.name == name]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every topic that somebody asks to be read from here on; all of them are empty."""
    topics: set[str] = set()

    async def nothing() -> AsyncIterator[tuple[str, list[Any]]]:
        for topic in tuple[str]():
            yield topic, []

    def reading(_cluster: Cluster, wanted: Collection[str], _since_ms: int | None = None) -> Any:
        topics.update(wanted)
        return SimpleNamespace(on=nothing, emptied=False)

    for module in ("ledger_sources", "trace", "aside.topic", "delivering.recipient"):
        monkeypatch.setattr(f"ops.{module}.Reading", reading)
    return topics


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An installation with these recipients, whose cluster is nowhere and whose node has no journal."""
    monkeypatch.setattr(kafka, "cluster", lambda _settings: CLUSTER)
    monkeypatch.setattr(runtime, "journal_file", lambda _settings: Path("none"))
    monkeypatch.setattr(runtime, "journals", lambda _node, _file: {})
    return SimpleNamespace(node="n", recipients=[SimpleNamespace(name=one) for one in RECIPIENTS])


@pytest.mark.parametrize("name", sorted({name for name, _ in PROCESSORS}))
def test_a_processor_writes_its_outputs_and_reads_its_input(name: str) -> None:
    """And quarantine, and its own states; nothing else."""
    states = {changelog(name, one.input) for one in instances(name)}
    outputs = {topic for one in instances(name) for topic in one.outputs}
    assert written_by(name) == outputs | {QUARANTINE} | states
    assert read_by(name) == {one.input for one in instances(name)} | states


def test_the_ticker_writes_where_time_must_pass() -> None:
    """Into the inputs of the processors that have deadlines."""
    assert written_by("ticker") == {one.input for one in FOUND if one.tick is not None}


def test_the_tally_reads_what_it_counts_and_its_own_figures() -> None:
    """A rebuild takes its figures back, so it reads them."""
    states = {changelog(*one) for one in TALLY}
    assert read_by("tally") == {source for _, source in TALLY} | {FIGURES} | states
    assert written_by("tally") == {FIGURES} | states


def test_the_roles_are_named_by_what_they_follow() -> None:
    """The lists that intake and console read by; the intake's quarantine puts back what it takes from a topic."""
    back = {topic for some in STEPS.values() for topic in some}
    assert read_by("intake") == {*FOLLOWED, *back, QUARANTINE, DECISIONS}
    assert written_by("intake") >= {*back, QUARANTINE, AUDIT, ALARMS_NOW}
    assert read_by("console") == {*WHOLE, *RECENT}


def test_sources_write_into_the_lanes_of_intake() -> None:
    """A node by its connectors, a feed by the file's."""
    lanes = {f"intake.{one.lane}" for one in CONNECTORS.values() if one.source or one.push}
    assert lanes <= set(INTAKE) <= written_by("intake")
    assert written_by("feed") & set(INTAKE) == {f"intake.{file.CONNECTOR.lane}"}
    assert written_by("intake") >= written_by("feed") - {"territory.log"}


def test_deliver_writes_what_ends_a_delivery(asked: set[str]) -> None:
    """Receipt, audit, quarantine and alarm; it reads its own receipts again, and its outboxes."""
    one, place = delivery(1), ("urgent", 0, 1)
    outputs = [
        messages.receipted(one, Outcome.DELIVERED, place, NOW, 1),
        messages.audited(one, NOW),
        messages.set_aside("a", place, None, Rejected(Code.RECORD_INVALID, "no"), NOW, None),
        messages.alarm(messages.STUCK, "a", NOW, "no", active=True),
    ]
    assert written_by("deliver") == {one.topic for one in outputs}
    assert ALARMS_NOW in written_by("deliver")
    memory: Any = None
    Receipts(CLUSTER, memory)
    assert read_by("deliver") == asked
    for who in RECIPIENTS:
        assert read_by(f"deliver:{who}") == {outbox(who, lane) for lane in LANES}


async def test_the_ledger_reads_what_it_compares(
    asked: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the stages' inputs it only asks how far they were read."""

    async def at_rest(*_: Any) -> bool:
        return False

    monkeypatch.setattr(ledger_sources, "_lagging", at_rest)
    await ledger_sources.read(ledger_sources.Where(CLUSTER, "n", tmp_path / "journal.db", {}))
    assert read_by("ledger") == asked | {ACTS} == {*following.TOPICS, FEEDS}


def test_the_ledger_writes_what_it_says_and_what_it_did() -> None:
    """Alarms, the account for the page, the acts of the reconciler."""
    act = ReconcilerActed(
        act_id="a",
        stage=ActStage.DELIVER,
        subject_id="d",
        why="without_receipt",
        attempt=1,
        outcome=ActOutcome.ASKED,
        acted_at=NOW,
        missed_since=NOW,
    )
    outputs = [telling.output(telling.told(None, NOW, 0, ())), reconciling.output(act)]
    assert written_by("ledger") == {*(one.topic for one in outputs), ALARMS_NOW}


async def test_a_trace_reads_the_whole_way(asked: set[str], settings: Any) -> None:
    """From intake to the receipts, the outboxes included."""
    assert await trace.traced(settings, "nobody") is None
    assert read_by("trace") == asked


async def test_the_list_of_what_was_set_aside_reads_quarantine(asked: set[str], settings: Any) -> None:
    """And nothing else."""
    assert (await quarantine.shelf(settings)).items == {}
    assert read_by("quarantine") == asked


def test_a_replay_reads_what_it_copies_and_sends_again() -> None:
    """The flow and the outboxes; into an installation's own topics it writes deliveries alone, and who did it."""
    outboxes = {outbox(who, lane) for who in RECIPIENTS for lane in LANES}
    assert read_by("replay") == {*COPIED, *outboxes}
    assert written_by("replay") == {*outboxes, AUDIT}

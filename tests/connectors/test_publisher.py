"""The publisher: order per thread, nothing lost by outages, crashes and condemned producers, memory bounded."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from connectors import publisher as publishing
from connectors.contract import Accepted, Held
from connectors.cpr.lab import CprLab
from connectors.journal_rows import RowState
from connectors.window import Window
from schemas.report import Report
from tests.connectors.broker_double import FakeBroker
from tests.connectors.intake_stage import LANE, Node, node
from tests.waiting import until


@pytest.fixture
def broker() -> FakeBroker:
    """A broker that works."""
    return FakeBroker()


@pytest.fixture
async def cpr(tmp_path: Path, broker: FakeBroker) -> AsyncIterator[Node]:
    """A node with one call centre."""
    async with node(tmp_path, broker) as one:
        yield one


async def test_held_by_the_journal_while_the_broker_is_away(tmp_path: Path, broker: FakeBroker) -> None:
    """Without a broker all documents are accepted and held by the journal; later all arrive, in order per thread."""
    broker.reachable = False
    lab = CprLab()
    lab.form()
    async with node(tmp_path, broker) as one:
        posts = [one.post(lab.form()) for _ in range(30)] + [one.post(lab.update("PL-LAB-00001")) for _ in range(20)]
        settled = await asyncio.gather(*posts)
        assert {answer.held for answer in settled if isinstance(answer, Accepted)} == {Held.JOURNAL}
        assert len(settled) == 50
        broker.reachable = True
        await until(lambda: len(broker.of(LANE)) == 50)
        told = [kept.message() for kept in broker.of(LANE)]
        orders = [one.revision_order for one in told if isinstance(one, Report) and one.far_id == "PL-LAB-00001"]
        assert orders == list(range(2, 22))


async def test_taken_up_after_a_crash(tmp_path: Path, broker: FakeBroker) -> None:
    """What a node could not publish before it went is published by its next life, with the ids that were answered."""
    away = FakeBroker(reachable=False)
    lab = CprLab()
    async with node(tmp_path, away) as one:
        settled = await asyncio.gather(*(one.post(lab.form()) for _ in range(5)), one.post(b"broken"))
    answered = {report for answer in settled if isinstance(answer, Accepted) for report in answer.report_ids}
    async with node(tmp_path, broker) as one:
        await until(lambda: len(broker.of(LANE)) == 5 and broker.of("t.quarantine"))
        assert {kept.header("reportid") for kept in broker.of(LANE)} == answered
        await until(lambda: _all_settled(one))
    async with node(tmp_path, broker) as one:
        await until(lambda: one.runner.publisher.backlog == 0)
        assert len(broker.of(LANE)) == 5, "what was marked is not sent again"


async def _all_settled(one: Node) -> bool:
    states = {row.state for row in await one.journal.ids(0, 100)}
    return states == {RowState.PUBLISHED, RowState.QUARANTINED}


@pytest.mark.parametrize(
    "error", [KafkaError, OutOfOrderSequenceNumber, UnknownProducerId, ProducerFenced, InvalidProducerEpoch]
)
async def test_a_failed_producer_is_replaced(cpr: Node, error: type[KafkaError]) -> None:
    """After an error whose outcome is unknown, or that is final for the producer (aiokafka 1017), a new one sends the
    row again, and later rows of its thread wait.
    """
    lab = CprLab()
    await cpr.post(lab.form())
    cpr.broker.errors = [error()]
    await asyncio.gather(*(cpr.post(lab.update("PL-LAB-00001")) for _ in range(5)))
    await until(lambda: len(cpr.broker.of(LANE)) >= 6)
    told = [kept.message() for kept in cpr.broker.of(LANE)]
    assert [one.revision_order for one in told if isinstance(one, Report)] == [1, 2, 3, 4, 5, 6]
    assert cpr.broker.producers == 2
    assert cpr.broker.open_producers == 1


async def test_a_stuck_producer_is_replaced(
    tmp_path: Path, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer that answers nothing for too long is thrown away, whatever it says of itself."""
    monkeypatch.setattr(publishing, "_STUCK_SECONDS", 0.05)
    monkeypatch.setattr(publishing, "_LOOK_SECONDS", 0.02)
    async with node(tmp_path, broker) as one:
        await one.post(CprLab().form())
        broker.frozen = True
        waiting = asyncio.create_task(one.post(CprLab().form(cpr_id="other")))
        await until(lambda: broker._waiting)
        broker.frozen = False
        settled = await waiting
        assert isinstance(settled, Accepted)
        assert settled.held is Held.BROKER
        assert broker.producers >= 2


async def test_a_record_too_large_goes_to_quarantine_in_its_place(cpr: Node) -> None:
    """What no topic takes is set aside with its reason, and the thread goes on."""
    lab = CprLab()
    cpr.broker.errors = [MessageSizeTooLargeError()]
    await cpr.post(lab.form(caller=None))
    await cpr.post(lab.update("PL-LAB-00001"))
    (kept,) = cpr.broker.of("t.quarantine")
    assert kept.header("kind") == "output-too-large"
    assert len(cpr.broker.of(LANE)) == 1
    assert cpr.broker.producers == 1


async def test_memory_is_bounded_while_the_broker_is_frozen(tmp_path: Path, broker: FakeBroker) -> None:
    """However much waits, only the window is in memory; all of it arrives once the broker answers, in row order."""
    broker.frozen = True
    lab = CprLab()
    async with node(tmp_path, broker) as one:
        one.runner.publisher._window = Window(10, 1 << 20)
        posts = asyncio.gather(*(one.post(lab.form(caller=None)) for _ in range(200)))
        await until(lambda: one.journal.last_row == 200)
        assert len(one.runner.publisher._window) <= 10
        assert one.runner.publisher.backlog == 200
        broker.thaw()
        await until(lambda: len(broker.of(LANE)) == 200)
        await posts
        assert [kept.message().document.row for kept in broker.of(LANE)] == list(range(1, 201))  # type: ignore[attr-defined]
        await until(lambda: one.runner.publisher.backlog == 0)


async def test_a_caller_that_goes_away_changes_nothing(cpr: Node) -> None:
    """A caller cancelled while it waits leaves its document in the journal, and it is published all the same."""
    cpr.broker.frozen = True
    lab = CprLab()
    task = asyncio.create_task(cpr.post(lab.form()))
    await until(lambda: cpr.journal.last_row == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    other = asyncio.create_task(cpr.post(lab.form()))
    await until(lambda: cpr.journal.last_row == 2)
    cpr.broker.thaw()
    await other
    await until(lambda: len(cpr.broker.of(LANE)) == 2)


async def test_rows_of_a_source_taken_out_go_to_a_person(tmp_path: Path, broker: FakeBroker) -> None:
    """A source no longer configured leaves nothing behind unseen: its rows go to quarantine."""
    async with node(tmp_path, FakeBroker(reachable=False)) as one:
        await one.post(CprLab().form())
    async with node(tmp_path, broker, name="another"):
        await until(lambda: broker.of("t.quarantine"))
    assert broker.of("t.quarantine")[0].header("kind") == "source-unknown"


async def test_feed_status_is_said(tmp_path: Path, broker: FakeBroker) -> None:
    """A source's state is said at the start and at the end, under a key that no other node shares."""
    async with node(tmp_path, broker):
        await until(lambda: broker.of("t.feed.status"))
    states = [kept.header("kind") for kept in broker.of("t.feed.status")]
    assert {kept.key for kept in broker.of("t.feed.status")} == {b"cpr@n1"}
    assert (states[0], states[-1]) == ("up", "stopped")


async def test_a_damaged_row_is_set_aside_and_spares_its_neighbours(tmp_path: Path, broker: FakeBroker) -> None:
    """A row whose bytes rotted on the disk goes to quarantine by name; the rows around it are published."""
    lab = CprLab()
    async with node(tmp_path, FakeBroker(reachable=False)) as one:
        await asyncio.gather(*(one.post(lab.form()) for _ in range(3)))
    db = sqlite3.connect(tmp_path / "journal.db")
    db.execute("UPDATE bodies SET body = zeroblob(100) WHERE row = 2")
    db.commit()
    db.close()
    async with node(tmp_path, broker):
        await until(lambda: len(broker.of(LANE)) == 2 and broker.of("t.quarantine"))
    assert broker.of("t.quarantine")[0].header("kind") == "record-invalid"

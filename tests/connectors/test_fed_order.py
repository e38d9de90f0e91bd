"""Rows of fed history reach one partition in the order of the file, whatever keeps some of them back."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.contract import Accepted, Document, Told, Translation
from schemas.report import RECORDS, WALL, Person, Report, Telling
from tests.connectors.broker_double import FakeBroker, FakeProducer
from tests.connectors.intake_stage import LANE, node, simple
from tests.waiting import until

ROWS = 12


@dataclass
class FullBroker(FakeBroker):
    """Its producers' buffers of the lane are full: a send waits until `let_in`, which wakes whoever came last."""

    gates: list["asyncio.Future[None]"] = field(default_factory=list)

    def producer(self) -> FakeProducer:
        """What the publisher's factory gives."""
        return _FullProducer(self)

    async def let_in(self, records: int) -> None:
        """Wake the waiting, the last first, until the lane has so many records."""
        while len(self.of(LANE)) < records:
            await until(lambda: self.gates or len(self.of(LANE)) >= records)
            # What else is ready to send comes to the buffer, too, before anybody is woken.
            for _ in range(50):
                await asyncio.sleep(0)
            if self.gates:
                self.gates.pop().set_result(None)


class _FullProducer(FakeProducer):
    broker: FullBroker

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, *, headers: list[tuple[str, bytes]]
    ) -> Awaitable[object]:
        if topic == LANE:
            gate = asyncio.get_running_loop().create_future()
            self.broker.gates.append(gate)
            await gate
        return await super().send(topic, value, key, headers=headers)


def row(clock: str, document: Document) -> Translation:
    """Every third row tells of a person, whose key must be on disk before it goes."""
    number = int(document.body)
    person = Person(surname="X") if number % 3 == 0 else None
    return Translation((Told(Telling(description=str(number), clock=clock), far_id=f"R{number}", caller=person),))


def word(document: Document) -> Translation:
    """Rows of fed history, two of each matter one behind the other."""
    number = int(document.body)
    told = Telling(description=str(number), clock=RECORDS)
    return Translation((Told(told, far_id=f"R{number // 2}", far_revision=str(number)),))


async def arrived(folder: Path, clock: str) -> tuple[list[str | None], set[bytes]]:
    """What the rows told, in the order in which they came to the lane, and their keys."""
    broker = FullBroker()
    async with node(folder, broker, simple(lambda document: row(clock, document))) as one:
        posts = asyncio.gather(*(one.post(str(number).encode()) for number in range(ROWS)))
        await broker.let_in(ROWS)
        await posts
    told = [(kept.message(), kept.key) for kept in broker.of(LANE)]
    return [report.told.description for report, _ in told if isinstance(report, Report)], {key for _, key in told}


async def test_history_keeps_the_order_of_its_rows(tmp_path: Path) -> None:
    """Time passes by these rows: all have the key of their far system, and none overtakes another."""
    texts, keys = await arrived(tmp_path, RECORDS)
    assert texts == [str(number) for number in range(ROWS)]
    assert keys == {b"cpr"}


async def test_what_happens_now_waits_for_its_own_thread_alone(tmp_path: Path) -> None:
    """Reports of today: each thread has its own key, and one that is kept back keeps back no other."""
    texts, keys = await arrived(tmp_path, WALL)
    assert texts != [str(number) for number in range(ROWS)], "the buffer of this test did not reorder anything"
    assert sorted(texts, key=str) == sorted(map(str, range(ROWS)))
    assert len(keys) == ROWS


async def test_a_second_word_of_a_matter_keeps_its_place(tmp_path: Path) -> None:
    """It does not wait until the broker has answered to the first, for then the rows behind it would come before it."""
    broker = FakeBroker(frozen=True)
    async with node(tmp_path, broker, simple(word)) as one:
        posts = asyncio.gather(*(one.post(str(number).encode()) for number in range(ROWS)))
        await until(lambda: len(broker.waiting) >= ROWS)
        broker.thaw()
        await posts
    told = [kept.message() for kept in broker.of(LANE)]
    assert [one.told.description for one in told if isinstance(one, Report)] == [str(n) for n in range(ROWS)]


@pytest.mark.parametrize("clock", [WALL, RECORDS])
async def test_a_row_again_has_the_same_key(tmp_path: Path, clock: str) -> None:
    """Published again after a crash, from the journal, a row comes to the partition that it had."""
    sets = []
    for broker in (FakeBroker(), FakeBroker()):
        async with node(tmp_path, broker, simple(lambda document: row(clock, document))) as one:
            answers = [await one.post(str(number).encode()) for number in range(3)]
            for answer in answers:
                assert isinstance(answer, Accepted)
                await one.runner.publish_again(answer.document_id)
            await until(lambda broker=broker: len({kept.header("reportid") for kept in broker.of(LANE)}) == 3)  # type: ignore[misc]
        sets.append({kept.key for kept in broker.of(LANE)})
    assert sets[0] == sets[1]

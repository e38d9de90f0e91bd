"""Pulled sources: the contract suite on a far side in memory, and what the runner owes to a caller that waits."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors import pulling
from connectors.contract import (
    Accepted,
    Batch,
    Connector,
    Document,
    Held,
    Refused,
    Settled,
    SourceSettings,
    Told,
    Translation,
)
from connectors.cpr.settings import CprSettings
from connectors.desk.settings import DeskSettings
from connectors.journal_store import Limits
from connectors.sia_dc09.settings import SiaSettings
from schemas.errors import Code, Denied, Rejected, Unavailable
from schemas.report import Report, Telling
from tests.connectors.broker_double import FakeBroker
from tests.contract.source_stage import staged
from tests.contract.source_suite import SourceContract
from tests.waiting import until


@dataclass
class QueueLab:
    """A far side that keeps a numbered list and tells it from a cursor on."""

    items: list[bytes] = field(default_factory=list)
    up: bool = True
    denies: bool = False
    at_once: int = 100
    settled: list[Settled] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""

    def settings(self, name: str, **changes: Any) -> SourceSettings:
        """Settings; the lab is found by the connector's factory."""
        _LABS[name] = self
        return SourceSettings(name=name, **changes)

    def change(self) -> None:
        """Wake whoever reads."""
        self.news.set()
        self.news = asyncio.Event()

    async def tell(self, number: int) -> None:
        """One more item."""
        self.items.append(orjson.dumps({"id": f"matter-{number % 2}", "revision": number, "text": "secret words"}))
        self.change()

    async def revise(self, number: int) -> None:
        """One more revision of the first matter."""
        await self.tell(2 * number)

    async def garble(self) -> None:
        """One that is no JSON."""
        self.items.append(b"secret words {")
        self.change()

    async def go_down(self) -> None:
        """Reads fail."""
        self.up = False
        self.change()

    async def come_back(self) -> None:
        """Reads work."""
        self.up = True

    async def deny(self) -> None:
        """Reads are denied."""
        self.denies = True
        self.change()


_LABS: dict[str, QueueLab] = {}


class QueueSource:
    """Reads a QueueLab."""

    def __init__(self, settings: SourceSettings) -> None:
        self._lab = _LABS[settings.name]

    async def connect(self) -> None:
        """As the lab is."""
        self._check()

    async def read(self, cursor: str | None) -> Batch:
        """What stands behind the cursor."""
        at = int(cursor or 0)
        while True:
            self._check()
            if len(self._lab.items) > at:
                break
            await self._lab.news.wait()
        found = self._lab.items[at : at + self._lab.at_once]
        return Batch(
            tuple(Document(body, cursor=str(at + number + 1)) for number, body in enumerate(found)),
            settle=self._settle,
        )

    async def close(self) -> None:
        """Nothing to give back."""

    def _check(self) -> None:
        if self._lab.denies:
            raise Denied(Code.UNAUTHENTICATED, "no")
        if not self._lab.up:
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, "away")

    async def _settle(self, _: Document, settled: Settled) -> None:
        self._lab.settled.append(settled)


def _translate(document: Document) -> Translation:
    try:
        told = orjson.loads(document.body)
    except orjson.JSONDecodeError:
        raise Rejected(Code.SYNTAX_INVALID, "not JSON") from None
    if not isinstance(told, dict) or not isinstance(told.get("revision"), int) or told["revision"] < 0:
        raise Rejected(Code.FIELD_INVALID, "not an item")
    return Translation(
        (
            Told(
                Telling(),
                far_id=str(told.get("id")),
                far_revision=str(told["revision"]),
                revision_order=told["revision"],
            ),
        )
    )


QUEUE = Connector(
    "queue",
    "A list in memory",
    SourceSettings,
    "civil",
    lambda _: _translate,
    source=QueueSource,
    lab=QueueLab,
    emits=(Report,),
)


class TestQueue(SourceContract):
    """The suite itself, on a source that is as simple as can be."""

    connector = QUEUE


async def test_settled_in_order(tmp_path: Path) -> None:
    """A caller that waits is answered for each document, in order, with what became of it."""
    lab = QueueLab()
    for number in range(20):
        await lab.tell(number) if number % 5 else await lab.garble()
    lab.items[0] += b" "
    lab.items[5] += b"  "
    lab.items[10] += b"   "
    async with staged(QUEUE, tmp_path, lab) as stage:
        await until(lambda: len(lab.settled) == 20)
        rows = [await stage.journal.document(one.document_id or "") for one in lab.settled]
    assert [row.stored.row for row in rows if row] == list(range(1, 21))
    assert [isinstance(one, Refused) for one in lab.settled] == [number % 5 == 0 for number in range(20)]


async def test_a_caller_that_waits_is_answered_while_the_broker_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much waits for the broker, what comes is journaled and answered, also of a source of no emergency."""
    monkeypatch.setattr(pulling, "CALM_ROWS", 3)
    monkeypatch.setattr(pulling, "ANSWER_SECONDS", 0.01)
    lab = QueueLab(at_once=4)
    async with staged(QUEUE, tmp_path, lab, FakeBroker(reachable=False)) as stage:
        assert not stage.feed.settings.emergency
        for number in range(20):
            await lab.tell(number)
        await until(lambda: len(lab.settled) == 20)
        assert stage.runner.publisher.backlog == 20
    assert {one.held for one in lab.settled if isinstance(one, Accepted)} == {Held.JOURNAL}


async def test_a_source_that_nobody_waits_behind_is_read_on_when_the_broker_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file or a feed can wait where it is: only so much of it is taken while the broker is away, then all of it."""
    monkeypatch.setattr(pulling, "CALM_ROWS", 3)
    lab, broker = QueueLab(at_once=4), FakeBroker(reachable=False)

    class Silent(QueueSource):
        async def read(self, cursor: str | None) -> Batch:
            return replace(await super().read(cursor), settle=None)

    for number in range(20):
        await lab.tell(number)
    async with staged(replace(QUEUE, source=Silent), tmp_path, lab, broker) as stage:
        await until(lambda: stage.journal.last_row == 4)
        broker.reachable = True
        await until(lambda: len(set(stage.ids())) == 20)


@pytest.mark.parametrize("settings", [SiaSettings, DeskSettings, CprSettings])
def test_whoever_calls_for_help_meets_no_back_pressure(settings: type[SourceSettings]) -> None:
    """Panels, the officer and the call centre: none is told to come later before another."""
    assert settings(name="x").emergency


async def test_no_room_stops_before_the_document(tmp_path: Path) -> None:
    """Without room the far side hears no, the cursor stays before the document, and nothing behind it is taken."""
    lab = QueueLab(at_once=4)
    lab.items = [orjson.dumps({"id": "m", "revision": n, "text": "x" * 100_000}) for n in range(20)]
    async with staged(QUEUE, tmp_path, lab, FakeBroker(), limits=Limits(max_bytes=1 << 20)) as stage:
        await until(lambda: stage.feed.code is Code.JOURNAL_FULL)
        taken = stage.journal.last_row
        await until(lambda: stage.feed.attempts > 3)
        assert stage.journal.last_row == taken
        assert await stage.journal.cursor("lab") == str(taken)
    kept = [one for one in lab.settled if isinstance(one, Accepted)]
    assert len(kept) == taken
    assert {one.code for one in lab.settled if isinstance(one, Refused)} == {Code.JOURNAL_FULL}


async def test_a_source_bug_is_an_outage(tmp_path: Path) -> None:
    """An exception that no source may raise is said once, and the source is tried again."""
    lab = QueueLab()

    class Broken(QueueSource):
        async def read(self, cursor: str | None) -> Batch:
            if stage_box[0].feed.attempts < 4:
                raise ZeroDivisionError("secret words")
            return await super().read(cursor)

    stage_box: list[Any] = []
    connector = Connector("b", "b", SourceSettings, "civil", lambda _: _translate, source=Broken, emits=(Report,))
    async with staged(connector, tmp_path, lab) as stage:
        stage_box.append(stage)
        await lab.tell(1)
        await until(stage.events)
        assert stage.feed.attempts >= 4

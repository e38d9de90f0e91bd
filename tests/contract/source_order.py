"""The part of the contract of a source that is about order and loss, and the stage on which all of it is played."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors import pulling
from connectors.contract import Connector
from connectors.journal import Answers
from connectors.journal_rows import Entry
from schemas.errors import Code, Unavailable
from tests.connectors.broker_double import FakeBroker
from tests.contract.source_stage import PREFIX, Stage, is_pull, staged
from tests.waiting import until

COUNT = 5
RULES = (
    "arrive",
    "order",
    "payloads",
    "stable-ids",
    "repeat",
    "resume",
    "outage",
    "credentials",
    "neighbours",
    "cancel",
    "logs",
    "metrics",
    "total",
)
"""What `exempt` may name."""


class OrderContract:
    """What every source promises of order, and of what was read and not kept."""

    connector: ClassVar[Connector]

    @pytest.fixture
    async def lab(self) -> AsyncIterator[Any]:
        """The far side, started where it can be."""
        if self.connector.lab is None:
            pytest.fail("a source has a lab")
        lab = self.connector.lab()
        if hasattr(lab, "start"):
            await lab.start()
        yield lab
        if hasattr(lab, "stop"):
            await lab.stop()

    @pytest.fixture
    async def stage(self, lab: Any, tmp_path: Path) -> AsyncIterator[Stage]:
        """A running node with the source."""
        async with staged(self.connector, tmp_path, lab) as one:
            yield one

    def rule(self, name: str, *, pull: bool | None = None) -> None:
        """Skip what the connector is exempt from, or what is no question for its kind."""
        if name in self.connector.exempt:
            pytest.skip(f"exempt: {self.connector.exempt[name]}")
        if pull is not None and pull is not is_pull(self.connector):
            pytest.skip("not asked of this kind of source")

    async def test_order_per_key(self, lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """News of one matter reach their topic in the order in which they came, also when the first is long on its way.

        The broker keeps the first record back until everything behind it could have overtaken it.
        """
        self.rule("order")
        monkeypatch.setattr(pulling, "ANSWER_SECONDS", 0.01)
        broker = FakeBroker(late=f"{PREFIX}intake.")
        async with staged(self.connector, tmp_path, lab, broker) as stage:
            telling = asyncio.create_task(self.revise(stage))
            await until(lambda: stage.journal.last_row >= COUNT and stage.runner.publisher._progress.taken >= COUNT)
            # Whatever is sent without waiting for its turn has gone when the journal has answered: a send waits for it
            # at most once.
            for _ in range(3):
                await stage.journal.note(("probe", ""))
            broker.thaw()
            await telling
            await until(lambda: sum(map(len, stage.rows_by_thread().values())) >= COUNT)
        rows = list(stage.rows_by_thread().values())
        assert all(one == sorted(one) for one in rows)
        assert max(map(len, rows)) > 1, "the lab tells of matters that have one document each: nothing was shown"

    async def revise(self, stage: Stage) -> None:
        """The far side tells something new of one matter, again and again; each is journaled before the next."""
        if not is_pull(self.connector):
            posts = [asyncio.create_task(stage.post(body)) for body in stage.lab.revisions(COUNT)]
            await asyncio.gather(*posts)
            return
        number = 0
        while (before := stage.journal.last_row) < COUNT:
            await stage.lab.revise(number)
            await until(lambda before=before: stage.journal.last_row > before)  # type: ignore[misc]
            number += 1

    @pytest.mark.parametrize("kept", [False, True], ids=["before", "after"])
    async def test_what_was_read_is_repeated_never_skipped(self, lab: Any, tmp_path: Path, *, kept: bool) -> None:
        """The journal fails just before or just after it holds what was read: it arrives all the same, and once."""
        self.rule("repeat", pull=True)
        async with staged(self.connector, tmp_path, lab) as stage:
            await until(lambda: stage.feed.attempts)
            broken = _failing_once(stage, kept=kept)
            for number in range(COUNT):
                await lab.tell(number)
            await until(lambda: broken.is_set() and self.arrived(stage), what="all that was told")
            assert stage.feed.attempts > 1
            assert len(stage.ids()) == len(set(stage.ids()))

    def arrived(self, stage: Stage) -> bool:
        """Whether what the lab told COUNT times is there: as so many reports, or in one snapshot."""
        messages = [one.message() for one in stage.events()]
        return len(messages) >= COUNT or any(len(getattr(one, "items", ())) >= COUNT for one in messages)


def _failing_once(stage: Stage, *, kept: bool) -> asyncio.Event:
    """Let the journal fail at the next documents that it is given; `kept`: after it has made them durable."""
    happened, journal, append = asyncio.Event(), stage.journal, stage.journal.append_all

    async def failing(entries: Sequence[Entry]) -> Answers:
        journal.append_all = append  # type: ignore[method-assign]
        if kept:
            await append(entries)
        happened.set()
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, "the journal cannot be written")

    journal.append_all = failing  # type: ignore[method-assign]
    return happened

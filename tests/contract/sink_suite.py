"""The contract of a sink, as tests: `class TestWebhook(SinkContract): connector = CONNECTOR` runs all of them.

The connector's lab is the far side: `start`, `stop`, `settings(name)`, `kept` (messages with effect by their id),
`order`, and moods as in `connectors.kits.receiver`. A connector whose `lab` is that of its source gives `sink_lab`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from connectors.contract import Connector, Sink
from connectors.kits.receiver import Mood, Receiver
from schemas.delivery import Delivery
from schemas.errors import Denied, Rejected, Unavailable
from schemas.report import Urgency
from schemas.wire import derived_id
from tests.waiting import until

MARKER = "zaznaczony-tekst-do-szukania"
"""Stands in every body; must never be seen in a log or an error."""


def delivery(number: int, subject: int = 0, **other: Any) -> Delivery:
    """A delivery of subject `subject`; its sequence is `number`."""
    return Delivery(
        delivery_id=derived_id("delivery", subject, number),
        recipient="lab",
        fact_id=derived_id("fact", subject, number),
        subject_id=derived_id("subject", subject),
        sequence=number,
        kind="IncidentOpened",
        report_ids=(derived_id("report", subject, number),),
        urgency=Urgency.ORDINARY,
        rule="everything",
        rules_version="0",
        profile="all",
        decided_at=datetime(2026, 11, 24, 12, 0, number % 60, tzinfo=UTC),
        body={
            "report": {
                "far_system": "cpr",
                "far_id": f"CPR-{subject}-{number}",
                "told": {"description": MARKER, "references": [{"system": "cpr_id", "id": f"CPR-{subject}-{number}"}]},
            },
            "summary": {
                "state": "open",
                "references": [{"system": "cpr_id", "id": f"CPR-{subject}-{number}"}],
            },
        },
    ).model_copy(update=other)


@dataclass
class Stage:
    """One connected sink and its far side."""

    lab: Receiver
    sink: Sink


class SinkContract:
    """What every sink promises. Subclass it with the connector."""

    connector: ClassVar[Connector]
    sink_lab: ClassVar[Callable[[], Any] | None] = None

    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        """A started lab and a connected sink."""
        make = type(self).sink_lab or self.connector.lab
        assert make is not None, "a sink has a lab"
        assert self.connector.sink is not None, "a sink has a factory"
        lab = make()
        await lab.start()
        sink = self.connector.sink(lab.settings("lab"))
        await sink.connect()
        try:
            yield Stage(lab, sink)
        finally:
            await sink.close()
            await lab.stop()

    async def test_everything_arrives_in_order_per_subject(self, stage: Stage) -> None:
        """What `write` returned for, the far side holds, each once, in the order of its subject."""
        sent = {subject: [delivery(n, subject) for n in range(5)] for subject in range(4)}

        async def subject(these: list[Delivery]) -> None:
            for one in these:
                await stage.sink.write(one)

        await asyncio.gather(*(subject(these) for these in sent.values()))
        assert len(stage.lab.kept) == 20
        assert stage.lab.order == list(dict.fromkeys(stage.lab.order))
        for these in sent.values():
            marks = [mark for mark in stage.lab.order if mark in await self.marks(stage, these)]
            assert marks == await self.marks(stage, these)

    async def marks(self, stage: Stage, these: list[Delivery]) -> list[str]:
        """The ids under which the far side keeps these deliveries, in their order."""
        return [one.delivery_id for one in these]

    async def test_the_same_again_changes_nothing(self, stage: Stage) -> None:
        """A delivery written twice has one effect."""
        await stage.sink.write(delivery(1))
        await stage.sink.write(delivery(1))
        assert len(stage.lab.kept) == 1

    async def test_a_repeat_after_a_new_connection_changes_nothing(self, stage: Stage) -> None:
        """A delivery written again by a sink that was started anew has one effect: the id does not depend on it."""
        await stage.sink.write(delivery(1))
        assert self.connector.sink is not None
        other = self.connector.sink(stage.lab.settings("lab"))  # type: ignore[attr-defined]
        await other.connect()
        await other.write(delivery(1))
        await other.close()
        assert len(stage.lab.kept) == 1

    @pytest.mark.parametrize("mood", [Mood.DOWN, Mood.BUSY, Mood.LOSE, Mood.CUT, Mood.MOVED])
    async def test_a_far_side_in_trouble_is_unavailable_and_then_not(self, stage: Stage, mood: Mood) -> None:
        """Overload, lost answers and redirects raise Unavailable; the repeat succeeds and has one effect."""
        stage.lab.next_moods([mood])
        with pytest.raises(Unavailable):
            await stage.sink.write(delivery(1))
        await stage.sink.write(delivery(1))
        assert len(stage.lab.kept) == 1
        assert stage.lab.redirected == 0

    async def test_a_far_side_that_is_not_there_is_unavailable(self, stage: Stage) -> None:
        """No listener raises Unavailable; when it listens again, the same sink delivers."""
        await stage.lab.stop()
        with pytest.raises(Unavailable):
            await stage.sink.write(delivery(1))
        await stage.lab.start()
        await stage.sink.write(delivery(1))
        assert len(stage.lab.kept) == 1

    async def test_a_refused_one_spares_its_neighbours(self, stage: Stage) -> None:
        """A message that the far side refuses raises Rejected; the next one arrives."""
        stage.lab.next_moods([Mood.REFUSE])
        with pytest.raises(Rejected):
            await stage.sink.write(delivery(1))
        await stage.sink.write(delivery(2))
        assert len(stage.lab.kept) == 1

    async def test_a_far_side_that_wants_no_more_denies(self, stage: Stage) -> None:
        """410 raises Denied, so that a person is told at once."""
        stage.lab.next_moods([Mood.GONE])
        with pytest.raises(Denied):
            await stage.sink.write(delivery(1))

    async def test_a_babbling_yes_is_a_yes(self, stage: Stage) -> None:
        """2xx with a megabyte of garbage is success, and the garbage is not read to its end."""
        stage.lab.next_moods([Mood.BABBLE])
        await stage.sink.write(delivery(1))
        assert len(stage.lab.kept) == 1

    async def test_a_write_can_be_cancelled(self, stage: Stage) -> None:
        """A write that waits for a silent far side ends at once when it is cancelled, and leaves nothing behind."""
        stage.lab.next_moods([Mood.SILENT])
        task = asyncio.create_task(stage.sink.write(delivery(1)))
        await until(lambda: stage.lab.kept, what="the far side has the message")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)

    async def test_close_is_lawful_at_any_time(self, stage: Stage) -> None:
        """`close` before connect and twice does nothing."""
        assert self.connector.sink is not None
        other = self.connector.sink(stage.lab.settings("lab"))  # type: ignore[attr-defined]
        await other.close()
        await other.connect()
        await other.close()
        await other.close()

    async def test_nothing_of_the_message_is_told(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        """No log line and no error holds text of a body or a key."""
        caplog.set_level(logging.DEBUG)
        told: list[str] = []
        for mood in (Mood.DOWN, Mood.REFUSE, Mood.GONE, Mood.CUT):
            stage.lab.next_moods([mood])
            with pytest.raises((Unavailable, Rejected, Denied)) as caught:
                await stage.sink.write(delivery(1))
            told.append(repr(caught.value))
        text = caplog.text + "".join(told) + repr(stage.lab.settings("lab"))  # type: ignore[attr-defined]
        assert MARKER not in text
        assert not any(key in text for key in getattr(stage.lab, "keys", ()))

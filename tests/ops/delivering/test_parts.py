"""The pure parts of delivering: head run, pauses, memory, outage."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.delivering.headrun import HeadRun
from ops.delivering.memory import HORIZON_MS, Memory
from ops.delivering.messages import field_names, receipted
from ops.delivering.outage import Outage
from ops.delivering.retry import JITTER, PAUSES_SECONDS, pause_seconds
from schemas.delivery import Outcome
from schemas.errors import Code, Unavailable
from schemas.feed import Alarm
from schemas.wire import payload
from tests.contract.sink_suite import delivery

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
AWAY = Unavailable(Code.FAR_SIDE_UNAVAILABLE, "away")


@given(offsets=st.lists(st.integers(0, 200), unique=True, max_size=40).map(sorted), seed=st.integers())
def test_the_commit_never_passes_an_unfinished_delivery(offsets: list[int], seed: int) -> None:
    """Finished in any order, with gaps: the position is always the first unfinished offset, or behind the last."""
    run = HeadRun(0)
    for offset in offsets:
        assert run.take(offset, 10)
    order = offsets.copy()
    random.Random(seed).shuffle(order)
    left = set(offsets)
    for offset in order:
        run.finish(offset)
        left.discard(offset)
        assert run.position <= min(left, default=201)
        assert (run.held, run.held_bytes) == (len(left), 10 * len(left))
    assert run.position == (offsets[-1] + 1 if offsets else 0)


def test_a_record_is_taken_once() -> None:
    """What was taken, or lies before the committed position, is passed over; finishing twice counts once."""
    run = HeadRun(5)
    assert not run.take(4, 1)
    assert run.take(5, 1)
    assert not run.take(5, 1)
    run.take(6, 1)
    run.finish(6)
    run.finish(6)
    assert (run.held, run.position) == (1, 5)


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_pauses_keep_the_schedule(failures: int, chance: float) -> None:
    """0, 1, 2, 5, 10, 30 s and then 30 s for ever, within the jitter; Retry-After only makes it longer."""
    planned = PAUSES_SECONDS[min(failures, 6) - 1]
    pause = pause_seconds(failures, chance)
    assert planned * (1 - JITTER) <= pause <= planned * (1 + JITTER)
    assert pause_seconds(failures, chance, 40.0) >= 40.0
    assert pause_seconds(failures, chance, 0.0) == pause


def _receipt(number: int, offset: int, outcome: Outcome = Outcome.DELIVERED, recipient: str = "lab"):
    one = delivery(number, recipient=recipient)
    return receipted(one, outcome, ("urgent", 2, offset), NOW, 1).headers


def test_memory_is_rebuilt_from_receipts_by_their_headers() -> None:
    """Only what this recipient really has counts as its last sequence; a refused or void one does not."""
    memory = Memory("lab")
    memory.learn(_receipt(3, 10), 0)
    memory.learn(_receipt(7, 11, Outcome.QUARANTINED), 0)
    memory.learn(_receipt(8, 12, Outcome.SUPERSEDED), 0)
    memory.learn(_receipt(9, 13, recipient="other"), 0)
    subject = delivery(0).subject_id
    assert memory.superseded(subject, 2)
    assert not memory.superseded(subject, 3)
    assert not memory.superseded("unheard-of", 0)


def test_memory_knows_receipted_records_behind_the_commit_once() -> None:
    """A record is passed over once, and only if its delivery is the same; those before the commit are forgotten."""
    memory = Memory("lab")
    for number in (1, 2, 3):
        memory.learn(_receipt(number, number), 0)
    memory.starts_at("urgent", 2, 2)
    assert not memory.receipted(("urgent", 2, 1), delivery(1).delivery_id)
    assert not memory.receipted(("urgent", 2, 2), delivery(1).delivery_id)
    assert memory.receipted(("urgent", 2, 3), delivery(3).delivery_id)
    assert not memory.receipted(("urgent", 2, 3), delivery(3).delivery_id)
    assert not memory.receipted(("routine", 2, 3), delivery(3).delivery_id)


async def test_a_routine_delivery_waits_for_an_urgent_one_that_may_be_there() -> None:
    """Sent before a crash, perhaps, and without a receipt: an older one waits until its end is known, then is void."""
    memory = Memory("lab")
    memory.unsure("incident", 3)
    memory.unsure("incident", 2)
    await asyncio.wait_for(memory.sure("incident", 3), 1)
    await asyncio.wait_for(memory.sure("another", 1), 1)
    waiting = asyncio.create_task(memory.sure("incident", 1))
    memory.settled("incident", 2)
    await asyncio.sleep(0)
    assert not waiting.done()
    memory.note("incident", 3, 0)
    memory.settled("incident", 3)
    await asyncio.wait_for(waiting, 1)
    assert memory.superseded("incident", 1)


def test_memory_forgets_what_no_outbox_can_still_hold() -> None:
    """Subjects without a delivery for eight days leave; a newer delivery keeps a subject."""
    memory = Memory("lab")
    memory.note("old", 1, 0)
    memory.note("kept", 1, 0)
    memory.note("kept", 2, HORIZON_MS)
    memory.forget(HORIZON_MS + 1)
    assert len(memory) == 1
    assert memory.superseded("kept", 1)


def test_an_outage_is_told_once_and_its_end_once() -> None:
    """Logged at the first failure and the last end; alarmed after a minute, louder when something urgent waits."""
    outage = Outage("lab")
    assert outage.failed("a", AWAY, NOW, urgent=False)
    assert not outage.failed("b", AWAY, NOW + timedelta(seconds=50), urgent=True)
    assert outage.alarm(NOW + timedelta(seconds=59)) is None
    first = outage.alarm(NOW + timedelta(seconds=61))
    assert first is not None
    assert outage.alarm(NOW + timedelta(seconds=62)) is None
    assert not outage.over("a")
    assert not outage.over("a")
    assert outage.over("b")
    last = outage.alarm(NOW + timedelta(seconds=70))
    assert last is not None
    told = [payload(one.headers, one.value) for one in (first, last)]
    assert [(a.active, a.alarm_class.value) for a in told if isinstance(a, Alarm)] == [
        (True, "urgent"),
        (False, "urgent"),
    ]
    assert outage.alarm(NOW + timedelta(seconds=71)) is None


def test_an_important_alarm_becomes_urgent() -> None:
    """An urgent delivery that joins the waiting ones makes the standing alarm louder."""
    outage = Outage("lab")
    outage.failed("a", AWAY, NOW, urgent=False)
    assert outage.alarm(NOW + timedelta(seconds=61)) is not None
    outage.failed("b", AWAY, NOW + timedelta(seconds=62), urgent=True)
    louder = outage.alarm(NOW + timedelta(seconds=63))
    assert louder is not None
    told = payload(louder.headers, louder.value)
    assert isinstance(told, Alarm)
    assert (told.alarm_class.value, told.raised_at) == ("urgent", NOW + timedelta(seconds=61))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, []),
        ({"a": 1, "b": {"c": None, "d": [1, 2]}}, ["a", "b.c", "b.d"]),
        ({"r": [{"x": 1}, {"y": {"z": 2}}], "e": []}, ["e", "r.x", "r.y.z"]),
    ],
)
def test_field_names_never_hold_values(body: dict[str, object], names: list[str]) -> None:
    """The audit record lists every leaf by its path."""
    assert sorted(set(field_names(body))) == names

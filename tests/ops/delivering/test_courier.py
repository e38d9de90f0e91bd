"""One delivery to its end."""

import asyncio
from collections import deque

import pytest

from connectors.contract import Receipt
from ops.delivering.courier import StoppedError
from schemas.audit import Act, Audited
from schemas.delivery import Delivery, Outcome, Quarantined
from schemas.errors import Code, Denied, Rejected, Unavailable
from schemas.feed import Alarm
from tests.contract.sink_suite import MARKER, delivery
from tests.ops.delivering.far import Clock, FarSink, Paper, courier
from tests.waiting import until

AWAY = Unavailable(Code.FAR_SIDE_UNAVAILABLE, "away")


def slots() -> asyncio.Semaphore:
    """Room for many tries."""
    return asyncio.Semaphore(8)


async def test_a_delivery_is_audited_once_and_receipted_after_that() -> None:
    """One disclosure with recipient, reports, names of fields, profile and rules; then the receipt; no content."""
    sink, paper, clock = FarSink(), Paper(), Clock()
    one = delivery(3, profile="dispatch", rules_version="v7")
    await courier(sink, paper, clock).carry(one, ("urgent", 0, 5), slots())
    (audit,) = paper.on("audit.log")
    assert isinstance(audit, Audited)
    assert (audit.act, audit.recipient, audit.report_ids) == (Act.DISCLOSURE, "lab", one.report_ids)
    assert audit.fields == (
        "report.far_id",
        "report.far_system",
        "report.told.description",
        "report.told.references.id",
        "report.told.references.system",
        "summary.references.id",
        "summary.references.system",
        "summary.state",
    )
    assert (audit.profile, audit.rules_version, audit.delivery_id) == ("dispatch", "v7", one.delivery_id)
    (receipt,) = paper.receipts()
    assert (receipt.outcome, receipt.attempts, receipt.far_reference) == (Outcome.DELIVERED, 1, "far-1")
    topics = [out.topic for out in paper.outputs]
    assert topics.index("audit.log") < topics.index("delivery.receipts")
    assert not any(MARKER.encode() in (out.value or b"") for out in paper.outputs)


async def test_an_unavailable_far_side_is_tried_for_ever_with_the_same_id() -> None:
    """After 0, 1, 2, 5, 10, 30 s, then every 30 s; a person is told after 60 s, once, and when it is over."""
    sink, paper, clock = FarSink(deque([AWAY] * 9)), Paper(), Clock()
    one = courier(sink, paper, clock)
    told: list[Alarm] = []

    async def watched(seconds: float) -> None:
        await clock.sleep(seconds)
        if (alarm := one.outage.alarm(clock.now)) is not None:
            await paper.write([alarm])

    one.sleep = watched
    await one.carry(delivery(1), ("urgent", 0, 0), slots())
    assert clock.pauses == [0, 1, 2, 5, 10, 30, 30, 30, 30]
    assert set(sink.tries) == {delivery(1).delivery_id}
    told = [alarm for alarm in paper.on("alarm.current") if isinstance(alarm, Alarm) and alarm.active]
    assert [(alarm.kind, alarm.subject) for alarm in told] == [("delivery-stuck", "lab")]
    assert 60 <= (told[0].raised_at - Clock().now).total_seconds() <= 90
    assert one.outage.alarm(clock.now) is not None
    assert paper.receipts()[0].attempts == 10


async def test_retry_after_is_honoured() -> None:
    """The next try does not come before the time that the far side asked for."""
    busy = Unavailable(Code.FAR_SIDE_UNAVAILABLE, "busy", retry_after_seconds=17.0)
    sink, clock = FarSink(deque([busy])), Clock()
    await courier(sink, Paper(), clock).carry(delivery(1), ("urgent", 0, 0), slots())
    assert clock.pauses[0] >= 17.0


async def test_a_refused_delivery_is_quarantined_and_alarmed() -> None:
    """Receipt `quarantined` with its code, a quarantine record that names the delivery, an alarm, an audit record."""
    sink, paper = FarSink(deque([Rejected(Code.RECIPIENT_REFUSED, "422")])), Paper()
    await courier(sink, paper, Clock()).carry(delivery(1), ("routine", 2, 9), slots())
    (receipt,) = paper.receipts()
    assert (receipt.outcome, receipt.code) == (Outcome.QUARANTINED, Code.RECIPIENT_REFUSED)
    (aside,) = paper.on("quarantine")
    assert isinstance(aside, Quarantined)
    assert (aside.stage, aside.delivery_id, aside.topic) == ("deliver", delivery(1).delivery_id, "outbox.lab.routine")
    assert (aside.partition, aside.offset) == (2, 9)
    assert [alarm.kind for alarm in paper.on("alarm.current") if isinstance(alarm, Alarm)] == ["quarantine"]
    assert len(paper.on("audit.log")) == 1


async def test_a_denial_stops_and_pages_without_a_receipt() -> None:
    """410 pages at once; the delivery has no end, so its offset is never passed."""
    sink, paper = FarSink(deque([Denied(Code.RECIPIENT_GONE, "410")])), Paper()
    with pytest.raises(StoppedError):
        await courier(sink, paper, Clock()).carry(delivery(1), ("urgent", 0, 0), slots())
    (alarm,) = paper.on("alarm.current")
    assert isinstance(alarm, Alarm)
    assert (alarm.kind, alarm.active, alarm.alarm_class) == ("delivery-stopped", True, "urgent")
    assert not paper.receipts()


async def test_an_older_sequence_is_superseded() -> None:
    """What comes after a newer one of its subject is receipted without being sent, and was disclosed to nobody."""
    sink, paper = FarSink(), Paper()
    one = courier(sink, paper, Clock())
    await one.carry(delivery(5), ("urgent", 0, 0), slots())
    await one.carry(delivery(4), ("routine", 0, 0), slots())
    await one.carry(delivery(1, subject=2), ("routine", 0, 1), slots())
    assert [receipt.outcome for receipt in paper.receipts()] == ["delivered", "superseded", "delivered"]
    assert delivery(4).delivery_id not in sink.tries
    assert len(paper.on("audit.log")) == 2


async def test_a_newer_one_overtakes_an_older_that_waits() -> None:
    """While a routine delivery of an incident waits for its next try, an urgent one goes out; the older is void."""
    sink, paper, clock = FarSink(deque([AWAY])), Paper(), Clock()
    one = courier(sink, paper, clock)
    goes = asyncio.Event()

    async def held(seconds: float) -> None:
        await goes.wait()

    one.sleep = held
    waiting = asyncio.create_task(one.carry(delivery(1), ("routine", 0, 0), slots()))
    await until(lambda: sink.tries, what="the first try")
    await one.carry(delivery(2), ("urgent", 0, 0), slots())
    goes.set()
    await waiting
    assert [(r.sequence, r.outcome) for r in paper.receipts()] == [(2, "delivered"), (1, "superseded")]
    assert list(sink.kept) == [delivery(2).delivery_id]


async def test_a_receipted_record_is_not_sent_again_after_a_crash() -> None:
    """The crash came after the receipt and before the commit: the record is read again and passed over."""
    sink, paper = FarSink(), Paper()
    await courier(sink, paper, Clock()).carry(delivery(1), ("urgent", 1, 7), slots())
    again, later = courier(sink, paper, Clock()), len(paper.outputs)
    for out in paper.outputs:
        again.memory.learn(out.headers, 0)
    await again.carry(delivery(1), ("urgent", 1, 7), slots())
    assert len(sink.tries) == 1
    assert len(paper.outputs) == later


async def test_a_repeat_has_the_same_audit_id() -> None:
    """The crash came before the receipt: the repeat has one effect, and its audit record the same id."""
    sink, paper = FarSink(), Paper()
    for _ in range(2):
        await courier(sink, paper, Clock()).carry(delivery(1), ("urgent", 1, 7), slots())
    audits = [one for one in paper.on("audit.log") if isinstance(one, Audited)]
    assert len({one.audit_id for one in audits}) == 1
    assert list(sink.kept) == [delivery(1).delivery_id]


async def test_what_the_far_side_calls_superseded_is_so() -> None:
    """A far side that had a newer one says so, and the receipt does too."""
    sink, paper = FarSink(deque([Receipt(superseded=True)])), Paper()
    await courier(sink, paper, Clock()).carry(delivery(1), ("urgent", 0, 0), slots())
    assert paper.receipts()[0].outcome is Outcome.SUPERSEDED


@pytest.mark.parametrize(("sent", "records"), [(True, 1), (False, 0)])
async def test_a_superseded_delivery_is_audited_when_it_was_sent(sent: bool, records: int) -> None:
    """A far side that calls a body superseded has read it: one disclosure. What was not sent is none."""
    sink, paper = FarSink(deque([Receipt(superseded=True, sent=sent)])), Paper()
    await courier(sink, paper, Clock()).carry(delivery(1), ("urgent", 0, 0), slots())
    assert len(paper.on("audit.log")) == records
    assert len(paper.receipts()) == 1


async def test_a_bug_of_the_sink_sets_one_aside_and_many_stop_it() -> None:
    """One unknown exception is this delivery's; more than five in a minute are the sink's."""
    sink, paper = FarSink(deque([KeyError("x")] * 6)), Paper()
    one = courier(sink, paper, Clock())
    for number in range(5):
        await one.carry(delivery(number, subject=number), ("urgent", 0, number), slots())
    assert {receipt.code for receipt in paper.receipts()} == {Code.STEP_BUG}
    with pytest.raises(StoppedError):
        await one.carry(delivery(6, subject=6), ("urgent", 0, 6), slots())


async def test_a_record_that_is_no_delivery_is_set_aside() -> None:
    """It has no receipt of its own, but a person sees it, by topic, partition and offset."""
    paper = Paper()
    one = courier(FarSink(), paper, Clock())
    await one.refuse(None, b"{", ("urgent", 1, 4), Rejected(Code.RECORD_INVALID, "no"))
    (aside,) = paper.on("quarantine")
    assert isinstance(aside, Quarantined)
    assert (aside.topic, aside.partition, aside.offset, aside.record) == ("outbox.lab.urgent", 1, 4, b"{")


async def test_waiting_deliveries_hold_no_slot() -> None:
    """With a single slot, a delivery that waits for its next try does not keep another subject from going out."""
    sink, paper, clock = FarSink(deque([AWAY])), Paper(), Clock()
    one, room, goes = courier(sink, paper, clock), asyncio.Semaphore(1), asyncio.Event()

    async def held(seconds: float) -> None:
        await goes.wait()

    one.sleep = held
    waiting = asyncio.create_task(one.carry(delivery(1, 1), ("urgent", 0, 0), room))
    await until(lambda: sink.tries, what="the first try")
    await asyncio.wait_for(one.carry(delivery(1, 2), ("urgent", 0, 1), room), 5)
    goes.set()
    await waiting
    assert list(sink.kept) == [delivery(1, 2).delivery_id, delivery(1, 1).delivery_id]


def test_every_delivery_of_these_tests_is_lawful() -> None:
    """The samples round-trip through their schema."""
    assert Delivery.model_validate_json(delivery(1).to_json()) == delivery(1)


async def test_an_older_one_never_follows_a_newer_one_whose_answer_was_lost() -> None:
    """The far side took the urgent change and its answer never came: the routine one waits for the repeat, and is void.

    Found by a line to a recipient on which its answers were swallowed: it got the newer change, then the older one.
    """
    sink, paper, pause = FarSink(deque([AWAY])), Paper(), asyncio.Event()
    one = courier(sink, paper, Clock())

    async def sleep(_: float) -> None:
        await pause.wait()

    one.sleep = sleep
    newer = asyncio.create_task(one.carry(delivery(5), ("urgent", 0, 0), slots()))
    await until(lambda: sink.tries == [delivery(5).delivery_id], 5)
    older = asyncio.create_task(one.carry(delivery(2), ("routine", 0, 0), slots(), follows=True))
    other = delivery(2, 1)
    await one.carry(other, ("routine", 0, 1), slots(), follows=True)
    assert not older.done(), "its subject waits, others do not"
    pause.set()
    await asyncio.gather(newer, older)
    assert list(sink.kept.values()) == [other, delivery(5)]
    outcomes = {receipt.delivery_id: receipt.outcome for receipt in paper.receipts()}
    assert outcomes[delivery(2).delivery_id] is Outcome.SUPERSEDED


async def test_an_older_one_that_waited_for_its_turn_looks_again() -> None:
    """Both were under way at once: the newer try ends without an answer while the older one waits for the subject."""
    arrived, leave = asyncio.Event(), asyncio.Event()

    class Slow(FarSink):
        async def write(self, delivery: Delivery) -> Receipt:
            if not self.tries:
                arrived.set()
                await leave.wait()
            return await super().write(delivery)

    sink, paper = Slow(deque([AWAY])), Paper()
    one = courier(sink, paper, Clock())
    newer = asyncio.create_task(one.carry(delivery(5), ("urgent", 0, 0), slots()))
    await arrived.wait()
    older = asyncio.create_task(one.carry(delivery(2), ("routine", 0, 0), slots(), follows=True))
    await asyncio.sleep(0)
    leave.set()
    await asyncio.gather(newer, older)
    assert list(sink.kept.values()) == [delivery(5)]


async def test_the_leading_lane_waits_for_nobody() -> None:
    """At a take-over both of its changes may be with the recipient: the first goes out although the second is unsure.

    It stands before it in the lane; waiting for it would be for ever.
    """
    sink, paper = FarSink(), Paper()
    one = courier(sink, paper, Clock())
    one.memory.unsure(delivery(5).subject_id, 5)
    async with asyncio.timeout(5):
        await one.carry(delivery(3), ("urgent", 0, 0), slots())
        await one.carry(delivery(5), ("urgent", 0, 1), slots())
    assert list(sink.kept.values()) == [delivery(3), delivery(5)]

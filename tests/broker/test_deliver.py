"""Delivering on a real broker: kills, slow recipients, lanes, a recipient that wants no more."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import orjson
import pytest

from connectors.kits.receiver import Mood
from connectors.webhook.lab import WebhookLab
from connectors.webhook.sink import WebhookSink
from ops.delivering.lane import Limits
from ops.delivering.recipient import Recipient, Service
from ops.delivering.writer import KafkaWriter
from ops.health import SeparateLags
from ops.reading import Cluster
from schemas.report import Urgency
from schemas.topics import AUDIT, RECEIPTS
from streams.contract import Output
from tests.broker.outboxes import made, put, told
from tests.contract.sink_suite import delivery
from tests.waiting import TooLateError, until


@pytest.fixture
def there(kafka, prefix) -> Cluster:
    """The session's broker under a prefix of this test."""
    return Cluster(kafka.bootstrap_servers, prefix)


@asynccontextmanager
async def lab(name: str, delay_seconds: float = 0.0) -> AsyncIterator[WebhookLab]:
    """A started far side."""
    far = WebhookLab()
    far.delay_seconds = delay_seconds
    await far.start()
    try:
        yield far
    finally:
        await far.stop()


@asynccontextmanager
async def serving(there: Cluster, name: str, far: WebhookLab, limits: Limits | None = None) -> AsyncIterator[Service]:
    """Deliver to one far side while the context lasts."""
    writer = KafkaWriter(there)
    recipient = Recipient(name, partial(WebhookSink, far.settings(name)))
    service = Service(recipient, there, writer, f"here.{name}", limits)
    task = asyncio.create_task(service.run())
    try:
        yield service
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()


def to(recipient: str, number: int, subject: int, *, urgent: bool = False):
    """A delivery in that recipient's outbox."""
    kind = Urgency.URGENT if urgent else Urgency.ORDINARY
    return delivery(number, subject, recipient=recipient, urgency=kind)


def has(far: WebhookLab, number: int) -> bool:
    """Whether the far side holds so many."""
    return len(far.kept) >= number


async def ended(there: Cluster, outcome: str) -> bool:
    """Whether some delivery has this end."""
    return outcome in await told(there, RECEIPTS, "kind")


async def committed(there: Cluster, service: Service) -> bool:
    """Whether both lanes have committed everything, asked by other clients."""
    lags = SeparateLags(there)
    try:
        found = [await lags.of(lane.group, lane.topic, (0, 1, 2)) for lane in service.lanes]
        return not any(lag for one in found for lag in one.values())
    finally:
        await lags.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_killed_worker_delivers_each_once_in_effect(there, seed) -> None:
    """SIGKILL at six random moments: every delivery arrives, in order within its incident, with one effect.

    Each has a receipted end and one audit id, and nothing is there that was not sent.
    """
    rng = random.Random(seed)
    await made(there, ["far"])
    wanted = [to("far", n, subject, urgent=subject % 3 == 0) for n in range(20) for subject in range(20)]
    await put(there, wanted)
    ids = {one.delivery_id for one in wanted}

    async def receipted() -> bool:
        return set(await told(there, RECEIPTS, "deliveryid")) == ids

    async with lab("far", delay_seconds=0.02) as far:
        settings = far.settings("far")
        told_settings = {**settings.model_dump(mode="json"), "keys": list(far.keys)}
        argument = orjson.dumps(
            {
                "servers": there.bootstrap_servers,
                "prefix": there.prefix,
                "settings": orjson.dumps(told_settings).decode(),
            }
        ).decode()
        for round_ in range(7):
            process = await asyncio.to_thread(
                subprocess.Popen, [sys.executable, "-m", "tests.broker.deliver_worker", argument]
            )
            try:
                if round_ < 6:
                    goal = len(far.kept) + rng.randint(5, 60)
                    await until(partial(has, far, min(goal, len(ids))), 60, "some deliveries")
                else:
                    await until(lambda: set(far.kept) == ids, 60, "all deliveries")
                    await until(receipted, 60, "all receipts")
            finally:
                process.send_signal(signal.SIGKILL)
                await asyncio.to_thread(process.wait)
        for subject in range(20):
            mine = [
                far.kept[mark].body["sequence"]
                for mark in far.order
                if far.kept[mark].body["subject"] == wanted[subject].subject_id
            ]
            assert mine == sorted(mine)
        assert len(far.kept) == len(ids)
        assert far.requests <= len(ids) + 6 * 16 + 6
    assert set(await told(there, RECEIPTS, "kind")) == {"delivered"}
    audits = await told(there, AUDIT, "deliveryid")
    assert set(audits) == ids


async def test_a_slow_recipient_delays_only_itself(there) -> None:
    """One far side takes two seconds for an answer, another is down: the third has everything long before them."""
    await made(there, ["quick", "slow", "down"])
    for name in ("slow", "down", "quick"):
        await put(there, [to(name, n, subject) for n in range(3) for subject in range(40)])
    async with lab("quick") as quick, lab("slow", 2.0) as slow, lab("down") as down:
        down.mood = Mood.DOWN
        few = Limits(tries=4)
        async with (
            serving(there, "slow", slow, few),
            serving(there, "down", down, few),
            serving(there, "quick", quick, few) as service,
        ):
            await until(lambda: len(quick.kept) == 120, 30, "the quick one has everything")
            assert len(slow.kept) < 60
            assert not down.kept
            await until(partial(committed, there, service), 20, "everything is committed")


async def test_urgent_never_waits_behind_routine(there) -> None:
    """Behind two hundred routine deliveries to a slow far side, an urgent one is there before a tenth of them."""
    await made(there, ["far"])
    await put(there, [to("far", n, n) for n in range(200)])
    async with lab("far", 0.3) as far, serving(there, "far", far, Limits(tries=4)):
        await until(lambda: len(far.kept) >= 4, 30, "routine deliveries have begun")
        urgent = to("far", 1, 999, urgent=True)
        await put(there, [urgent])
        await until(lambda: urgent.delivery_id in far.kept, 30, "the urgent one")
        assert len(far.kept) < 60


async def test_a_blocked_incident_does_not_block_the_lane_and_nothing_is_passed(there) -> None:
    """A far side that is down for some messages: the other incidents go on, all end; a restart repeats nothing."""
    await made(there, ["far"])
    await put(there, [to("far", 1, subject) for subject in range(30)])
    async with lab("far") as far:
        far.next_moods([Mood.DOWN] * 4)
        async with serving(there, "far", far, Limits(tries=4)) as service:
            await until(lambda: len(far.kept) >= 26, 30, "the others")
            await until(lambda: len(far.kept) == 30, 30, "all")
            await until(partial(committed, there, service), 20, "everything is committed")
        assert far.requests == 34
        async with serving(there, "far", far) as again:
            await put(there, [to("far", 1, 77)])
            await until(lambda: len(far.kept) == 31, 30, "what came after the restart")
            assert again.lanes
        assert far.requests == 35


async def test_a_recipient_that_is_gone_stops_and_loses_nothing(there) -> None:
    """410: the sink stops and pages at once; started again, it delivers everything it had not, in order."""
    await made(there, ["far"])
    await put(there, [to("far", n, 1) for n in range(5)])
    async with lab("far") as far:
        far.next_moods([Mood.GOOD, Mood.GONE])
        writer = KafkaWriter(there)
        service = Service(Recipient("far", partial(WebhookSink, far.settings("far"))), there, writer, "here.far")
        await asyncio.wait_for(service.run(), 30)
        await writer.close()
        assert len(far.kept) == 1
        assert "delivery-stopped" in await told(there, "alarm.current", "kind")
        async with serving(there, "far", far):
            await until(lambda: len(far.kept) == 5, 30, "the rest")
        assert [far.kept[mark].body["sequence"] for mark in far.order] == list(range(5))


async def test_an_older_change_after_a_restart_is_superseded(there) -> None:
    """The memory is rebuilt from the receipts: a lower sequence that comes after a restart is not sent."""
    await made(there, ["far"])
    async with lab("far") as far:
        await put(there, [to("far", 9, 1, urgent=True)])
        async with serving(there, "far", far):
            await until(partial(ended, there, "delivered"), 30, "delivered")
        await put(there, [to("far", 4, 1)])
        async with serving(there, "far", far):
            await until(partial(ended, there, "superseded"), 30, "superseded")
        assert list(far.kept) == [to("far", 9, 1).delivery_id]


class Unwritten:
    """A writer of a process that is killed before anything is acknowledged."""

    async def write(self, outputs: Sequence[Output]) -> None:
        """For ever."""
        await asyncio.Event().wait()


async def test_an_older_change_does_not_follow_an_urgent_one_whose_receipt_a_crash_took(there) -> None:
    """The urgent one was sent and has no receipt: until its end is known, the routine lane sends nothing."""
    await made(there, ["far"])
    async with lab("far") as far:
        await put(there, [to("far", 9, 1, urgent=True)])
        recipient = Recipient("far", partial(WebhookSink, far.settings("far")))
        killed = asyncio.create_task(Service(recipient, there, Unwritten()).run())
        await until(partial(has, far, 1), 30, "the urgent one")
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
        await put(there, [to("far", 4, 1)])
        writer, sink = KafkaWriter(there), WebhookSink(far.settings("far"))
        await sink.connect()
        urgent, routine = Service(Recipient("far", lambda: sink), there, writer).lanes
        tasks = [asyncio.create_task(routine.run())]
        try:
            await until(lambda: routine.holding, 30, "the routine lane has its partitions")
            with suppress(TooLateError):
                await until(partial(has, far, 2), 2, "the older one, which must not come")
            tasks.append(asyncio.create_task(urgent.run()))
            await until(partial(ended, there, "superseded"), 30, "superseded")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await sink.close()
            await writer.close()
        assert list(far.kept) == [to("far", 9, 1).delivery_id]


async def test_a_second_process_takes_over_and_knows_what_the_first_delivered(there) -> None:
    """Partitions move to a second member and back: nothing is lost, and no incident goes backwards."""
    await made(there, ["far"])
    wanted = [to("far", n, subject) for n in range(12) for subject in range(12)]
    await put(there, wanted[:72])
    async with lab("far", 0.02) as far, serving(there, "far", far, Limits(tries=4)):
        await until(partial(has, far, 20), 30, "some deliveries")
        writer = KafkaWriter(there)
        second = Service(
            Recipient("far", partial(WebhookSink, far.settings("far"))), there, writer, "there.far", Limits(tries=4)
        )
        task = asyncio.create_task(second.run())
        try:
            await until(lambda: any(lane.holding for lane in second.lanes), 60, "the second member has partitions")
            await put(there, wanted[72:])
            await until(partial(has, far, len(wanted)), 60, "everything")
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await writer.close()
    assert len(far.kept) == len(wanted)
    for subject in {one.subject_id for one in wanted}:
        mine = [far.kept[mark].body["sequence"] for mark in far.order if far.kept[mark].body["subject"] == subject]
        assert mine == sorted(mine)

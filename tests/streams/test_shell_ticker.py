"""Ticks: when a deadline is due, every ten seconds while one is pending, none when idle."""
# ruff: noqa: D102 - the fakes have the methods of what they stand for

import asyncio
from itertools import pairwise

import pytest
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaTimeoutError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from streams.contract import Outcome, Output, Processor
from streams.shell_settings import ShellSettings
from streams.ticker import Ticker
from tests.waiting import until


class Holder:
    """States by partition, as a shell would show them; a state is its deadline."""

    def __init__(self, **states):
        self.held = {int(name[1:]): value for name, value in states.items()}

    def states(self):
        return self.held


class Sink:
    """A producer that keeps what is sent."""

    def __init__(self):
        self.sent, self.refuse, self.open = [], False, 0
        self.error, self.silent = None, set()

    async def start(self):
        self.open += 1

    async def stop(self):
        self.open -= 1

    async def send_and_wait(self, topic, *, value, key, partition, headers):
        if self.refuse:
            raise KafkaTimeoutError
        if self.error is not None:
            raise self.error
        if partition in self.silent:
            await asyncio.Event().wait()
        self.sent.append((topic, partition, value))


def make(holder, clock, sink=None, **changes):
    """A ticker whose clock is a list of one number, or of two: what the wall says and what has passed."""
    told = {"due": lambda state: state, "tick": lambda n, at: Output("in", b"%d" % n, b"%d" % at), **changes}
    processor = Processor(
        name="p", input="in", outputs=(), step=lambda *_: Outcome(), encode=lambda _: b"", decode=bytes, **told
    )
    settings = ShellSettings(bootstrap_servers="", prefix="x.")
    return Ticker(
        processor, holder, settings, producer=lambda _: sink, now_ms=lambda: clock[0], passed_ms=lambda: clock[-1]
    )


def test_a_due_deadline_is_ticked_at_once_and_then_once_a_second_until_it_was_stepped():
    """The tick may still be on its way: it is not written at every look."""
    ticker = make(Holder(p0=5000), clock := [5000])
    for at, wanted in ((5000, 1), (5300, 0), (5900, 0), (6000, 1)):
        clock[0] = at
        found = ticker.wanted(at, at)
        assert len(found) == wanted, at
        for partition, _ in found:
            ticker._last[partition] = at


def test_a_pending_deadline_is_ticked_every_ten_seconds_and_when_it_comes():
    """Time passes for the step at least every ten seconds while somebody waits."""
    ticker = make(Holder(p0=25_000), [0])
    at = [now for now in range(1000, 27_000, 250) if _tick(ticker, now)]
    assert at[0] <= 11_000
    assert [later - earlier for earlier, later in pairwise(at) if later < 25_000] == [10_000]
    assert 25_000 in at


def _tick(ticker, now):
    found = ticker.wanted(now, now)
    for partition, _ in found:
        ticker._last[partition] = now
    return found


def test_nothing_is_written_when_nothing_is_pending_or_held():
    """No deadline, no tick; a partition that was given up is forgotten."""
    holder = Holder(p0=None)
    ticker = make(holder, [0])
    assert not any(_tick(ticker, now) for now in range(0, 60_000, 250))
    holder.held = {1: 0}
    assert [partition for partition, _ in _tick(ticker, 60_000)] == [1]
    holder.held = {}
    assert not _tick(ticker, 120_000)


async def test_ticks_go_to_the_partition_itself_and_a_refused_one_is_tried_again():
    """The partition is named, whatever the key; the prefix stands before the topic; an outage drops no deadline."""
    sink, clock = Sink(), [5000]
    ticker = make(Holder(p3=0), clock, sink)
    sink.refuse = True
    await ticker.look()
    sink.refuse = False
    clock[0] = 5250
    await ticker.look()
    assert (sink.sent, ticker.written) == ([("x.in", 3, b"5250")], 1)


async def test_a_producer_that_failed_is_never_used_again():
    """An idempotent producer that failed once may fail for ever: it is closed, and the next tick takes a new one."""
    made = []

    def producer(_):
        made.append(Sink())
        made[-1].refuse = len(made) == 1
        return made[-1]

    plain = make(Holder(p3=0), [5000])
    ticker = Ticker(plain._processor, plain._holder, plain._settings, producer=producer)
    await ticker.look()
    await ticker.look()
    assert [(one.open, len(one.sent)) for one in made] == [(0, 0), (1, 1)]


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber, UnknownProducerId, ProducerFenced, InvalidProducerEpoch])
async def test_after_an_error_for_good_the_next_tick_has_a_new_producer(error):
    """A deadline must not be missed because a producer of an hour ago can never send again."""
    made = []

    def producer(_):
        made.append(Sink())
        made[-1].error = error() if len(made) == 1 else None
        return made[-1]

    plain = make(Holder(p0=0, p1=0), [5000])
    ticker = Ticker(plain._processor, plain._holder, plain._settings, producer=producer)
    await ticker.look()
    await ticker.look()
    assert [(one.open, len(one.sent)) for one in made] == [(0, 0), (1, 2)]
    await ticker._discard()


async def test_a_tick_that_is_never_answered_holds_no_other():
    """One partition's leader is away: the others are ticked, and the producer is thrown away."""
    made = []

    def producer(_):
        made.append(Sink())
        made[-1].silent = {0} if len(made) == 1 else set()
        return made[-1]

    plain = make(Holder(p0=0, p1=0), [5000])
    ticker = Ticker(plain._processor, plain._holder, plain._settings, producer=producer, stuck_seconds=0.05)
    await ticker.look()
    assert [partition for _, partition, _ in made[0].sent] == [1]
    await ticker.look()
    assert [partition for _, partition, _ in made[1].sent] == [0]
    assert [one.open for one in made] == [0, 1]
    await ticker._discard()


async def test_a_wall_clock_that_is_set_back_stops_no_ticks():
    """An hour back: the ticks come in their rhythm all the same, telling what the clock says."""
    hour = 3_600_000
    sink, clock = Sink(), [5 * hour, 1000]
    ticker = make(Holder(p0=5 * hour), clock, sink)
    await ticker.look()
    clock[:] = [4 * hour, 2000]
    await ticker.look()
    assert len(sink.sent) == 1
    clock[:] = [4 * hour + 9000, 11_000]
    await ticker.look()
    assert [value for _, _, value in sink.sent] == [b"%d" % (5 * hour), b"%d" % (4 * hour + 9000)]


async def test_it_stops_when_told_and_closes_its_producer():
    """`stop` ends it soon."""
    sink = Sink()
    ticker = make(Holder(p0=0), [5000], sink)
    task = asyncio.create_task(ticker.run())
    await until(lambda: sink.sent)
    ticker.stop()
    await asyncio.wait_for(task, 5)
    assert sink.open == 0


async def test_a_processor_without_deadlines_needs_no_ticker():
    """`run` returns at once and connects to nothing."""
    await make(Holder(), [0], None, due=None, tick=None).run()

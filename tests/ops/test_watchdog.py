"""The watchdog's thread: it looks beside the loop, survives its own faults, and keeps nobody alive."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from ops.loop_guard import LoopGuard
from ops.metrics import Metrics
from ops.watchdog import Watchdog, WatchFigures, every
from streams.leaving import Exit, Leaving
from tests.waiting import until

LOOK_SECONDS = 0.01


class Looks:
    """Counts looks; does at each what the test says."""

    def __init__(self, does: Callable[[int], object] = lambda _: None) -> None:
        self.made = 0
        self.looked = 0
        self.closed = 0
        self.threads: set[int] = set()
        self._does = does

    def make(self) -> "Looks":
        """One more."""
        self.made += 1
        return self

    async def look(self) -> None:
        """Look."""
        self.looked += 1
        self.threads.add(threading.get_ident())
        told = self._does(self.looked)
        if asyncio.iscoroutine(told):
            await told

    async def close(self) -> None:
        """Close."""
        self.closed += 1


def _value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name)


async def test_it_looks_in_a_thread_of_its_own_and_ends_with_the_context() -> None:
    """With another loop than the one it watches; its clients are given back before the context has ended."""
    looks, metrics = Looks(), Metrics()
    async with Watchdog(looks.make, LOOK_SECONDS, WatchFigures(metrics)).watching():
        await until(lambda: looks.looked > 3)
    assert threading.get_ident() not in looks.threads
    assert (looks.made, looks.closed) == (1, 1)
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


async def test_it_looks_on_while_the_loop_is_blocked() -> None:
    """A loop that is blocked is what it is for."""
    looks = Looks()
    async with Watchdog(looks.make, LOOK_SECONDS, WatchFigures(Metrics())).watching():
        await until(lambda: looks.looked)
        before, end = looks.looked, time.monotonic() + 10
        while looks.looked < before + 3 and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)  # noqa: ASYNC251 - the fault itself: the loop does not turn meanwhile
        assert looks.looked >= before + 3


async def test_a_fault_of_its_own_ends_nothing_and_it_begins_anew() -> None:
    """It is counted and said; the next look comes from clients made anew."""

    def fail_at_first(number: int) -> None:
        if number == 1:
            raise ZeroDivisionError

    looks, metrics = Looks(fail_at_first), Metrics()
    async with Watchdog(looks.make, LOOK_SECONDS, WatchFigures(metrics)).watching():
        await until(lambda: looks.looked > 1)
    assert looks.made == looks.closed == 2
    assert _value(metrics, "sztab_watchdog_failures_total") == 1


async def test_a_look_that_hangs_is_broken_off() -> None:
    """Its own client may go silent, too."""

    def hang_at_first(number: int) -> object:
        return asyncio.sleep(3600) if number == 1 else None

    looks, metrics = Looks(hang_at_first), Metrics()
    async with Watchdog(looks.make, LOOK_SECONDS, WatchFigures(metrics), stuck_seconds=0.05).watching():
        await until(lambda: looks.looked > 1)
    assert looks.made == 2


async def test_how_long_it_has_not_looked_is_told() -> None:
    """A watchdog that does not look any more raises an alert."""
    at = [100.0]
    metrics = Metrics()
    figures = WatchFigures(metrics, now=lambda: at[0])
    at[0] += 700
    assert _value(metrics, "sztab_watch_age_seconds") == 700
    figures.looked()
    assert _value(metrics, "sztab_watch_age_seconds") == 0


def test_it_looks_often_enough() -> None:
    """Several times within a short limit; at a long one often enough for its metrics."""
    assert every(16) == 2
    assert every(1000) == 5


def test_a_blocked_loop_ends_any_role() -> None:
    """Exit 75, by a thread: nothing within the loop could."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.ops.blocked_loop"], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == Exit.STOOD_STILL
    assert "the loop is blocked" in ended.stdout + ended.stderr


async def test_a_loop_that_turns_is_left_alone() -> None:
    """However long it runs: each turn begins the count anew."""
    codes: list[int] = []
    async with LoopGuard(0.2, Leaving(codes.append)).guarding():
        end = time.monotonic() + 0.6
        await until(lambda: time.monotonic() > end)
    assert codes == []

"""Notices that this process stood still: stopped by a signal, swapped out, on a frozen host.

Kafka fences a late member's commits, never its writes. A process that stood still longer than half the session
time-out may own nothing any more, so it must end before it writes. A loop that is blocked for good looks at no clock:
a thread looks at it from aside. (Code that keeps the interpreter's lock for so long stops that thread too.)
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from streams.leaving import Exit, Leaving

BEATS: Final = 20
"""How often the clock is looked at within the limit."""


def clock() -> float:
    """Seconds that go on while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Pulse:
    """Ends the process (exit 75) when two looks at the clock lie further apart than the limit."""

    def __init__(
        self,
        limit_seconds: float,
        leave: Leaving,
        *,
        armed: bool = True,
        now: Callable[[], float] = clock,
    ) -> None:
        self._limit = limit_seconds
        self._leave = leave
        self._armed = armed
        self._now = now
        self._last = now()

    def start(self) -> None:
        """Forget the past: connecting the clients may take long and is no pause."""
        self._last = self._now()

    def check(self) -> None:
        """Look at the clock. Called by `run`, and right before everything that must not be written too late."""
        now = self._now()
        gap, self._last = now - self._last, now
        if gap > self._limit and self._armed:
            self._leave(Exit.STOOD_STILL, f"stood still for {gap:.1f} s")

    async def run(self) -> None:
        """Look at the clock for ever."""
        self.start()
        ended = threading.Event()
        # A daemon: it keeps no process alive, and sees within a beat that nobody needs it any more.
        threading.Thread(target=self._guard, args=(threading.get_ident(), ended), name="pulse", daemon=True).start()
        try:
            while True:
                self.check()
                await asyncio.sleep(self._limit / BEATS)
        finally:
            ended.set()

    def _guard(self, loop: int, ended: threading.Event) -> None:
        """Runs in a thread of its own: end the process when the loop's thread is blocked beyond the limit."""
        while not ended.wait(self._limit / BEATS):
            gap = self._now() - self._last
            if gap > self._limit and self._armed:
                self._leave.from_aside(Exit.STOOD_STILL, f"the loop is blocked for {gap:.1f} s{place(loop)}")
                return


def place(thread: int) -> str:
    """Where a thread is: ` at lifecycle.py:120`."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented, and told nowhere else
    return f" at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame is not None else ""

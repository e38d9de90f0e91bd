"""Ends a process whose event loop is blocked: it answers nobody, and nothing within the loop can notice.

Every role has one. A shell's pulse (`streams.pulse`) acts sooner, for another reason: it must not write too late.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from streams.leaving import Exit, Leaving
from streams.pulse import place

BEATS: Final = 20
"""How often is looked within the limit."""


class LoopGuard:
    """A thread that counts its own beats since the loop last turned; more than the limit holds end the process (75).

    It counts beats and not time: a process that was stopped and goes on has a loop that is well, and ends for nothing.
    """

    def __init__(self, limit_seconds: float, leave: Leaving) -> None:
        self._limit = limit_seconds
        self._leave = leave
        self._turned = True
        self._ended = threading.Event()

    @asynccontextmanager
    async def guarding(self) -> AsyncIterator[None]:
        """Guard the running loop while the context lasts."""
        turning = asyncio.create_task(self._turn(), name="loop guard")
        thread = threading.Thread(target=self._guard, args=(threading.get_ident(),), name="loop guard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            turning.cancel()
            await asyncio.gather(turning, return_exceptions=True)

    async def _turn(self) -> None:
        while True:
            self._turned = True
            await asyncio.sleep(self._limit / BEATS)

    def _guard(self, loop: int) -> None:
        missed = 0
        while not self._ended.wait(self._limit / BEATS):
            missed = 0 if self._turned else missed + 1
            self._turned = False
            if missed > BEATS:
                why = f"the loop is blocked for {self._limit:.0f} s{place(loop)}"
                self._leave.from_aside(Exit.STOOD_STILL, why)
                return

"""Ends a process one of whose processors went silent: it holds a partition, records wait there, and it commits nothing.

A client whose fetching has ended within (aiokafka 1037) brings nothing and raises nothing: to its shell that looks like
an input that is idle. So clients that share nothing with it ask for the lag (`ops.health.SeparateLags`).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from ops.health import ASK_SECONDS, Lags, Watched
from streams.leaving import Exit, Leaving

LOOKS: Final = 8
"""How often is looked within the limit."""

log: Final = structlog.get_logger("ops.silence")


class Silence:
    """Watches the processors of one process. A lag that cannot be asked convicts nobody: the time begins anew."""

    def __init__(
        self,
        watched: Sequence[Watched],
        lags: Lags,
        limit_seconds: float,
        leave: Leaving,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = watched
        self._lags = lags
        self._limit = limit_seconds
        self._leave = leave
        self._now = now
        self._since: dict[tuple[str, int], tuple[float | None, float]] = {}
        """By processor and partition with a lag: its last commit, and since when there was a lag and no other."""

    async def run(self) -> None:
        """Look for ever. Exit 70 when a partition had a lag and no commit for longer than the limit."""
        while True:
            await asyncio.sleep(self._limit / LOOKS)
            await self.look()

    async def look(self) -> None:
        """Ask for the lag of each partition held; a commit since the last look, or no lag, clears it."""
        found: dict[tuple[str, int], tuple[float | None, float]] = {}
        for one in self._watched:
            for part in await self._lagging(one):
                commit = one.held.committed_at.get(part)
                before = self._since.get((one.name, part))
                mark = before if before is not None and before[0] == commit else (commit, self._now())
                found[one.name, part] = mark
                if self._now() - mark[1] > self._limit:
                    self._leave(Exit.UNKNOWN, f"{one.name}: partition {part} has a lag and went silent")
        self._since = found

    async def _lagging(self, one: Watched) -> list[int]:
        """The partitions held, and still held after the answer, in which records wait."""
        if not one.held.holding:
            return []
        try:
            async with asyncio.timeout(ASK_SECONDS):
                lags = await self._lags.of(one.group, one.topic, one.held.holding)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("lag_unknown", processor=one.name, error=type(error).__name__)
            return []
        return [part for part, lag in lags.items() if lag > 0 and part in (one.held.holding or ())]

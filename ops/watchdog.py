"""The watchdog of a process: a thread with an event loop and Kafka clients of its own, beside what it watches.

    async with Watchdog(make, every_seconds, told).watching(): ...

It looks on while the process's loop is blocked, its tasks have died or its clients hang. It keeps no process alive, and
it ends none for a fault of its own: then it says so and begins anew. What it convicts for, its look decides
(`ops.silence`).
"""

import asyncio
import math
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

import structlog

from ops.health import TopicsSeen, Watched
from ops.metrics import Metrics
from streams.leaving import whereabouts

STUCK_SECONDS: Final = 60.0
"""A look that takes longer hangs in a client of its own: it is broken off, and made anew."""
CLOSE_SECONDS: Final = 5.0
LOOKS: Final = 8
"""How often is looked within the limit of a silence."""
MOST_SECONDS: Final = 5.0
"""Longest time between two looks, so that metrics are fresh."""

log: Final = structlog.get_logger("ops.watchdog")


def every(limit_seconds: float) -> float:
    """How often to look for a silence of this length."""
    return min(limit_seconds / LOOKS, MOST_SECONDS)


class Looker(Protocol):
    """What a watchdog does; made, used and closed in its thread."""

    async def look(self) -> None:
        """Look once."""

    async def close(self) -> None:
        """Give the clients back."""


class Watchdog:
    """Looks every so often, from `watching` until its end. `make` is called in the thread, again after each fault."""

    def __init__(
        self,
        make: Callable[[], Looker],
        every_seconds: float,
        told: "WatchFigures",
        stuck_seconds: float = STUCK_SECONDS,
    ) -> None:
        self._make = make
        self._every = every_seconds
        self._told = told
        self._stuck = stuck_seconds
        self._ended = threading.Event()
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the context lasts; its end waits, bounded, until the clients are given back."""
        # A daemon: a process that ends does not wait for it.
        thread = threading.Thread(target=self._live, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            if (running := self._running) is not None:
                with suppress(RuntimeError):  # its loop has closed already
                    running[0].call_soon_threadsafe(running[1].cancel)
            await asyncio.to_thread(thread.join, 2 * CLOSE_SECONDS)

    def _live(self) -> None:
        while not self._ended.is_set():
            try:
                asyncio.run(self._watch())
            except asyncio.CancelledError:
                return
            except Exception as error:  # noqa: BLE001 - its own bug must neither end the process nor the watch
                self._told.failed()
                log.error("watchdog_failed", error=whereabouts(error))  # noqa: TRY400 - the text may hold input
                self._ended.wait(self._every)

    async def _watch(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running = (asyncio.get_running_loop(), task)
        looker = self._make()
        try:
            while not self._ended.is_set():
                async with asyncio.timeout(self._stuck):
                    await looker.look()
                self._told.looked()
                await asyncio.sleep(self._every)
        finally:
            with suppress(TimeoutError):
                await asyncio.wait_for(looker.close(), CLOSE_SECONDS)


class WatchFigures:
    """What a watchdog tells the metrics (`ops.silence.Telling`)."""

    def __init__(self, metrics: Metrics, now: Callable[[], float] = time.monotonic) -> None:
        labels = ("processor", "input")
        self._now = now
        self._looked_at = now()
        self._broker = metrics.gauge("broker", "up", "1 while the cluster answers this process.")
        self._broker.set(math.nan)  # not known before the first look
        self._lag = metrics.gauge("lag", "records", "Records not yet committed, of the partitions held.", labels)
        self._standing = metrics.gauge(
            "standing", "seconds", "For how long a partition held has had a lag and no commit.", labels
        )
        self._parts = metrics.gauge("input", "partitions", "Partitions of the input.", labels)
        self._under = metrics.gauge("underreplicated", "partitions", "Partitions of ours with a replica out of sync.")
        self._leaderless = metrics.gauge("leaderless", "partitions", "Partitions of ours that nobody leads.")
        self._failures = metrics.counter("watchdog", "failures", "Faults of the watchdog's own.")
        age = metrics.gauge("watch_age", "seconds", "How long ago the watchdog last looked to the end.")
        age.set_function(lambda: self._now() - self._looked_at)
        self._topics: Mapping[str, int] = {}

    def looked(self) -> None:
        """A look came to its end."""
        self._looked_at = self._now()

    def failed(self) -> None:
        """The watchdog itself failed."""
        self._failures.inc()

    def answered(self, *, yes: bool) -> None:
        """See `ops.silence.Telling`."""
        self._broker.set(int(yes))

    def seen(self, topics: TopicsSeen) -> None:
        """See `ops.silence.Telling`."""
        self._topics = topics.partitions
        self._under.set(topics.underreplicated)
        self._leaderless.set(topics.leaderless)

    def lagging(self, watched: Watched, lags: Mapping[int, int], standing_seconds: float) -> None:
        """See `ops.silence.Telling`."""
        self._lag.labels(*watched.labels).set(sum(max(0, lag) for lag in lags.values()))
        self._standing.labels(*watched.labels).set(standing_seconds)
        if watched.topic in self._topics:
            self._parts.labels(*watched.labels).set(self._topics[watched.topic])

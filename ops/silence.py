"""Finds a processor or a lane that went silent: it holds a partition, records wait there, and it commits nothing.

A client whose fetching has ended within (aiokafka 1037) brings nothing and raises nothing: to its process that looks
like an input that is idle. So clients that share nothing with it ask for the lag (`ops.health.SeparateLags`), in the
watchdog's thread (`ops.watchdog`), which a blocked loop does not stop.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from ops import kafka
from ops.health import ASK_SECONDS, Lags, SeparateLags, TopicsSeen, Watched
from ops.metrics import Metrics
from ops.settings import Settings
from ops.watchdog import Watchdog, WatchFigures, every
from streams.leaving import Exit, Leaving

log: Final = structlog.get_logger("ops.silence")
ABSENT: Final = (KafkaError, OSError, TimeoutError)
"""What a cluster that does not answer raises."""


class Cluster(Lags, Protocol):
    """What is asked of the cluster, by clients of its own."""

    async def topics(self) -> TopicsSeen:
        """Our topics as they are now. May raise KafkaError, OSError, TimeoutError."""

    async def close(self) -> None:
        """Give the clients back."""


class Telling(Protocol):
    """Told what was seen, for metrics; from the watchdog's thread, quick and never raising."""

    def answered(self, *, yes: bool) -> None:
        """Whether the cluster answered."""

    def seen(self, topics: TopicsSeen) -> None:
        """Our topics as they are."""

    def lagging(self, watched: Watched, lags: Mapping[int, int], standing_seconds: float) -> None:
        """The lag of each partition held, and for how long one of them has had a lag and no commit."""


class Silence:
    """Watches the processors of one process. A lag that cannot be asked convicts nobody: the time begins anew.

    `convict` ends the process; in the watchdog's thread that is `Leaving.from_aside`.
    """

    def __init__(
        self,
        watched: Sequence[Watched],
        cluster: Cluster,
        limit_seconds: float,
        convict: Callable[[Exit, str], object],
        telling: Telling,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = watched
        self._cluster = cluster
        self._limit = limit_seconds
        self._convict = convict
        self._telling = telling
        self._now = now
        self._since: dict[tuple[str, int], tuple[float | None, float]] = {}
        """By processor and partition with a lag: its last commit, and since when there was a lag and no other."""

    async def look(self) -> None:
        """Ask for the lag of each partition held; a commit since the last look, or no lag, clears it."""
        answers = await self._see_topics()
        found: dict[tuple[str, int], tuple[float | None, float]] = {}
        for one in self._watched:
            # Before the lag: a commit while it is asked for answers what is seen, and counts at the next look.
            commits = dict(one.held.committed_at)
            lags = await self._lags(one) if answers else {}
            lagging = [part for part, lag in lags.items() if lag > 0 and not one.excused()]
            for part in lagging:
                commit = commits.get(part)
                before = self._since.get((one.name, part))
                found[one.name, part] = before if before is not None and before[0] == commit else (commit, self._now())
            standing = {part: self._now() - found[one.name, part][1] for part in lagging}
            self._telling.lagging(one, lags, max(standing.values(), default=0.0))
            for part, seconds in standing.items():
                if seconds > self._limit:
                    self._convict(Exit.UNKNOWN, f"{one.name}: partition {part} has a lag and went silent")
        self._since = found

    async def close(self) -> None:
        """Give the clients back."""
        await self._cluster.close()

    async def _see_topics(self) -> bool:
        """Whether the cluster answers; what it says of our topics is told."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                topics = await self._cluster.topics()
        except ABSENT as error:
            log.warning("topics_unknown", error=type(error).__name__)
            self._telling.answered(yes=False)
            return False
        self._telling.answered(yes=True)
        self._telling.seen(topics)
        return True

    async def _lags(self, one: Watched) -> Mapping[int, int]:
        """The lag of the partitions that are held, and still held after the answer; nothing where it is unknown."""
        if not one.held.holding:
            return {}
        try:
            async with asyncio.timeout(ASK_SECONDS):
                lags = await self._cluster.of(one.group, one.topic, one.held.holding)
        except ABSENT as error:
            log.warning("lag_unknown", processor=one.name, error=type(error).__name__)
            return {}
        return {part: lag for part, lag in lags.items() if part in (one.held.holding or ())}


def watched(settings: Settings, watched: Sequence[Watched], metrics: Metrics) -> Watchdog:
    """The watchdog over these processors or lanes of this process, with the limit of the settings."""
    limit = settings.streams.silent_seconds + settings.streams.commit_seconds
    told, leave = WatchFigures(metrics), Leaving()

    def make() -> Silence:
        # Asked anew each time: an embedded broker may come back at another port.
        return Silence(watched, SeparateLags(kafka.cluster(settings)), limit, leave.from_aside, told)

    return Watchdog(make, every(limit), told)

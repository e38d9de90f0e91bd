"""Making the derived figures anew, and seeing whether the tally moves: with clients of our own, never faust's."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from prometheus_client import Gauge

from ops.metrics import Metrics
from ops.reading import Cluster, Reading
from ops.watchdog import WatchFigures
from schemas.errors import Code, Unavailable
from schemas.topics import FIGURES, TALLY, changelog
from streams.clients import begin
from streams.leaving import Exit

INPUTS = tuple(source for _, source in TALLY)
CHANGELOGS = tuple(changelog(name, source) for name, source in TALLY)


@dataclass(frozen=True, slots=True)
class Reset:
    """What a reset did: entries of tables and figures that were taken back, partitions that are read from the start."""

    entries: int
    figures: int
    partitions: int


async def reset(cluster: Cluster, group: str, wait_seconds: float = 30.0) -> Reset:
    """Empty tables and figures and set the group to the beginning of its inputs; the next start counts anew.

    Waits until the group has no member (a static member leaves by time-out). Unavailable when one stays: it runs
    somewhere else.
    """
    await _until_empty(cluster, group, wait_seconds)
    producer: AIOKafkaProducer = cluster.producer()
    await begin(producer)
    try:
        entries = sum([await _emptied(cluster, producer, topic) for topic in CHANGELOGS])
        figures = await _emptied(cluster, producer, FIGURES)
    finally:
        await producer.stop()
    return Reset(entries, figures, await _to_the_start(cluster, group))


async def _until_empty(cluster: Cluster, group: str, wait_seconds: float) -> None:
    admin: AIOKafkaAdminClient = cluster.admin()
    await begin(admin)
    try:
        end = time.monotonic() + wait_seconds
        while (members := await _members(admin, group)) != 0:
            if time.monotonic() > end and members is None:
                raise Unavailable(Code.BROKER_UNAVAILABLE, "the cluster names no coordinator for the tally's group")
            if time.monotonic() > end:
                raise Unavailable(Code.OVERLOADED, f"the group {group} still has members: stop the tally everywhere")
            await asyncio.sleep(0.25)
    finally:
        await admin.close()


async def _members(admin: AIOKafkaAdminClient, group: str) -> int | None:
    """How many members the group has; None while the cluster has not agreed on who keeps it (a fresh one, at first)."""
    try:
        answers = await admin.describe_consumer_groups([group])
    except KafkaError:
        return None
    return sum(len(one["members"]) for answer in answers for one in answer.to_object()["groups"])


async def _emptied(cluster: Cluster, producer: AIOKafkaProducer, topic: str) -> int:
    """Write a tombstone, in its own partition, for every key of a compacted topic that still has a value."""
    kept: dict[tuple[int, bytes], bool] = {}
    async for _, records in Reading(cluster, [topic]).on():
        for one in records:
            if one.key is not None:
                kept[one.partition, one.key] = one.value is not None
    living = [place for place, there in kept.items() if there]
    for partition, key in living:
        await producer.send(cluster.prefix + topic, key=key, value=None, partition=partition)
    await producer.flush()
    return len(living)


async def _to_the_start(cluster: Cluster, group: str) -> int:
    known = await cluster.partitions(INPUTS)
    parts = [TopicPartition(cluster.prefix + name, at) for name in known for at in known[name]]
    member: AIOKafkaConsumer = cluster.consumer(group, None)
    await begin(member)
    try:
        member.assign(parts)
        begins = await member.beginning_offsets(parts)
        await member.commit(begins)
    finally:
        await member.stop()
    return len(parts)


def tally_gauges(metrics: Metrics) -> tuple[Gauge, Gauge]:
    """`sztab_tally_lag_records` and `sztab_tally_still_seconds`."""
    return (
        metrics.gauge("tally_lag", "records", "Records that the figures do not count yet; -1 before the first look."),
        metrics.gauge("tally_still", "seconds", "For how long the tally has had lag and committed nothing."),
    )


class Progress:
    """Does the tally move? Lag and committed offsets as the cluster tells them."""

    def __init__(self, cluster: Cluster, group: str, now: Callable[[], float] = time.monotonic) -> None:
        self._cluster, self._group, self._now = cluster, group, now
        self._committed = -1
        self._moved_at = now()
        self.lag: int | None = None
        self.still_seconds = 0.0

    async def look(self) -> float:
        """Ask the cluster; seconds for which there was lag and nothing was committed, 0 when there is none."""
        try:
            committed = await self._committed_now()
        except (KafkaError, OSError, TimeoutError, Unavailable):
            # Whether it moves cannot be known: the time begins anew.
            self._moved_at, self.still_seconds = self._now(), 0.0
            raise
        assert self.lag is not None
        if committed != self._committed or self.lag <= 0:
            self._committed, self._moved_at = committed, self._now()
        self.still_seconds = self._now() - self._moved_at if self.lag > 0 else 0.0
        return self.still_seconds

    async def _committed_now(self) -> int:
        known = await self._cluster.partitions(INPUTS)
        parts = [TopicPartition(self._cluster.prefix + name, at) for name in known for at in known[name]]
        admin, reader = self._cluster.admin(), self._cluster.reader()
        try:
            await begin(admin)
            await begin(reader)
            told = await admin.list_consumer_group_offsets(self._group, partitions=parts)
            ends, begins = await reader.end_offsets(parts), await reader.beginning_offsets(parts)
        finally:
            await admin.close()
            await reader.stop()
        commits = {part: max(told[part].offset if part in told else -1, begins[part]) for part in parts}
        self.lag = sum(ends[part] - commits[part] for part in parts)
        return sum(commits.values())


class TallyWatch:
    """The look of the tally's watchdog: a tally that has lag and commits nothing for too long ends its process."""

    def __init__(
        self,
        progress: Progress,
        limit_seconds: float,
        convict: Callable[[Exit, str], object],
        told: WatchFigures,
    ) -> None:
        self._progress, self._limit, self._convict, self._told = progress, limit_seconds, convict, told

    async def look(self) -> None:
        """Look once. An absent broker is no fault of the application: faust waits for it, and so does this."""
        try:
            still_seconds = await self._progress.look()
        except (KafkaError, OSError, TimeoutError, Unavailable):
            self._told.answered(yes=False)
            return
        self._told.answered(yes=True)
        if still_seconds > self._limit:
            self._convict(Exit.UNKNOWN, f"the tally has lag and committed nothing for {still_seconds:.0f} s")

    async def close(self) -> None:
        """Nothing is kept between two looks."""

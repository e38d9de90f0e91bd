"""Is a process alive, and is it ready? Ready means that every held partition moves, or has nothing to move.

The lag is measured by clients that share nothing with the processor's: a client that went silent believes itself idle.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ops.reading import Cluster
from streams.clients import begin

ASK_SECONDS: Final = 5.0
"""A cluster that does not tell the lag within this time leaves it unknown: not ready."""

CLOSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer of `/health/ready`; `why` names what is not ready, without data of a message."""

    ready: bool
    why: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


Ready = Callable[[], Awaitable[Readiness]]
"""Asked at each request of `/health/ready`; quick, and never raising."""


class Held(Protocol):
    """What a shell's observer keeps (`ops.metrics.ShellMetrics`)."""

    holding: tuple[int, ...] | None
    committed_at: dict[int, float]


class Lags(Protocol):
    """Measures lag apart from the processor."""

    async def of(self, group: str, topic: str, partitions: tuple[int, ...]) -> dict[int, int]:
        """Records not yet committed, by partition. May raise KafkaError, OSError, TimeoutError."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One processor: its group and full input topic, and what its observer keeps."""

    name: str
    group: str
    topic: str
    held: Held
    labels: tuple[str, str] = ("", "")
    """Processor and logical input, as its metrics name them."""
    excused: Callable[[], bool] = lambda: False
    """Whether it has a reason to commit nothing that is told elsewhere: a recipient that is down."""


@dataclass(frozen=True, slots=True)
class TopicsSeen:
    """Our topics as the cluster shows them. Under-replicated: fewer replicas in sync than it has."""

    partitions: Mapping[str, int] = field(default_factory=dict)
    underreplicated: int = 0
    leaderless: int = 0


async def readiness(watched: list[Watched], lags: Lags, limit_seconds: float) -> Readiness:
    """Ready iff every held partition committed within the limit, has no lag, or is excused."""
    why: list[str] = []
    for one in watched:
        if one.held.holding is None:
            why.append(f"{one.name}: no partitions assigned yet")
            continue
        if one.excused():
            continue
        now = time.monotonic()
        stale = tuple(
            part for part in one.held.holding if now - one.held.committed_at.get(part, float("-inf")) > limit_seconds
        )
        if stale:
            why += await _lagging(one, lags, stale)
    return Readiness(not why, tuple(why), {one.name: list(one.held.holding or ()) for one in watched})


async def _lagging(one: Watched, lags: Lags, stale: tuple[int, ...]) -> list[str]:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            found = await lags.of(one.group, one.topic, stale)
    except (KafkaError, OSError, TimeoutError) as error:
        return [f"{one.name}: the cluster does not tell the lag ({type(error).__name__})"]
    return [f"{one.name}: partition {part} stands still with a lag of {lag}" for part, lag in found.items() if lag > 0]


class SeparateLags:
    """Lags asked from the cluster by clients of their own, made at the first question and anew after a failure."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def of(self, group: str, topic: str, partitions: tuple[int, ...]) -> dict[int, int]:
        """End of the topic less the group's commit; before its first commit, less the topic's beginning."""
        asked = [TopicPartition(topic, part) for part in partitions]
        async with self._one_at_a_time:
            try:
                admin, reader = await self._started()
                commits = await admin.list_consumer_group_offsets(group, partitions=asked)
                ends = await reader.end_offsets(asked)
                begins = await reader.beginning_offsets(asked)
            except BaseException:
                await self._close()
                raise
        lags: dict[int, int] = {}
        for part in asked:
            committed = commits[part].offset if part in commits else -1
            lags[part.partition] = ends[part] - max(committed, begins[part])
        return lags

    async def topics(self) -> TopicsSeen:
        """Our topics. May raise KafkaError, OSError, TimeoutError."""
        async with self._one_at_a_time:
            try:
                admin, _ = await self._started()
                told = await admin.describe_topics()
            except BaseException:
                await self._close()
                raise
        ours = [one for one in told if one["topic"].startswith(self._cluster.prefix) and not one["error_code"]]
        parts = [part for one in ours for part in one["partitions"]]
        return TopicsSeen(
            {one["topic"]: len(one["partitions"]) for one in ours},
            sum(len(part["isr"]) < len(part["replicas"]) for part in parts),
            sum(part["leader"] < 0 for part in parts),
        )

    async def close(self) -> None:
        """Give the clients back."""
        async with self._one_at_a_time:
            await self._close()

    async def _started(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._clients is None:
            self._clients = (self._cluster.admin(), self._cluster.reader())
            for client in self._clients:
                await begin(client)
        return self._clients

    async def _close(self) -> None:
        """Bounded: a client that does not end must not hold the question that comes next."""
        clients, self._clients = self._clients, None
        if clients is not None:
            for ending in (clients[0].close, clients[1].stop):
                with suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(ending(), CLOSE_SECONDS)

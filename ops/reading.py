"""Reading topics from one point to their end as it was at the start: what ledger, trace and receipts' memory do.

Without a consumer group, so nothing is committed and nobody is disturbed.
"""

import time
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.errors import Code, Unavailable
from schemas.topics import MAX_MESSAGE_BYTES
from streams.clients import BoundedProducer, FrankConsumer, begin

STALL_SECONDS: Final = 20.0
PARTITION_FETCH_BYTES: Final = MAX_MESSAGE_BYTES + 65_536


@dataclass(frozen=True)
class Cluster:
    """A cluster as its clients reach it. `security` are further keyword arguments of every aiokafka client."""

    bootstrap_servers: str
    prefix: str = "sztab."
    security: Mapping[str, Any] = field(default_factory=dict)
    request_seconds: float = 30.0

    def reader(self, **options: int) -> AIOKafkaConsumer:
        """A consumer without a group, not started; `options` are further ones of aiokafka's consumer."""
        return FrankConsumer(
            bootstrap_servers=self.bootstrap_servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            request_timeout_ms=int(self.request_seconds * 1000),
            **options,
            **self.security,
        )

    def consumer(self, group: str, instance: str | None, session_seconds: float = 10.0) -> AIOKafkaConsumer:
        """A member of a group that commits by hand, not started; static where an instance is named."""
        return FrankConsumer(
            bootstrap_servers=self.bootstrap_servers,
            group_id=group,
            group_instance_id=instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=200,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            session_timeout_ms=int(session_seconds * 1000),
            heartbeat_interval_ms=int(session_seconds * 250),
            request_timeout_ms=int(self.request_seconds * 1000),
            **self.security,
        )

    def producer(self) -> BoundedProducer:
        """An idempotent producer, acks=all, not started."""
        return BoundedProducer(
            bootstrap_servers=self.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=PARTITION_FETCH_BYTES,
            request_timeout_ms=int(self.request_seconds * 1000),
            **self.security,
        )

    def admin(self) -> AIOKafkaAdminClient:
        """An admin client, not started."""
        return AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers, **self.security)

    async def partitions(self, topics: Collection[str]) -> dict[str, tuple[int, ...]]:
        """Partitions of those of the topics (logical names) that exist. Unavailable when no broker answers."""
        admin = self.admin()
        try:
            await begin(admin)
            told = await admin.describe_topics([self.prefix + name for name in topics])
        except (KafkaError, KafkaConnectionError, OSError) as error:
            raise Unavailable(Code.BROKER_UNAVAILABLE, f"no broker answers ({type(error).__name__})") from None
        finally:
            await admin.close()
        return {
            one["topic"].removeprefix(self.prefix): tuple(sorted(part["partition"] for part in one["partitions"]))
            for one in told
            if not one["error_code"]
        }


class Reading:
    """Goes on where it was: each `on()` gives what came since the last, up to the end as it is when asked.

    `since_ms` starts at the first record of that time instead of the beginning. Topics that do not exist are
    `missing` and are looked for again. `emptied`: a partition held records once and holds none now.
    """

    def __init__(self, cluster: Cluster, topics: Collection[str], since_ms: int | None = None) -> None:
        self._cluster = cluster
        self._topics = tuple(topics)
        self._since_ms = since_ms
        self._positions: dict[TopicPartition, int] = {}
        self.missing: tuple[str, ...] = self._topics
        self.emptied = False

    async def on(self) -> AsyncIterator[tuple[str, list[Any]]]:
        """Logical topic and records, partition by partition in offset order. Unavailable when a broker is away."""
        known = await self._cluster.partitions(self._topics)
        self.missing = tuple(name for name in self._topics if name not in known)
        parts = [TopicPartition(self._cluster.prefix + name, at) for name in known for at in known[name]]
        if not parts:
            return
        reader = self._cluster.reader()
        try:
            await begin(reader)
            ends = await self._sought(reader, parts)
            async for topic, records in self._until(reader, ends):
                yield topic, records
        except (KafkaError, KafkaConnectionError, OSError) as error:
            raise Unavailable(Code.BROKER_UNAVAILABLE, f"reading failed ({type(error).__name__})") from None
        finally:
            await reader.stop()

    async def _sought(self, reader: AIOKafkaConsumer, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Put the reader where we were; the end offsets of those partitions that hold something further."""
        begins, ends = await reader.beginning_offsets(parts), await reader.end_offsets(parts)
        self.emptied = any(0 < begins[part] == ends[part] for part in parts)
        fresh = [part for part in parts if part not in self._positions]
        if fresh and self._since_ms is not None:
            times = await reader.offsets_for_times(dict.fromkeys(fresh, self._since_ms))
            self._positions |= {part: one.offset if one else ends[part] for part, one in times.items()}
        for part in parts:
            self._positions[part] = max(self._positions.get(part, 0), begins[part])
        open_ones = {part: ends[part] for part in parts if ends[part] > self._positions[part]}
        if open_ones:  # a partition without a position keeps a groupless consumer from stopping (aiokafka 0.14)
            reader.assign(list(open_ones))
        for part in open_ones:
            reader.seek(part, self._positions[part])
        return open_ones

    async def _until(
        self, reader: AIOKafkaConsumer, ends: dict[TopicPartition, int]
    ) -> AsyncIterator[tuple[str, list[Any]]]:
        last_news = time.monotonic()
        while ends:
            for part, records in (await reader.getmany(*ends, timeout_ms=200, max_records=5000)).items():
                wanted = [one for one in records if one.offset < ends[part]]
                last_news = time.monotonic()
                yield part.topic.removeprefix(self._cluster.prefix), wanted
            for part in list(ends):
                self._positions[part] = min(await reader.position(part), ends[part])
                if self._positions[part] >= ends[part]:
                    del ends[part]
                    reader.pause(part)
            if time.monotonic() - last_news > STALL_SECONDS:
                raise Unavailable(Code.BROKER_UNAVAILABLE, "a topic could not be read to its end")

"""What the harness does on the cluster: make topics, read them whole, see what a group has committed."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from streams.clients import begin

CLEANING: Final = {"log.cleaner.backoff.ms": "500"}
"""Setting of the attacked brokers: Kafka looks for what to compact every 15 s, longer than an attack lasts."""
READ_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic to be made."""

    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


async def create(bootstrap: str, topics: Mapping[str, Wanted], replicas: int) -> None:
    """Make the topics and wait until each has all its leaders."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await begin(admin)
    try:
        made = [
            NewTopic(name, wanted.partitions, replicas, topic_configs=dict(wanted.config))
            for name, wanted in topics.items()
        ]
        await admin.create_topics(made)
        deadline = time.monotonic() + READ_SECONDS
        while not await _led(admin, topics):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no leaders for {', '.join(topics)}")
            await asyncio.sleep(0.1)
    finally:
        await admin.close()


async def _led(admin: Any, topics: Mapping[str, Wanted]) -> bool:
    described = await admin.describe_topics(list(topics))
    return all(
        one["error_code"] == 0 and all(part["leader"] >= 0 and part["isr"] for part in one["partitions"])
        for one in described
    ) and len(described) == len(topics)


async def read_all(bootstrap: str, topics: Mapping[str, int]) -> list[Any]:
    """Every record of the topics (name: partitions), in order within a partition."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=8 << 20, fetch_max_wait_ms=100
    )
    await begin(reader)
    try:
        places = [TopicPartition(name, number) for name, count in topics.items() for number in range(count)]
        ends = await reader.end_offsets(places)
        reader.assign(places)
        await reader.seek_to_beginning(*places)
        found: list[Any] = []
        deadline = time.monotonic() + READ_SECONDS
        while True:
            behind = [place for place in places if await reader.position(place) < ends[place]]
            if not behind:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"not read to the end: {behind}")
            for records in (await reader.getmany(timeout_ms=200)).values():
                found.extend(records)
    finally:
        await reader.stop()


async def all_committed(bootstrap: str, group: str, topic: str, partitions: Iterable[int]) -> bool:
    """Has the group committed everything that the topic holds? False also while the cluster cannot say."""
    places = [TopicPartition(topic, number) for number in partitions]
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        await begin(reader)
        await begin(admin)
        ends = await asyncio.wait_for(reader.end_offsets(places), 10)
        committed = await asyncio.wait_for(admin.list_consumer_group_offsets(group, partitions=places), 10)
    except (KafkaError, TimeoutError):
        return False
    finally:
        await reader.stop()
        await admin.close()
    return all(committed[place].offset >= end for place, end in ends.items() if end and place in committed) and all(
        place in committed for place, end in ends.items() if end
    )

"""The Kafka clients of a shell, with every setting that its promises rest on. Tests put their own in their place."""

import asyncio
from collections.abc import Collection
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.errors import Code, Unavailable
from streams.shell_settings import ShellSettings
from streams.topic_facts import TopicFacts, TopicsRequest, topic_facts

BUILDER_BYTES = 64 * 1024 * 1024
"""No batch builder says "full" by itself: the shell keeps the limits, and a batch must never miss a record."""
MAX_POLL_MS = 300_000
"""Replay happens between two polls; a shell that stands still is ended long before by other means."""


START_SECONDS = 2.0
"""How long a start may go on that nobody waits for any more."""


async def begin(client: Any) -> None:
    """Start a client of aiokafka; one that cannot be started, or need not be any more, is given back.

    A cancellation waits a moment for the start to end: broken off between its connection and the first answer,
    aiokafka 0.14 forgets the connection, and nobody could close it.
    """
    start = asyncio.ensure_future(client.start())
    try:
        await asyncio.shield(start)
    except BaseException:
        await asyncio.wait({start}, timeout=START_SECONDS)
        start.cancel()
        await asyncio.gather(start, return_exceptions=True)
        await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
        raise


class Clients(Protocol):
    """Makes what a shell talks to. The methods are called inside the running loop."""

    def producer(self, settings: ShellSettings) -> Any:
        """An idempotent producer, not started."""

    def consumer(self, settings: ShellSettings, group: str) -> Any:
        """A consumer of the group that commits by hand, not started."""

    def reader(self, settings: ShellSettings) -> Any:
        """A consumer without a group, not started."""

    async def facts(self, producer: Any, names: Collection[str]) -> dict[str, TopicFacts]:
        """Id and partitions of those of the topics that exist; `producer` is started."""


class AiokafkaClients:
    """The real ones."""

    def producer(self, settings: ShellSettings) -> Any:
        """Idempotent, acks=all, no linger: batches come prepared."""
        return AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=BUILDER_BYTES,
            request_timeout_ms=_ms(settings.request_seconds),
            **settings.security,
        )

    def consumer(self, settings: ShellSettings, group: str) -> Any:
        """Static member where the settings name an instance; eager rebalances, as aiokafka knows no others."""
        return AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            group_id=group,
            group_instance_id=settings.instance_id,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=500,
            max_partition_fetch_bytes=settings.partition_fetch_bytes,
            session_timeout_ms=_ms(settings.session_seconds),
            heartbeat_interval_ms=_ms(settings.heartbeat_seconds),
            rebalance_timeout_ms=_ms(2 * settings.session_seconds),
            max_poll_interval_ms=MAX_POLL_MS,
            request_timeout_ms=_ms(settings.request_seconds),
            **settings.security,
        )

    def reader(self, settings: ShellSettings) -> Any:
        """Reads changelogs; what is not committed by a transaction of somebody is not read."""
        return AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=settings.partition_fetch_bytes,
            request_timeout_ms=_ms(settings.request_seconds),
            **settings.security,
        )

    async def facts(self, producer: Any, names: Collection[str]) -> dict[str, TopicFacts]:
        """Asked from any broker. Unavailable(`broker-unavailable`) when none answers."""
        client = producer.client
        for _ in range(10):
            node = client.get_random_node()
            try:
                return topic_facts(await client.send(node, TopicsRequest(sorted(names))))
            except (KafkaError, KafkaConnectionError):
                await client.force_metadata_update()
                await asyncio.sleep(0.2)
        raise Unavailable(Code.BROKER_UNAVAILABLE, "no broker answered a metadata request")


def _ms(seconds: float) -> int:
    return int(seconds * 1000)

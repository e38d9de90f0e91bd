"""The Kafka clients of a shell, with every setting that its promises rest on. Tests put their own in their place."""

import asyncio
from collections.abc import Collection
from typing import Any, Final, Protocol

import structlog
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
FLUSH_SECONDS = 0.8
"""How long a producer that is given back may go on sending, and then how long its sender may take to end."""

log: Final = structlog.get_logger("streams.clients")


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


class BoundedProducer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka ships no types
    """aiokafka's producer, whose `stop` ends also when what waits in it cannot be sent.

    An idempotent one never lets a batch expire (aiokafka 0.14), so its own `stop` waits for as long as the brokers are
    away or the producer is stuck (aiokafka 1017); broken off there, its sender lives on, and sends what nobody waits
    for whenever it can. Every producer that may be discarded is one of these.
    """

    async def stop(self) -> None:
        """Flush for a moment, then give up what is left and close every connection. KafkaError as aiokafka's own."""
        ending = asyncio.ensure_future(super().stop())
        try:
            await asyncio.wait({ending}, timeout=FLUSH_SECONDS)
            if not ending.done():
                self._sender.sender_task.cancel()
                await self.client.close()  # what is on the wire ends, and with it the sender
                await asyncio.wait({ending}, timeout=FLUSH_SECONDS)
                log.warning("producer_discarded", given_up=self._given_up())
            if ending.done():
                ending.result()
        finally:
            if not ending.done():
                self._sender.sender_task.cancel()
                ending.cancel()

    def _given_up(self) -> int:
        """Fail every batch that waits, and say how many; nobody need look at their futures."""
        accumulator = self._message_accumulator
        # One that was tried has a callback that takes it out of there, and fails where it is not.
        accumulator._pending_batches.update(one for some in accumulator._batches.values() for one in some)  # noqa: SLF001
        accumulator._batches.clear()  # noqa: SLF001
        waiting = list(accumulator._pending_batches)  # noqa: SLF001
        for batch in waiting:
            for future in (batch.future, batch._drain_waiter, *(one for one, _ in batch._msg_futures)):  # noqa: SLF001
                future.add_done_callback(_looked_at)
        accumulator.fail_all(KafkaError("the producer was discarded"))
        return len(waiting)


def _looked_at(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()


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

    async def members(self, settings: ShellSettings, group: str) -> list[str]:
        """Member ids of the group. May raise KafkaError, OSError."""


class AiokafkaClients:
    """The real ones."""

    def producer(self, settings: ShellSettings) -> Any:
        """Idempotent, acks=all, no linger: batches come prepared."""
        return BoundedProducer(
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

    async def members(self, settings: ShellSettings, group: str) -> list[str]:
        """As the group's coordinator tells them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, **settings.security)
        await begin(admin)
        try:
            told = await admin.describe_consumer_groups([group])
        finally:
            await admin.close()
        groups = [one for answer in told for one in answer.to_object()["groups"]]
        return [member["member_id"] for one in groups for member in one["members"]]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)

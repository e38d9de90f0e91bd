"""The Kafka clients of a shell, with every setting that its promises rest on. Tests put their own in their place."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
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


class FrankConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """aiokafka's consumer, which says that its fetching has ended.

    A write to a connection that was reset meanwhile ends the routine behind aiokafka 0.14's consumer, which looks at
    nobody's end: `getmany` gives nothing for ever, like an input that is idle (aiokafka 1037). Found by `sztab prove`
    (slow-line): a lane stood still for two minutes, until the watchdog ended its process.
    """

    async def getmany(self, *partitions: Any, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        """As aiokafka's. KafkaError when nothing will be fetched any more."""
        self._look()
        return await super().getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)

    async def getone(self, *partitions: Any) -> Any:
        """As aiokafka's, which waits for ever where nothing comes. KafkaError when nothing will be fetched any more."""
        while True:
            self._look()
            waiting = asyncio.ensure_future(super().getone(*partitions))
            ended = self._fetcher.error_future
            try:
                await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    return waiting.result()
            finally:
                waiting.cancel()

    async def stop(self) -> None:
        """As aiokafka's, which leaves its connections open where the fetching had ended, or when it is broken off."""
        told = self._fetching_ended()
        stopping = asyncio.ensure_future(super().stop())
        try:
            await asyncio.wait({stopping})
        finally:
            broken_off = not stopping.done() or stopping.cancelled()
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)
            if broken_off or told:
                with suppress(KafkaError):
                    await self._fetcher.close()
                await self._client.close()
        if not stopping.cancelled() and (error := stopping.exception()) is not None and not told:
            raise error

    def _look(self) -> None:
        if self._fetching_ended() and not self._closed:
            raise KafkaError("the fetching of this consumer has ended")

    def _fetching_ended(self) -> bool:
        fetching = self._fetcher.error_future if self._fetcher is not None else None
        return fetching is not None and fetching.done()


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
        return FrankConsumer(
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
        return FrankConsumer(
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

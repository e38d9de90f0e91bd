"""One lane of one recipient: reads its outbox, hands deliveries to the courier, commits the finished head run.

Parallel over subjects, one after the other within one. Memory is bounded for each partition: a full one is paused
until half of what it holds is finished, the others go on.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from ops.delivering.courier import Courier
from ops.delivering.headrun import HeadRun
from ops.delivering.lead import Lead
from ops.delivering.memory import Place
from ops.delivering.messages import travelling
from ops.reading import Cluster
from schemas.delivery import Delivery
from schemas.envelope import legible
from schemas.errors import Code, Rejected
from schemas.topics import outbox
from schemas.wire import payload
from streams.clients import begin

RECIPIENT_GROUP: Final = "deliver"

log = structlog.get_logger()


@dataclass(frozen=True)
class Limits:
    """How much one lane does at once."""

    tries: int = 32
    """Tries at the same time."""
    held_records: int = 500
    """Deliveries held of one partition, waiting ones included."""
    held_bytes: int = 16 * 1024 * 1024
    """Bytes held of one partition."""
    commit_seconds: float = 0.25


@dataclass
class Owned:
    """One partition that this lane holds: how far it may be committed, and what waits in it by subject."""

    run: HeadRun
    committed: int
    waiting: dict[str, deque[Any]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Lane(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    """`run` works until cancelled or until the recipient stops (StoppedError).

    `catch_up` brings the recipient's memory up to date; called whenever partitions are taken over. The urgent lane
    `leads`, the routine one `follows` (see `lead`).
    """

    def __init__(
        self,
        cluster: Cluster,
        courier: Courier,
        lane: str,
        instance: str | None,
        catch_up: Callable[[], Awaitable[None]],
        limits: Limits | None = None,
        *,
        leads: Lead | None = None,
        follows: Lead | None = None,
    ) -> None:
        self._cluster = cluster
        self._courier = courier
        self._lane = lane
        self._instance = instance
        self._catch_up = catch_up
        self._limits = limits or Limits()
        self._leads, self._follows = leads, follows
        self._slots = asyncio.Semaphore(self._limits.tries)
        self._owned: dict[TopicPartition, Owned] = {}
        self._settled = asyncio.Event()
        self._generation = 0
        self._broken: asyncio.Future[None] | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self.holding: tuple[int, ...] | None = None
        """Partitions held, None before the first word on ownership; for readiness (`ops.health.Held`)."""
        self.committed_at: dict[int, float] = {}
        """When each held partition was last committed, monotonic seconds."""

    @property
    def topic(self) -> str:
        """The full name of the outbox."""
        return self._cluster.prefix + outbox(self._courier.recipient, self._lane)

    @property
    def group(self) -> str:
        """The consumer group: one for each recipient and lane."""
        return f"{self._cluster.prefix}{RECIPIENT_GROUP}.{self._courier.recipient}.{self._lane}"

    async def run(self) -> None:
        """Deliver until cancelled. StoppedError when the recipient stopped, KafkaError when the broker is away."""
        consumer = self._consumer = self._cluster.consumer(self.group, self._instance)
        self._broken = asyncio.get_running_loop().create_future()
        consumer.subscribe([self.topic], listener=self)
        try:
            await begin(consumer)
            await self._work(consumer)
        finally:
            await self._leave(consumer)
            await consumer.stop()
            if self._broken.done() and not self._broken.cancelled():
                self._broken.exception()

    async def _work(self, consumer: AIOKafkaConsumer) -> None:
        assert self._broken is not None
        next_commit = time.monotonic()
        while True:
            if self._broken.done():
                self._broken.result()
            await self._settled.wait()
            if self._follows is not None and not await self._follows.known():
                continue
            generation = self._generation
            fetched = await consumer.getmany(timeout_ms=100, max_records=self._limits.held_records)
            if generation != self._generation or not self._settled.is_set():
                continue  # ownership changed meanwhile; what was fetched is sought again
            for part, records in fetched.items():
                for one in records:
                    self._take(part, one)
            self._breathe(consumer)
            if time.monotonic() >= next_commit:
                await self._commit(consumer, list(self._owned))
                next_commit = time.monotonic() + self._limits.commit_seconds

    def _take(self, part: TopicPartition, one: Any) -> None:
        owned = self._owned[part]
        if not owned.run.take(one.offset, len(one.value or b"")):
            return
        if self._leads is not None:
            self._leads.came(part, one.offset, lambda: _delivery(one))
        key = (one.key or b"").hex()
        waiting = owned.waiting.get(key)
        if waiting is not None:
            waiting.append(one)
            return
        owned.waiting[key] = deque([one])
        task = asyncio.create_task(self._subject(owned, key, part.partition), name=f"deliver {self.group}")
        owned.tasks.add(task)
        task.add_done_callback(owned.tasks.discard)
        task.add_done_callback(self._ended)

    async def _subject(self, owned: Owned, key: str, partition: int) -> None:
        """The deliveries of one subject, in order, until none waits."""
        waiting = owned.waiting[key]
        while waiting:
            one = waiting[0]
            await self._deliver(one, (self._lane, partition, one.offset))
            waiting.popleft()
            owned.run.finish(one.offset)
        del owned.waiting[key]

    async def _deliver(self, one: Any, place: Place) -> None:
        try:
            delivery, passed_on = _delivery(one), travelling(one.headers)
        except Rejected as error:
            await self._courier.refuse(legible(one.headers, "deliveryid"), one.value, place, error)
            return
        follows = self._follows is not None
        await self._courier.carry(delivery, place, self._slots, passed_on, follows=follows)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A subject's task that broke ends the lane: what it held is not committed."""
        error = None if task.cancelled() else task.exception()
        if error is not None and self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    def _breathe(self, consumer: AIOKafkaConsumer) -> None:
        """Pause partitions that hold enough, take up those that hold half of it."""
        paused = consumer.paused()
        for part, owned in self._owned.items():
            share = max(owned.run.held / self._limits.held_records, owned.run.held_bytes / self._limits.held_bytes)
            if share >= 1 and part not in paused:
                consumer.pause(part)
            elif share <= 0.5 and part in paused:
                consumer.resume(part)

    async def _commit(self, consumer: AIOKafkaConsumer, parts: Collection[TopicPartition]) -> None:
        held = [(part, self._owned[part]) for part in parts if part in self._owned]
        ahead = {part: one.run.position for part, one in held if one.run.position > one.committed}
        if not ahead:
            return
        try:
            await consumer.commit(ahead)
        except KafkaError as error:  # a rebalance or an outage: tried again with the next round, or by the next owner
            log.debug("commit_failed", group=self.group, error=type(error).__name__)
            return
        for part, position in ahead.items():
            if part in self._owned:
                self._owned[part].committed = position
                self.committed_at[part.partition] = time.monotonic()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Stop what is under way, commit what is finished, give up."""
        self._settled.clear()
        if self._leads is not None:
            self._leads.lost()
        self._generation += 1
        self.committed_at.clear()
        consumer = self._consumer
        for part in revoked:
            await _cancelled(self._owned[part].tasks if part in self._owned else set())
        if consumer is not None:
            await self._commit(consumer, revoked)
        await self._drop(revoked)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Learn what others have delivered meanwhile, then begin at the committed offsets."""
        try:
            await self._take_over(assigned)
        except Exception as error:  # noqa: BLE001 - aiokafka would only log it, and the lane would stand still for ever
            if self._broken is not None and not self._broken.done():
                self._broken.set_exception(error)
        self.holding = tuple(sorted(part.partition for part in assigned))
        self._generation += 1
        self._settled.set()

    async def _take_over(self, assigned: Collection[TopicPartition]) -> None:
        consumer = self._consumer
        assert consumer is not None
        await self._catch_up()
        begins = await consumer.beginning_offsets(list(assigned)) if assigned else {}
        starts: dict[TopicPartition, int] = {}
        for part in assigned:
            starts[part] = start = max(await consumer.committed(part) or 0, begins[part])
            consumer.seek(part, start)
            self._owned[part] = Owned(HeadRun(start), start)
            self._courier.memory.starts_at(self._lane, part.partition, start)
        if self._leads is not None:
            self._leads.begins(starts, await consumer.end_offsets(list(assigned)) if assigned else {})

    async def _leave(self, consumer: AIOKafkaConsumer) -> None:
        """Stop what is under way and commit what is finished, so that the next start repeats little."""
        if self._leads is not None:
            self._leads.lost()
        for owned in self._owned.values():
            await _cancelled(owned.tasks)
        await self._commit(consumer, list(self._owned))
        self._owned.clear()

    async def _drop(self, parts: Collection[TopicPartition]) -> None:
        for part in parts:
            owned = self._owned.pop(part, None)
            if owned is not None:
                await _cancelled(owned.tasks)


def _delivery(one: Any) -> Delivery:
    told = payload(one.headers, one.value)
    if not isinstance(told, Delivery):
        raise Rejected(Code.RECORD_INVALID, "not a delivery", "/type")
    return told


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel and wait; what they raise was told to the lane already."""
    running = list(tasks)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

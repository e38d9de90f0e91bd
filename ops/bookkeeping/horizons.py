"""How far each stage has worked: until when everything that had come to it is done, and what it wrote can be read.

A stage is asked in legs: the ends of its topics, then whether its groups have committed up to them. So it need not be
at rest to be held to account (decision 0502 asked for rest): what was there when the ends were taken is done as soon as
the commits have passed them, however much came since.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from ops.ledger_rows import DELIVER, INCIDENTS, ROUTE
from ops.reading import Cluster
from schemas.errors import Code, Unavailable
from schemas.topics import FACTS, INTAKE, LANES, LOG, outbox
from streams.clients import begin

ASK_SECONDS: Final = 15.0

STOP_SECONDS: Final = 5.0

Leg = Sequence[tuple[str, str]]
"""Groups with the topics that they read, by logical names."""


def legs(stage: str) -> tuple[Leg, ...]:
    """What must be passed, one after the other, before the work of a stage is done."""
    if stage == INCIDENTS:
        return (tuple((f"normalise.{topic}", topic) for topic in INTAKE), ((f"incidents.{LOG}", LOG),))
    if stage == ROUTE:
        return (((f"route.{FACTS}", FACTS),),)
    who = stage.removeprefix(DELIVER)
    return (tuple((f"deliver.{who}.{lane}", outbox(who, lane)) for lane in LANES),)


async def given_back(client: Any) -> None:
    """Stop a client, whatever it makes of it.

    In an outage a consumer of aiokafka 0.14 that has a request under way ends its `stop` as if we were cancelled, and
    leaves its connections open: they are closed here.
    """
    stopping = asyncio.ensure_future(client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
    await asyncio.wait({stopping}, timeout=STOP_SECONDS)
    broken_off = not stopping.done() or stopping.cancelled()
    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    if broken_off:
        await client._client.close()  # noqa: SLF001 - there is no other way to them


@dataclass
class _Asked:
    """One stage: since when it is asked, which leg is open, up to which ends; and the last answer."""

    since_ms: int = 0
    leg: int = 0
    ends: dict[TopicPartition, int] | None = None
    horizon_ms: int = 0


@dataclass
class Horizons:
    """Asks the cluster by clients of its own, made at the first question and anew after a failure."""

    cluster: Cluster
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _places: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None

    async def of(self, stages: Iterable[str]) -> dict[str, int]:
        """Stage -> the time (epoch ms) before which all that had come to it is done. Unavailable without a broker."""
        async with self._answered():
            return {stage: await self._advance(stage) for stage in stages}

    async def ends(self, topics: Collection[str]) -> dict[tuple[str, int], int]:
        """The ends of topics now, by topic and partition. Unavailable without a broker.

        Asked by a client that waits for no records: behind a fetch that waits, the answer would wait as long.
        """
        async with self._answered():
            found = await self._ends([("", topic) for topic in topics])
            return {(part.topic.removeprefix(self.cluster.prefix), part.partition): end for part, end in found.items()}

    @asynccontextmanager
    async def _answered(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                yield
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            detail = f"no stage can be asked how far it is ({type(error).__name__})"
            raise Unavailable(Code.BROKER_UNAVAILABLE, detail) from None

    async def close(self) -> None:
        """Give the clients back. Also twice."""
        clients, self._clients = self._clients, None
        if clients is not None:
            for client in clients:
                await given_back(client)

    async def _advance(self, stage: str) -> int:
        way = legs(stage)
        asked = self._asked.setdefault(stage, _Asked())
        if asked.ends is None:
            asked.since_ms, asked.leg = int(time.time() * 1000), 0
            asked.ends = await self._ends(way[0])
        while await self._passed(way[asked.leg], asked.ends):
            asked.leg += 1
            if asked.leg == len(way):
                asked.horizon_ms, asked.ends = asked.since_ms, None
                break
            asked.ends = await self._ends(way[asked.leg])
        return asked.horizon_ms

    async def _ends(self, leg: Leg) -> dict[TopicPartition, int]:
        _, reader = await self._started()
        missing = [topic for _, topic in leg if topic not in self._places]
        if missing:
            self._places |= await self.cluster.partitions(missing)
        prefix = self.cluster.prefix
        parts = [TopicPartition(prefix + topic, at) for _, topic in leg for at in self._places.get(topic, ())]
        # A topic that does not exist holds nothing.
        return dict(await reader.end_offsets(parts)) if parts else {}

    async def _passed(self, leg: Leg, ends: dict[TopicPartition, int]) -> bool:
        admin, reader = await self._started()
        begins: dict[TopicPartition, int] | None = None
        for group, topic in leg:
            full = self.cluster.prefix + topic
            its = {part: end for part, end in ends.items() if part.topic == full and end > 0}
            if not its:
                continue
            commits = await admin.list_consumer_group_offsets(self.cluster.prefix + group)
            for part, end in its.items():
                told = commits.get(part)
                if told is not None and told.offset >= end:
                    continue
                begins = begins or dict(await reader.beginning_offsets(list(ends)))
                if max(begins[part], told.offset if told else -1) < end:
                    return False
        return True

    async def _started(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._clients is None:
            self._clients = (self.cluster.admin(), self.cluster.reader())
            for client in self._clients:
                await begin(client)
        return self._clients

"""The topics as quarantine uses them: the shelf kept up to date, single records read again, acts written."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from ops.aside.shelf import Shelf
from ops.reading import Cluster, Reading
from schemas.errors import Code, Rejected, Unavailable
from schemas.topics import QUARANTINE
from streams.clients import begin
from streams.contract import Output

FETCH_SECONDS: Final = 10.0

MakeCluster = Callable[[], Cluster]
"""Where the cluster is now."""


class Shelved:
    """The shelf of an installation: each `fresh()` reads what came since the last one. One reads at a time.

    `cluster` is asked each time: an embedded broker may come back at another address, and then all is read anew.
    """

    def __init__(self, cluster: MakeCluster) -> None:
        self._cluster, self._one = cluster, asyncio.Lock()
        self._shelf, self._servers = Shelf(), ""
        self._reading: Reading | None = None

    @property
    def now(self) -> Shelf:
        """As it was read last."""
        return self._shelf

    async def fresh(self) -> Shelf:
        """As it is now. Unavailable without a broker."""
        async with self._one:
            cluster = self._cluster()
            if self._reading is None or cluster.bootstrap_servers != self._servers:
                self._shelf, self._servers = Shelf(), cluster.bootstrap_servers
                self._reading = Reading(cluster, [QUARANTINE])
            async for _, records in self._reading.on():
                for one in records:
                    self._shelf.take(one)
            return self._shelf


class Pen:
    """Writes records; every call returns once the broker has acknowledged. Unavailable otherwise: write again later."""

    def __init__(self, cluster: Cluster, producer: AIOKafkaProducer) -> None:
        self._prefix, self._producer = cluster.prefix, producer

    async def write(self, *outputs: Output) -> None:
        """Write in order, one after the other."""
        for one in outputs:
            await self._send(one, None)

    async def put_back(self, output: Output, partition: int) -> None:
        """Write a record into the partition of a topic that it came from."""
        await self._send(output, partition)

    async def _send(self, one: Output, partition: int | None) -> None:
        topic, headers = self._prefix + one.topic, list(one.headers)
        try:
            await self._producer.send_and_wait(
                topic, key=one.key, value=one.value, headers=headers, partition=partition
            )
        except (KafkaError, OSError) as error:
            raise _unwritten(error) from None


@asynccontextmanager
async def pen(cluster: Cluster) -> AsyncIterator[Pen]:
    """Something to write with, for as long as the context. Unavailable when no broker is there."""
    producer = cluster.producer()
    try:
        try:
            await begin(producer)
        except (KafkaError, OSError) as error:
            raise _unwritten(error) from None
        yield Pen(cluster, producer)
    finally:
        await producer.stop()


def _unwritten(error: BaseException) -> Unavailable:
    return Unavailable(Code.BROKER_UNAVAILABLE, f"it cannot be written down ({type(error).__name__}): nothing is done")


async def fetched(cluster: Cluster, topic: str, partition: int, offset: int) -> Any:
    """One record at its place. Rejected(`unknown-here`) when retention has taken it; Unavailable without a broker."""
    reader, place = cluster.reader(), TopicPartition(cluster.prefix + topic, partition)
    gone = Rejected(Code.UNKNOWN_HERE, f"the record is no longer in {topic}")
    try:
        await begin(reader)
        first, end = (await reader.beginning_offsets([place]))[place], (await reader.end_offsets([place]))[place]
        if not first <= offset < end:
            raise gone
        reader.assign([place])
        reader.seek(place, offset)
        async with asyncio.timeout(FETCH_SECONDS):
            found = await reader.getone(place)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(Code.BROKER_UNAVAILABLE, f"reading failed ({type(error).__name__})") from None
    finally:
        await reader.stop()
    if found.offset != offset:
        raise gone
    return found

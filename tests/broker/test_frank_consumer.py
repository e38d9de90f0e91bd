"""A consumer whose fetching has ended says so: aiokafka's own gives nothing for ever."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ops.reading import Cluster
from schemas.topics import RECEIPTS
from tests.broker.outboxes import made
from tests.waiting import until


async def reading(kafka, prefix) -> AIOKafkaConsumer:
    """A started reader of an empty topic, whose next request meets a connection that is closed underneath."""
    there = Cluster(kafka.bootstrap_servers, prefix)
    await made(there, ["far"])
    reader = there.reader()
    await reader.start()
    reader.assign([TopicPartition(prefix + RECEIPTS, 0)])
    assert await reader.getmany(timeout_ms=200) == {}

    async def closed(*_, **__):
        raise RuntimeError("unable to perform operation on a transport; the handler is closed")

    reader._client.send = closed
    return reader


async def test_getmany_says_that_nothing_will_come_any_more(kafka, prefix) -> None:
    """Within one fetch of the end, not after a watchdog's two minutes."""
    reader = await reading(kafka, prefix)

    async def said() -> bool:
        try:
            await reader.getmany(timeout_ms=50)
        except KafkaError:
            return True
        return False

    try:
        await until(said, 20, "the end is said")
    finally:
        await reader.stop()


async def test_getone_ends_its_waiting(kafka, prefix) -> None:
    """Who waits for one record is told, too; and who stops waiting takes none away."""
    reader = await reading(kafka, prefix)
    try:
        with pytest.raises(KafkaError):
            await asyncio.wait_for(reader.getone(), 20)
    finally:
        await reader.stop()


async def test_a_stop_that_is_broken_off_leaves_nothing_open(kafka, prefix) -> None:
    """In an outage aiokafka's stop may end as if it were cancelled; what it had open is closed all the same."""
    there = Cluster(kafka.bootstrap_servers, prefix)
    await made(there, ["far"])
    reader = there.reader()
    await reader.start()
    reader.assign([TopicPartition(prefix + RECEIPTS, 0)])
    await reader.getmany(timeout_ms=200)

    async def cancelled() -> None:
        raise asyncio.CancelledError

    close, reader._coordinator.close = reader._coordinator.close, cancelled
    await reader.stop()
    assert not any(one.connected() for one in reader._client._conns.values())
    await close()

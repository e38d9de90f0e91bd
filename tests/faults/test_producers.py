"""A producer that cannot send is given back whole: nothing of it lives on, sends later, or keeps a connection."""

import asyncio
import time

from aiokafka.errors import KafkaError

from ops.broker import EmbeddedKafka
from ops.prove import cluster_io
from ops.prove.cluster_io import Wanted
from ops.reading import Cluster
from tests.leftovers import tasks_left


async def test_a_producer_is_given_back_while_no_broker_answers(cluster: EmbeddedKafka, prefix: str) -> None:
    """An outage must not leave one behind for each that was discarded."""
    topic = f"{prefix}in"
    await cluster_io.create(cluster.bootstrap_servers, {topic: Wanted(1)}, 3)
    before = asyncio.all_tasks()
    producer = Cluster(cluster.bootstrap_servers, prefix).producer()
    await producer.start()
    await producer.send_and_wait(topic, b"first")
    for number in cluster.numbers:
        cluster.freeze(number)
    sent = await producer.send(topic, b"second")
    began = time.monotonic()
    await producer.stop()
    assert time.monotonic() - began < 10
    assert isinstance(sent.exception(), KafkaError)
    assert await tasks_left(before) == []
    assert [one for one in producer.client._conns.values() if one.connected()] == []


async def test_a_start_and_a_stop_without_an_outage_lose_nothing(cluster: EmbeddedKafka, prefix: str) -> None:
    """What was handed over right before the stop is sent: a moment is enough where brokers answer."""
    topic = f"{prefix}in"
    await cluster_io.create(cluster.bootstrap_servers, {topic: Wanted(1)}, 3)
    producer = Cluster(cluster.bootstrap_servers, prefix).producer()
    await producer.start()
    sent = [await producer.send(topic, b"%d" % number) for number in range(200)]
    await producer.stop()
    assert [(await one).offset for one in sent] == list(range(200))

"""The fault proxy before a real broker: clients go through it and nowhere else, and what it does reaches them."""

import asyncio
import os

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from ops.broker import EmbeddedKafka, layout
from ops.prove.proxy import BLACK_HOLE, Fault, FaultProxy, Line
from tests.waiting import until

BYTES = 100_000


@pytest.fixture
async def proxies():
    """Proxies that are stopped afterwards."""
    made: list[FaultProxy] = []
    yield made
    for proxy in made:
        await proxy.stop()


async def put_before(made, port):
    """A started proxy before a port."""
    proxy = FaultProxy((layout.HOST, port))
    await proxy.start()
    made.append(proxy)
    return proxy


async def create(bootstrap, topic, replicas):
    """A topic of one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()


async def test_clients_go_through_the_proxy_and_a_black_hole_stops_them(tmp_path, proxies):
    """A record's bytes pass the counters, though the client was only told the first address; silence is felt."""
    (port,) = layout.free_ports(1)
    proxy = await put_before(proxies, port)
    kafka = EmbeddedKafka(tmp_path, 1, [port], advertised={1: proxy.port})
    try:
        await asyncio.to_thread(kafka.up)
        assert kafka.bootstrap_servers == f"127.0.0.1:{proxy.port}"
        await create(kafka.bootstrap_servers, "t", 1)
        before = proxy.figures.bytes_up
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all", request_timeout_ms=2000)
        await producer.start()
        try:
            assert {(node.host, node.port) for node in producer.client.cluster.brokers()} == {("127.0.0.1", proxy.port)}
            await producer.send_and_wait("t", os.urandom(BYTES))
            assert proxy.figures.bytes_up - before > BYTES
            proxy.set(Fault.both(BLACK_HOLE))
            with pytest.raises((KafkaError, TimeoutError)):
                async with asyncio.timeout(6):
                    await producer.send_and_wait("t", b"into the hole")
            assert proxy.figures.swallowed > 0
            proxy.set(Fault())
            await producer.send_and_wait("t", b"healed")
        finally:
            await producer.stop()
        # Our own word on readiness does not go through the proxy: a fault is no broken broker.
        proxy.set(Fault(refuse=True))
        assert (await asyncio.to_thread(kafka.status))[0].answers
    finally:
        await asyncio.to_thread(kafka.down, 0)


async def test_brokers_meet_through_proxies_of_their_own(tmp_path, proxies):
    """Replication goes through the second set of proxies, and a narrow one holds back an acknowledgement by all."""
    numbers = (1, 2, 3)
    ports = layout.free_ports(6)
    clients = {number: await put_before(proxies, ports[number - 1]) for number in numbers}
    apart = {number: await put_before(proxies, ports[number + 2]) for number in numbers}
    kafka = EmbeddedKafka(
        tmp_path,
        3,
        ports[:3],
        advertised={number: proxy.port for number, proxy in clients.items()},
        between={number: (ports[number + 2], proxy.port) for number, proxy in apart.items()},
    )
    try:
        await asyncio.to_thread(kafka.up)
        await create(kafka.bootstrap_servers, "t", 3)
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as producer:
            await producer.send_and_wait("t", os.urandom(BYTES))

            def carried():
                return sum(proxy.figures.bytes_down for proxy in apart.values())

            await until(lambda: carried() > 2 * BYTES, what="both followers have it")
            for proxy in apart.values():
                proxy.set(Fault(down=Line(stall=True)))
            sent = await producer.send("t", b"x")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await asyncio.shield(sent)
            for proxy in apart.values():
                proxy.set(Fault())
            await sent
    finally:
        await asyncio.to_thread(kafka.down, 0)

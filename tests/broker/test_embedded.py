"""The embedded broker as a person meets it: up, down, status, and what a crash leaves behind."""

import json
import socket
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from click.testing import CliRunner

from ops.broker import EmbeddedKafka, layout
from ops.broker.cli import broker
from schemas.errors import Misconfigured
from tests.waiting import wait_until


@pytest.fixture
def own(tmp_path):
    """A data folder whose broker, if a test starts one, is stopped afterwards."""
    yield tmp_path
    EmbeddedKafka(tmp_path / "broker").down(0)


def sztab(folder, *words):
    """Run `sztab broker …` and hand back the exit status and what was printed."""
    result = CliRunner().invoke(broker, [*words, "--data-dir", str(folder)], catch_exceptions=False)
    return result.exit_code, result.output


async def write_one(bootstrap_servers, topic, replicas=1):
    """Create the topic and write one record, acknowledged by all."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, replicas)])
    finally:
        await admin.close()
    await write(bootstrap_servers, topic, b"kept")


async def write(bootstrap_servers, topic, value):
    """Write one record, acknowledged by all replicas in sync."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def read_one(bootstrap_servers, topic):
    """The first record's value."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return (await consumer.getone()).value


async def test_data_and_address_survive_down_and_up(own):
    """What was acknowledged before `down` is read after `up` at the same address."""
    status, printed = sztab(own, "up", "--json")
    before = json.loads(printed)
    assert (status, before["found"]) == (0, [])
    await write_one(before["bootstrap_servers"], "kept")
    assert sztab(own, "down") == (0, "stopped: node 1\n")
    assert sztab(own, "status")[0] == 1
    assert sztab(own, "down") == (0, "no broker ran here\n")
    after = json.loads(sztab(own, "up", "--json")[1])
    assert after["bootstrap_servers"] == before["bootstrap_servers"]
    assert await read_one(after["bootstrap_servers"], "kept") == b"kept"


def test_a_broker_left_behind_is_found_and_named(own):
    """After a crash that lost even the pid file, `up` names the process that still runs and starts no second one."""
    first = json.loads(sztab(own, "up", "--json")[1])
    pid = first["nodes"][0]["process_id"]
    (own / "broker" / "node-1" / "pid").unlink()
    status, printed = sztab(own, "up")
    assert (status, printed.splitlines()[0]) == (0, f"node 1 was running already (pid {pid})")
    status, printed = sztab(own, "status")
    assert status == 0
    assert f"pid {pid}, answers" in printed


def test_status_tells_a_frozen_node_from_a_serving_one(kafka):
    """A node that runs but answers nothing makes the status say so."""
    kafka.freeze(1)
    try:
        (frozen,) = kafka.status()
    finally:
        kafka.thaw(1)
    assert frozen.process_id
    assert not frozen.answers
    wait_until(lambda: kafka.status()[0].answers, what="the node answers again")


def test_fetching_again_needs_no_maven(monkeypatch):
    """`sztab broker fetch` names the folder of the jars; once they are there it runs nothing."""
    monkeypatch.setenv("PATH", "")
    result = CliRunner().invoke(broker, ["fetch"], catch_exceptions=False)
    assert any(Path(result.output.strip()).glob("kafka_2.13-4.3.*.jar"))


def test_a_taken_port_is_named(own):
    """A port that another process took while the broker was down is named, before Java is started."""
    port = layout.free_ports(1)[0]
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Misconfigured, match=f"port {port} of node 1"):
        EmbeddedKafka(own / "broker", 1, [port]).up()


def test_logs_go_to_a_file(kafka):
    """Nothing is printed by the broker; its log file tells its version."""
    (node,) = kafka.status()
    folder = kafka.data_dir / "node-1"
    assert (folder / "output.log").read_text(encoding="utf-8") == ""
    assert "Kafka version: 4.3." in Path(node.log).read_text(encoding="utf-8")


async def test_three_nodes_survive_one(cluster, prefix):
    """With one node of three dead, an acknowledged record is written and read; the node then comes back."""
    topic = f"{prefix}kept"
    await write_one(cluster.bootstrap_servers, topic, replicas=3)
    cluster.kill(2)
    assert cluster.process_id(2) is None
    left = ",".join(node.address for node in cluster.status() if node.answers)
    assert len(left.split(",")) == 2
    assert await read_one(left, topic) == b"kept"
    await write(left, topic, b"written by two")


def test_down_also_stops_a_frozen_node(own):
    """A node that was frozen is stopped like the others, without the last resort."""
    kafka = EmbeddedKafka(own / "broker", 1)
    kafka.up()
    kafka.freeze(1)
    assert kafka.down() == [1]
    assert kafka.process_id(1) is None

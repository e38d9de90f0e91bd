"""Provisioning on a real cluster."""

import asyncio
import json
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from click.testing import CliRunner

from ops.invocation import Invocation
from ops.provision import nodes, provision, wanted
from ops.provision_cli import provision as provision_command
from ops.provision_cli import provision_installation
from ops.provision_plan import Alter, Create, Grow, Leave, Wanted
from ops.settings import Settings
from ops.settings_parts import InstallationPart, KafkaPart
from schemas.errors import Misconfigured, Unavailable
from schemas.topic import DAY_MS, IN_SYNC
from schemas.topics import LOG, catalogue
from tests.waiting import until


@pytest.fixture
def client(kafka):
    """Options of the clients for the session's broker."""
    return {"bootstrap_servers": kafka.bootstrap_servers}


async def test_the_whole_catalogue_twice_is_nothing_new(client, prefix):
    """The first call makes every topic, a dry run before it none, and the second has nothing to do."""
    desired = wanted(catalogue(["dispatch"]), prefix, 1, 2, {})
    dry = await provision(client, desired, dry_run=True)
    assert dry == [Create(one) for one in desired]
    assert await provision(client, desired, dry_run=False) == dry
    assert await provision(client, desired, dry_run=False) == []


async def test_a_changed_setting_is_altered_and_the_others_stay(client, prefix):
    """Another retention is the only change; what a person set beside ours is still there afterwards."""
    desired = [one for one in wanted(catalogue(), prefix, 1, 2, {}) if one.name == prefix + LOG]
    foreign = NewTopic(prefix + LOG, 2, 1, topic_configs={**desired[0].settings, "segment.bytes": "1048576"})
    await create(client, foreign)
    assert await provision(client, desired, dry_run=False) == []
    longer = [one for one in wanted(catalogue(), prefix, 1, 2, {LOG: 91 * DAY_MS}) if one.name == prefix + LOG]
    (action,) = await provision(client, longer, dry_run=False)
    assert isinstance(action, Alter)
    assert list(action.changes) == ["retention.ms"]
    assert action.settings["segment.bytes"] == "1048576"
    assert await until(lambda: settled(client, longer), what="the cluster has the new setting")


async def test_partitions_grow_but_never_shrink(client, prefix):
    """An empty topic grows; fewer than it has are refused; once it holds a record its state's keys stay put."""
    topic = f"{prefix}log"
    await create(client, NewTopic(topic, 1, 1))
    assert await provision(client, [Wanted(topic, 2, 1, {}, keyed_state=True)], dry_run=False) == [Grow(topic, 1, 2)]
    with pytest.raises(Misconfigured, match="has 2 partitions, 1 are wanted"):
        await provision(client, [Wanted(topic, 1, 1, {})], dry_run=False)
    async with AIOKafkaProducer(**client) as producer:
        await producer.send_and_wait(topic, b"one")
    with pytest.raises(Misconfigured, match="keys would leave their state"):
        await provision(client, [Wanted(topic, 4, 1, {}, keyed_state=True)], dry_run=False)


async def test_a_new_topic_takes_writes_at_once(client, prefix):
    """After provisioning each partition has a leader: the first write needs no retry."""
    await provision(client, [Wanted(f"{prefix}fresh", 8, 1, {})], dry_run=False)
    async with AIOKafkaProducer(**client) as producer:
        for number in range(8):
            await producer.send_and_wait(f"{prefix}fresh", b"one", partition=number)


async def test_a_refused_setting_says_which(client, prefix):
    """What the broker refuses is told with the topic and its reason."""
    with pytest.raises(Unavailable, match=r"InvalidConfig.*cleanup"):
        await provision(client, [Wanted(f"{prefix}bad", 1, 1, {"cleanup.policy": "nonsense"})], dry_run=False)


async def test_three_nodes_hold_three_copies(cluster, prefix):
    """On three nodes the catalogue's topics have three replicas, and the plan is empty afterwards."""
    client = {"bootstrap_servers": cluster.bootstrap_servers}
    count = await nodes(client)
    assert count == 3
    desired = [one for one in wanted(catalogue(), prefix, count, 2, {}) if one.name == prefix + LOG]
    assert desired[0].replicas == 3
    await provision(client, desired, dry_run=False)
    assert await settled(client, desired)


async def test_a_dead_broker_weakens_no_topic(cluster, prefix, tmp_path):
    """With two of three alive nothing that exists is altered, whoever made it; a new topic is not made weaker."""
    client = {"bootstrap_servers": cluster.bootstrap_servers}
    settings = Settings(
        connectors={},
        data_dir=tmp_path,
        installation=InstallationPart(prefix=prefix),
        kafka=KafkaPart(bootstrap_servers=cluster.bootstrap_servers, wide=1),
    )
    await create(client, NewTopic(f"{prefix}by-hand", 1, 3))
    await asyncio.to_thread(provision_installation, settings, dry_run=False)
    await asyncio.to_thread(cluster.kill, 3)
    await until(lambda: two_alive(client), 30, "the cluster knows of the death")
    left = await asyncio.to_thread(provision_installation, settings, dry_run=False)
    assert {type(one) for one in left} == {Leave}
    assert all("min.insync.replicas stays 2" in str(one) for one in left)
    # Nothing is set on this topic: its least in sync is the brokers' default.
    (by_hand,) = await provision(client, [Wanted(f"{prefix}by-hand", 1, 2, {IN_SYNC: "1"})], dry_run=False)
    assert isinstance(by_hand, Leave)
    more = settings.model_copy(
        update={
            "installation": InstallationPart(prefix=f"n{prefix}"),
            "kafka": settings.kafka.model_copy(update={"replicas": 3}),
        }
    )
    with pytest.raises(Unavailable, match="want 3 replicas, and 2 brokers live"):
        await asyncio.to_thread(provision_installation, more, dry_run=False)


async def two_alive(client):
    """Whether the cluster has two brokers left, and knows it."""
    with suppress(Unavailable):  # the dead one was asked, whose name still stands in the metadata
        return await nodes(client) == 2
    return False


def test_the_command_prints_its_plan(kafka, prefix, tmp_path):
    """`sztab provision`: the dry run changes nothing, the next call does it, the third has nothing to do."""
    settings = Settings(
        connectors={},
        data_dir=tmp_path,
        installation=InstallationPart(prefix=prefix),
        kafka=KafkaPart(bootstrap_servers=kafka.bootstrap_servers, wide=2, retention_days={LOG: 8}),
    )
    dry = json.loads(sztab(settings, "--dry-run", "--json"))
    assert dry["dry_run"] is True
    assert {one["action"] for one in dry["plan"]} == {"create"}
    assert any(f"{prefix}{LOG}: 2 partitions" in one["text"] and "691200000" in one["text"] for one in dry["plan"])
    assert f"create {prefix}{LOG}" in sztab(settings)
    assert sztab(settings) == "every topic is as the catalogue wants it\n"


def sztab(settings, *words):
    """Run `sztab provision …` and hand back what it printed."""
    invocation = Invocation()
    invocation.settings = settings
    result = CliRunner().invoke(provision_command, words, obj=invocation, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


async def create(client, topic):
    """Make a topic by another hand, and wait until the broker knows of it."""
    admin = AIOKafkaAdminClient(**client)
    await admin.start()

    async def known():
        return topic.name in await admin.list_topics()

    try:
        await admin.create_topics([topic])
        await until(known)
    finally:
        await admin.close()


async def settled(client, desired):
    """Whether a plan would be empty now."""
    return await provision(client, desired, dry_run=True) == []

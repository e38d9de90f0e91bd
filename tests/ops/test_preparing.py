"""What stands before roles start, and what is stopped again when that fails; a sleeping program plays the broker."""

import asyncio
import sys
import threading

import pytest

from ops import preparing
from ops.broker import EmbeddedKafka, layout, processes
from ops.broker.installed import FOLDER, embedded
from ops.provision_plan import Leave
from ops.settings import Settings
from ops.settings_parts import KafkaPart
from schemas.errors import Code, Misconfigured, Unavailable
from tests.waiting import until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """An installation whose nodes are sleepers that count as ready at once, and whose topics need nothing."""

    def launch(kafka, nodes):
        for node in nodes:
            (kafka.data_dir / f"node-{node.number}").mkdir(exist_ok=True)
            processes.spawn([*SLEEPER, *kafka._ending(node.number)], tmp_path / "output.log")

    monkeypatch.setattr(EmbeddedKafka, "_launch", launch)
    monkeypatch.setattr(EmbeddedKafka, "_wait_ready", lambda *_: None)
    monkeypatch.setattr(preparing, "provision_installation", lambda *_, **__: [])
    made = Settings(connectors={}, data_dir=tmp_path)
    yield made
    embedded(made).down(0)


def three(settings):
    """The broker that `sztab broker up --nodes 3` leaves in the folder, not running."""
    folder = settings.data_dir / FOLDER
    folder.mkdir()
    layout.write(folder / "cluster.json", layout.new(3))
    return embedded(settings)


def fail(error):
    """A function that takes anything and raises this."""

    def failing(*_, **__):
        raise error

    return failing


async def test_what_the_folder_holds_is_brought_up(settings):
    """Three nodes of an earlier `sztab broker up --nodes 3` are taken although the settings say one."""
    broker = three(settings)
    prepared = await preparing.prepare(settings)
    assert prepared.bootstrap_servers == broker.bootstrap_servers
    assert broker.running() == [1, 2, 3]
    await preparing.release(prepared, 5)
    assert broker.running() == []


async def test_an_external_cluster_is_left_alone(settings):
    """With addresses configured no broker is started or stopped."""
    external = settings.model_copy(update={"kafka": KafkaPart(bootstrap_servers="far:9092")})
    prepared = await preparing.prepare(external)
    await preparing.release(prepared, 5)
    assert prepared == preparing.Prepared("far:9092")
    assert not (settings.data_dir / FOLDER).exists()


@pytest.mark.parametrize("found", [[], [2]])
async def test_nodes_that_were_started_in_vain_are_stopped(settings, monkeypatch, found):
    """A node does not become ready: those started beside it are stopped again, one that ran before goes on."""
    broker = three(settings)
    broker._launch([node for node in broker._known.nodes if node.number in found])
    monkeypatch.setattr(EmbeddedKafka, "_wait_ready", fail(Unavailable(Code.BROKER_UNAVAILABLE, "node 3 ended")))
    with pytest.raises(Unavailable, match="node 3 ended"):
        await preparing.prepare(settings)
    assert broker.running() == found


async def test_a_refused_topic_stops_what_was_started(settings, monkeypatch):
    """When provisioning refuses, the broker that was started for it does not stay; one that was found does."""
    broker = three(settings)
    broker._launch(broker._known.nodes[:1])
    monkeypatch.setattr(preparing, "provision_installation", fail(Misconfigured(Code.PARTITIONS_FEWER, "no")))
    with pytest.raises(Misconfigured):
        await preparing.prepare(settings)
    assert broker.running() == [1]


async def test_a_start_that_is_broken_off_leaves_nothing(settings, monkeypatch):
    """Cancelled before the first node is started: the start cannot be broken off, so its nodes are stopped after it."""
    asked, go_on, settle = threading.Event(), threading.Event(), EmbeddedKafka._settle_layout

    def settle_late(kafka):
        asked.set()
        go_on.wait(30)
        settle(kafka)

    monkeypatch.setattr(EmbeddedKafka, "_settle_layout", settle_late)
    work = asyncio.create_task(preparing.prepare(settings))
    try:
        await until(asked.is_set)
        work.cancel()
        await asyncio.wait({work}, timeout=0.1)
    finally:
        go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert embedded(settings).numbers == (1,)
    assert embedded(settings).running() == []


async def test_what_was_found_running_stays(settings):
    """At the end those nodes stop that we started, and no other."""
    broker = three(settings)
    broker._launch(broker._known.nodes[1:])
    prepared = await preparing.prepare(settings)
    assert broker.running() == [1, 2, 3]
    await preparing.release(prepared, 5)
    assert broker.running() == [2, 3]


async def test_what_is_left_is_no_change(settings, monkeypatch):
    """The log does not call a topic changed that was left as it is."""
    told = []
    monkeypatch.setattr(preparing.log, "info", lambda event, **more: told.append((event, more)))
    monkeypatch.setattr(preparing, "provision_installation", lambda *_, **__: [Leave("log", "a broker is down")])
    await preparing.release(await preparing.prepare(settings), 5)
    assert ("topics_provisioned", {"changes": 0, "left": 1}) in told

"""A cluster in memory for the shell's pure tests: it obeys, so that a test can say exactly what happens when.

It proves nothing about Kafka (tests/broker and tests/faults do that); it puts the shell into situations that a real
broker shows once in a thousand runs.
"""
# ruff: noqa: D102 - the fakes have the methods of what they stand for

import asyncio
from collections import deque
from typing import Any

from aiokafka.structs import TopicPartition

from ops.prove import counter
from streams.shell import Shell
from streams.shell_settings import ShellSettings
from streams.topic_facts import TopicFacts
from tests.streams.cluster_fake import CHANGELOG, Batch, Cluster, Metadata, consumed
from tests.waiting import until

__all__ = [
    "CHANGELOG",
    "Batch",
    "Clients",
    "Cluster",
    "Consumer",
    "Producer",
    "Running",
    "consumed",
    "counts",
    "once",
    "settled",
]


class Producer:
    """Appends at once unless there is a door before the topic; acknowledges at once unless the topic is held."""

    def __init__(self, cluster):
        self.cluster = cluster

    async def start(self):
        """Nothing to do."""

    async def stop(self):
        """Nothing to do."""

    def create_batch(self):
        return Batch()

    async def send_batch(self, batch, topic, *, partition):
        if topic in self.cluster.doors:
            self.cluster.knocks += 1
            await self.cluster.doors[topic].wait()
        future = asyncio.get_running_loop().create_future()
        if topic in self.cluster.failing:
            future.set_exception(self.cluster.failing[topic])
            return future
        told = Metadata(self.cluster.append(topic, partition, batch.records))
        if topic in self.cluster.held:
            self.cluster.waiting.append((topic, future, told))
        else:
            future.set_result(told)
        return future


class _Coordinator:
    generation = 1
    member_id = "node.1.counter-00000000-0000-0000-0000-000000000001"


class Consumer:
    """A group member when it has a listener, else a reader."""

    def __init__(self, cluster, group=None):
        self.cluster, self.group = cluster, group
        self.listener: Any = None
        self.positions, self.paused = {}, set()
        self.script: deque[Any] = deque()
        self._coordinator = _Coordinator()
        self.gate: Any = None
        self.asking = 0
        self.commits = []

    async def start(self):
        if self.listener is not None:
            self.cluster.members.append(self)

    async def stop(self):
        """Nothing to do."""

    def subscribe(self, topics, listener):
        self.listener = listener

    def assign(self, places):
        self.positions = dict.fromkeys(places, 0)

    async def assigned(self, numbers, *, lost=False):
        """A rebalance: everything is revoked, these partitions are assigned."""
        if self.positions or lost:
            self._coordinator.generation = -1 if lost else 1
            await self.listener.on_partitions_revoked(set(self.positions))
        self._coordinator.generation = 1
        self.assign([TopicPartition("in", number) for number in numbers])
        await self.listener.on_partitions_assigned(set(self.positions))

    def seek(self, place, offset):
        self.positions[place] = offset

    async def seek_to_beginning(self, *places):
        for place in places:
            self.positions[place] = 0

    async def position(self, place):
        return self.positions[place]

    async def end_offsets(self, places):
        return {place: len(self.cluster.logs[place.topic, place.partition]) for place in places}

    def highwater(self, place):
        return len(self.cluster.logs[place.topic, place.partition])

    def pause(self, *places):
        self.paused |= set(places)

    def resume(self, *places):
        self.paused -= set(places)

    async def committed(self, place):
        if self.gate is not None:
            self.asking += 1
            await self.gate.wait()
        return self.cluster.committed.get(place)

    async def commit(self, offsets):
        if self.cluster.refusing is not None:
            raise self.cluster.refusing
        self.commits.append(dict(offsets))
        self.cluster.committed.update(offsets)

    async def getmany(self, timeout_ms=0, max_records=None):
        if self.script:
            return self.script.popleft()
        found = {}
        for place, position in self.positions.items():
            log = self.cluster.logs[place.topic, place.partition]
            start = position if position <= len(log) else 0  # out of range: `auto_offset_reset` is earliest
            records = log[start:][:max_records]
            if records and place not in self.paused:
                found[place] = records
                self.positions[place] = records[-1].offset + 1
        if not found and timeout_ms:
            self.cluster.arrived.clear()
            try:
                await asyncio.wait_for(self.cluster.arrived.wait(), min(timeout_ms, 10) / 1000)
            except TimeoutError:
                return {}
        return found


class Clients:
    """Makes the fakes."""

    def __init__(self, cluster):
        self.cluster = cluster

    def producer(self, settings):
        return Producer(self.cluster)

    def consumer(self, settings, group):
        return Consumer(self.cluster, group)

    def reader(self, settings):
        return Consumer(self.cluster)

    async def members(self, settings, group):
        self.cluster.asked += 1
        return list(self.cluster.named)

    async def facts(self, producer, names):
        if self.cluster.silences:
            raise self.cluster.silences.pop()
        known = self.cluster.partitions
        return {name: TopicFacts(self.cluster.ids[name], known[name]) for name in names if name in known}


class Running:
    """A shell at work on a cluster in memory; `codes` are the exits it asked for, `left` what the first one left."""

    def __init__(self, cluster, processor=None, observer=None, **settings):
        self.codes: list[int] = []
        self.left: Any = None
        chosen = {"session_seconds": 2.0, "commit_seconds": 0.01, "pace_seconds": 0.0, **settings}
        told = ShellSettings(bootstrap_servers="memory", exit=self._exit, **chosen)
        self.cluster = cluster
        self.shell = Shell(processor or counter.processor(), told, observer, Clients(cluster))
        self.task: Any = None

    def _exit(self, code):
        self.codes.append(code)
        self.left = self.left or self.cluster.snapshot()

    async def __aenter__(self):
        before = len(self.cluster.members)
        self.task = asyncio.create_task(self.shell.run())
        await until(lambda: len(self.cluster.members) > before or self.task.done())
        return self

    @property
    def member(self):
        return self.cluster.members[-1]

    async def __aexit__(self, *exc):
        self.shell.stop()
        await asyncio.gather(self.task, return_exceptions=True)

    def outcome(self):
        """The exception with which the shell ended, None when it runs or ended well."""
        return self.task.exception() if self.task.done() else None


def counts(cluster):
    """The counter's values that were written for each input, all of them."""
    return {
        ident.decode(): [int(value.split(b"|")[2]) for value in values] for ident, values in cluster.outputs().items()
    }


def once(numbers, start=1):
    """What a right run writes for these inputs of one key."""
    return {f"i{number:07d}": [start + at] for at, number in enumerate(numbers)}


async def settled(cluster, partition=0, up_to=0):
    """Wait until the group has committed everything, or so much."""
    place = TopicPartition("in", partition)
    await until(lambda: cluster.committed.get(place, 0) >= (up_to or len(cluster.logs["in", partition])))

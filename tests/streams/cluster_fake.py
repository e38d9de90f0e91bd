"""Topics in memory that obey: what is held is not acknowledged, what fails is refused."""
# ruff: noqa: D102 - the fakes have the methods of what they stand for

import asyncio
import struct
from collections import defaultdict
from typing import Any

from aiokafka.structs import ConsumerRecord

from ops.prove import counter
from streams.changelog import MARKER_KEY

CHANGELOG = "state.counter.in"


class Metadata:
    """What an acknowledgement tells."""

    def __init__(self, offset):
        self.offset = offset


class Batch:
    """A prepared batch."""

    def __init__(self):
        self.records = []

    def append(self, *, timestamp, key, value, headers=()):
        self.records.append((timestamp, key, value, tuple(headers)))
        return True

    def close(self):
        """Nothing to do."""

    def record_count(self):
        return len(self.records)


class Cluster:
    """Topics as lists. `held` ones acknowledge nothing until `release`, `failing` ones refuse; `refusing`: commits."""

    def __init__(self, partitions=2):
        self.logs = defaultdict(list)
        self.partitions = {"in": partitions, CHANGELOG: partitions, "a": 5, "b": 3, "aside": 1}
        self.ids = {name: struct.pack(">16s", name.encode()) for name in self.partitions}
        self.committed = {}
        self.held, self.failing, self.waiting = set(), {}, []
        self.journal = []
        self.members = []
        self.named: list[str] = []  # member ids that the group's coordinator tells
        self.asked = 0
        self.refusing: Any = None
        self.silences: list[Exception] = []
        self.doors: dict[str, asyncio.Event] = {}
        self.knocks = 0
        self.arrived = asyncio.Event()

    def write(self, topic, partition, key, value, headers=()):
        """Append one record."""
        self.append(topic, partition, [(0, key, value, headers)])

    def append(self, topic, partition, records):
        log = self.logs[topic, partition]
        first = len(log)
        for timestamp, key, value, headers in records:
            log.append(consumed(topic, partition, len(log), timestamp, key, value, headers))
        self.journal.append((topic, partition, first, len(records)))
        self.arrived.set()
        return first

    def feed(self, numbers, partition=0, key=b"k"):
        """Inputs of the counter job."""
        for number in numbers:
            self.write("in", partition, key, b"i%07d|" % number)

    def snapshot(self):
        """What a process that is killed now leaves behind."""
        return {place: len(log) for place, log in self.logs.items()}, dict(self.committed)

    def restore(self, kept):
        """Take back what came after the snapshot: a killed process would not have done it."""
        ends, committed = kept
        for place, log in self.logs.items():
            del log[ends.get(place, 0) :]
        self.committed = dict(committed)

    def release(self, topic):
        """Acknowledge what the topic held back, and hold no more."""
        self.held.discard(topic)
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            if one[0] == topic:
                one[1].set_result(one[2])
            else:
                self.waiting.append(one)

    def outputs(self):
        """The values on the outputs by input id, and all of them in order."""
        found = defaultdict(list)
        for topic in counter.OUTPUTS:
            for number in range(self.partitions[topic]):
                for one in self.logs[topic, number]:
                    found[one.value.split(b"|")[0]].append(one.value)
        return found

    def markers(self, partition=0):
        """Applied offsets in the changelog, in order."""
        return [
            struct.unpack(">16sq", one.value)[1] for one in self.logs[CHANGELOG, partition] if one.key == MARKER_KEY
        ]


def consumed(topic, partition, offset, timestamp, key, value, headers):
    """A record as a consumer gives it."""
    sizes = len(key or b""), len(value or b"")
    return ConsumerRecord(topic, partition, offset, timestamp, 0, key, value, None, *sizes, tuple(headers))

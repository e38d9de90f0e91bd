"""Rebuilds the state of the held partitions from their changelog, and claims the changelog.

The claim is a batch with the marker alone. Once it is acknowledged, everything written before it is visible, so what
a dying predecessor still had on the wire is replayed too; and from then on each append has an expected offset.
"""

import asyncio
import time
from typing import Any, Final

import structlog
from aiokafka import TopicPartition

from schemas.errors import Code, Misconfigured
from streams.changelog import Fold, PartitionState
from streams.claiming import Claims
from streams.clients import Clients, begin
from streams.gear import Gear, Held
from streams.leaving import Exit
from streams.shell_settings import BATCH_OVERHEAD
from streams.stepping import Part
from streams.topic_facts import TopicFacts

log: Final = structlog.get_logger("streams.shell")
GIVE_WAY: Final = 500
"""State values decoded between two turns of the loop: heartbeats go on, and the pulse sees that we do."""
CLAIMS: Final = 5
"""Tries to claim a changelog in which somebody else goes on writing."""


async def learn_topics(gear: Gear, clients: Clients) -> None:
    """Ask for the partitions of every topic of the processor, and wait a moment for one just created.

    Misconfigured(`topic-mismatch`) for a missing one, or when input and changelog differ in partitions.
    """
    prefix, settings = gear.settings.prefix, gear.settings
    names = {topic: prefix + topic for topic in gear.stepper.topics}
    source = prefix + gear.processor.input
    wanted = {*names.values(), source, gear.changelog}
    facts = await _known(gear, clients, wanted)
    inputs, states = facts[source].partitions, facts[gear.changelog].partitions
    if inputs != states:
        raise Misconfigured(Code.TOPIC_MISMATCH, f"{source} has {inputs} partitions, but {gear.changelog} has {states}")
    gear.topic_id = facts[source].topic_id
    gear.topics = {
        topic: (
            name,
            facts[name].partitions,
            min(settings.batch_bytes, settings.limit(topic) - BATCH_OVERHEAD),
        )
        for topic, name in names.items()
    }


async def _known(gear: Gear, clients: Clients, names: set[str]) -> dict[str, TopicFacts]:
    """The facts of all these topics. A broker that has just started may know them a moment later."""
    deadline = time.monotonic() + gear.settings.session_seconds
    while True:
        facts = await clients.facts(gear.producer, names)
        missing = names - set(facts)
        if not missing:
            return facts
        if time.monotonic() > deadline:
            raise Misconfigured(Code.TOPIC_MISMATCH, f"no such topic: {', '.join(sorted(missing))}; provision first")
        await asyncio.sleep(0.2)


class Recovery:
    """Makes the parts of one ownership ready. Stops in the middle when ownership changes again."""

    def __init__(self, gear: Gear, held: Held, clients: Clients) -> None:
        self._gear = gear
        self._held = held
        self._clients = clients
        self.claims: Final = Claims(gear, held)
        self.kept: dict[int, PartitionState] = {}
        """The states of the last ownership, for the test that leaves rule `overlay` out."""

    async def run(self) -> bool:
        """Recover every held partition. False when ownership changed meanwhile.

        Misconfigured(`state-foreign`) when the state is not that of the input; KafkaError, Unavailable: perhaps again.
        """
        epoch, began = self._held.epoch, time.monotonic()
        parts = list(self._held.parts.values())
        await self._identify()
        reader = self._clients.reader(self._gear.settings)
        await begin(reader)
        try:
            await self._replay(reader, parts, epoch)
        finally:
            await reader.stop()
        if not self._held.still(epoch) or not await self._reached(parts, epoch):
            return False
        for part in parts:
            await self._position(part)
            self._gear.observer.recovered(part.partition, len(part.state), time.monotonic() - began)
        if not self._held.still(epoch):
            return False
        for part in parts:
            part.ready = True
        self._gear.consumer.resume(*self._held.parts)
        log.info(
            "recovered",
            group=self._gear.group,
            partitions=[part.partition for part in parts],
            keys=sum(len(part.state) for part in parts),
            seconds=round(time.monotonic() - began, 3),
        )
        return True

    async def _identify(self) -> None:
        """Ask the input's topic id again: a topic made anew has another one."""
        name = self._gear.settings.prefix + self._gear.processor.input
        facts = await _known(self._gear, self._clients, {name})
        self._gear.topic_id = facts[name].topic_id

    async def _replay(self, reader: Any, parts: list[Part], epoch: int) -> None:
        places = {TopicPartition(self._gear.changelog, part.partition): part for part in parts}
        folds = {place: Fold(skip_stale=self._gear.settings.switches.fold) for place in places}
        reader.assign(list(places))
        ends = await reader.end_offsets(list(places))
        await reader.seek_to_beginning(*places)
        todo = set(places)
        for _ in range(CLAIMS):
            await self._read_to(reader, folds, ends, epoch)
            if self._held.still(epoch):
                todo = await self.claims.claim({place: places[place] for place in todo}, folds, ends, epoch)
            if not self._held.still(epoch):
                return
            if not todo:
                break
        else:
            self._gear.leave(Exit.FOREIGN_WRITE, f"somebody else goes on writing to {self._gear.changelog}")
        for place, part in places.items():
            part.end = ends[place]
            part.state = PartitionState(await self._decoded(folds[place]))
            if part.partition in self.kept:
                part.state.dirty = self.kept[part.partition].dirty

    async def _decoded(self, fold: Fold) -> dict[str, object]:
        """The state values, each decoded once. Gives way in between: a large state must not pass for a standstill."""
        decode, values = self._gear.processor.decode, {}
        for number, (key, value) in enumerate(fold.values.items(), 1):
            values[key.decode()] = decode(value)
            if number % GIVE_WAY == 0:
                await asyncio.sleep(0)
                self._gear.pulse.check()
                self._held.moved()
        return values

    async def _read_to(self, reader: Any, folds: dict[Any, Fold], ends: dict[Any, int], epoch: int) -> None:
        """Fold everything below `ends`.

        The group's consumer is polled meanwhile, or a long replay would count as a member that no longer works
        (`max.poll.interval.ms`). It is paused; what it brings all the same counts not, for each part is positioned
        after its replay.
        """
        while self._held.still(epoch):
            behind = [place for place in ends if await reader.position(place) < ends[place]]
            if not behind:
                return
            for place, records in (await reader.getmany(timeout_ms=200)).items():
                folds[place].take_all(records)
                self._held.moved()
            await self._gear.consumer.getmany(timeout_ms=0)
            self._gear.pulse.check()

    async def _reached(self, parts: list[Part], epoch: int) -> bool:
        """Does the input reach up to what is applied? Right after a broker's failure its end may lag for a moment."""
        if not self._gear.settings.switches.identity:
            return True
        deadline = time.monotonic() + 2 * self._gear.settings.session_seconds
        while self._held.still(epoch):
            ends = await self._gear.consumer.end_offsets([part.tp for part in parts])
            short = [part for part in parts if part.applied >= ends[part.tp]]
            if not short:
                return True
            if time.monotonic() > deadline:
                raise Misconfigured(
                    Code.STATE_FOREIGN,
                    f"partition {short[0].partition} of {self._gear.processor.input} ends at {ends[short[0].tp]}, "
                    f"but its state has applied {short[0].applied}: the topic lost records or was restored",
                )
            await asyncio.sleep(self._gear.settings.heartbeat_seconds / 5)
        return False

    async def _position(self, part: Part) -> None:
        """Where the partition goes on: behind what is applied, else where the group stands, else at the beginning."""
        consumer = self._gear.consumer
        start = max(part.applied + 1, part.committed or 0)
        if start:
            part.next = start
            consumer.seek(part.tp, start)
            part.settled = start if part.applied >= 0 else None
        else:
            await consumer.seek_to_beginning(part.tp)
            part.next = await consumer.position(part.tp)

"""Rounds: everything gathered for all held partitions is stepped, sent and saved together.

One round: outputs of all its partitions as prepared batches -> acknowledged -> one changelog batch per input
partition -> acknowledged -> the inputs may be committed. At most `rounds_in_flight` at once; what arrives meanwhile
is the next round, so rounds grow with the load by themselves.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from streams import changelog
from streams.batches import Batches
from streams.committing import Commits
from streams.gear import Gear, Held
from streams.leaving import Exit, Left, whereabouts
from streams.shell_settings import BATCH_OVERHEAD
from streams.stepping import Part, Unit


@dataclass(slots=True, eq=False)
class Round:
    """One round on its way."""

    epoch: int
    previous: "Round | None"
    units: list[Unit]
    batches: Batches
    born: float
    handed: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


class Rounds:
    """Gathers records, steps them, and brings each round to its end."""

    def __init__(self, gear: Gear, held: Held, commits: Commits) -> None:
        self._gear = gear
        self._held = held
        self._commits = commits
        self._slots = asyncio.Semaphore(gear.settings.rounds_in_flight)
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._last: Round | None = None
        self._flying: deque[Round] = deque()
        self._gathered = 0
        self._bytes = 0
        self._turn = 0
        self.done = 0
        self.records = 0

    @property
    def gathered(self) -> int:
        """Records that wait for a round."""
        return self._gathered

    async def room(self) -> None:
        """Return when more may be fetched."""
        settings = self._gear.settings
        while self._gathered >= settings.gather_records or self._bytes >= settings.gather_bytes:
            self._room.clear()
            await self._room.wait()

    def offer(self, part: Part, records: list[Any]) -> None:
        """Records that came for a part, contiguous with what came before."""
        part.buffer.extend(records)
        self._gathered += len(records)
        self._bytes += sum(record.serialized_value_size for record in records)
        self._arrived.set()

    def forget(self) -> None:
        """Ownership changed. Rounds of the old epoch end by themselves and write nothing more."""
        self._gathered = self._bytes = 0
        self._last = None
        self._arrived.clear()
        self._room.set()

    async def run(self) -> None:
        """Make rounds for ever."""
        while True:
            await self._arrived.wait()
            await self._slots.acquire()
            current = self._take()
            if current is not None:
                current.task = asyncio.create_task(self._settle(current))
                current.task.add_done_callback(self._ended)
                self._flying.append(current)
                self._last = current
            else:
                self._slots.release()
            if self._gear.stepper.tripped is not None:
                await self._trip(self._gear.stepper.tripped)

    async def idle(self, seconds: float) -> bool:
        """Wait until nothing is in flight, at most so long. False when something still is."""
        tasks = {one.task for one in self._flying if one.task is not None}
        if not tasks:
            return True
        _, late = await asyncio.wait(tasks, timeout=seconds)
        return not late

    def oldest_seconds(self) -> float:
        """Age of the oldest round in flight; 0 when there is none."""
        return time.monotonic() - self._flying[0].born if self._flying else 0.0

    def _take(self) -> Round | None:
        """Step what has gathered, each partition in its turn. None when nothing could be taken."""
        gear, settings = self._gear, self._gear.settings
        born = time.monotonic()
        until, room = born + settings.round_seconds, settings.round_records
        batches = Batches(gear.producer.create_batch, gear.topics, _now_ms())
        units: list[Unit] = []
        parts = [part for part in self._held.parts.values() if part.ready and part.buffer]
        self._turn += 1
        for at in range(len(parts)):
            part = parts[(at + self._turn) % len(parts)]
            unit = gear.stepper.unit(part, min(room, settings.unit_records), batches, until)
            if unit is not None:
                units.append(unit)
                room -= unit.records
            if room <= 0 or time.monotonic() > until:
                break
        self._account(settings.round_records - room)
        return Round(self._held.epoch, self._last, units, batches, born) if units else None

    def _account(self, taken: int) -> None:
        """So many records left the buffers. Their bytes are taken as the average: the limit is a rough one."""
        left = self._gathered - taken
        self._bytes = self._bytes * left // self._gathered if left > 0 else 0
        self._gathered = left
        self.records += taken
        if not left or not taken:
            self._arrived.clear()
        self._room.set()

    async def _settle(self, current: Round) -> None:
        """Bring a round to its end, unless ownership changes: the next owner does it again, with the same bytes."""
        try:
            await self._outputs_then_state(current)
        finally:
            current.handed.set()
            current.previous = None

    async def _outputs_then_state(self, current: Round) -> None:
        gear, previous = self._gear, current.previous
        if previous is not None:
            await previous.handed.wait()
        if not self._still(current):
            return
        if not gear.settings.switches.order:
            await self._save(current)
            gear.hook("state-acknowledged")
        await self._send(current)
        gear.hook("outputs-acknowledged")
        if previous is not None and previous.task is not None:
            await previous.task
        if not self._still(current):
            return
        if gear.settings.switches.order:
            await self._save(current)
            gear.hook("state-acknowledged")
        if self._still(current):
            self._finish(current)

    def _still(self, current: Round) -> bool:
        """May the round go on? A process that stood still ends here, before it writes."""
        self._gear.pulse.check()
        return current.epoch == self._held.epoch

    async def _send(self, current: Round) -> None:
        """Hand the outputs over in order and wait for every acknowledgement.

        Handing over waits for earlier batches of the same partition, so each may be the one that comes too late.
        """
        gear, futures = self._gear, []
        for (topic, partition), builders in current.batches.ready().items():
            for builder in builders:
                if self._still(current):
                    futures.append(await gear.producer.send_batch(builder, topic, partition=partition))  # noqa: PERF401
        current.handed.set()
        if futures:
            gear.hook("outputs-sent")
        for future in futures:
            await future

    async def _save(self, current: Round) -> None:
        """Write the state changes, one batch per input partition; each must land where it is expected.

        A bug of the step changes nothing, but counts when a process comes back: its marker may not wait for a commit.
        """
        gear, now_ms, sent = self._gear, _now_ms(), []
        for unit in current.units:
            marker = changelog.Marker(gear.topic_id, unit.last) if gear.settings.switches.marker else None
            if (unit.changes or (unit.bug and marker is not None)) and self._still(current):
                builder = changelog.batch(gear.producer.create_batch, marker, unit.changes, now_ms)
                number = unit.part.partition
                sent.append(
                    (unit.part, builder, await gear.producer.send_batch(builder, gear.changelog, partition=number))
                )
        if sent:
            gear.hook("state-sent")
        for part, builder, future in sent:
            landed(gear, part, (await future).offset, builder.record_count())

    def _finish(self, current: Round) -> None:
        for unit in current.units:
            unit.part.state.saved(unit.changes)
            unit.part.settled = unit.last + 1
        self.done += 1
        records = sum(unit.records for unit in current.units)
        self._gear.observer.settled(records, current.batches.records, time.monotonic() - current.born)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._flying = deque(one for one in self._flying if one.task is not task)
        self._slots.release()
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Left):
            try:
                self._gear.leave(Exit.UNKNOWN, f"a round was not acknowledged: {whereabouts(error)}")
            except Left:
                return

    async def _trip(self, partition: int) -> None:
        """The step fails too often: settle and commit what is in flight, so that a restart gets on, then leave."""
        limit = self._gear.settings.session_seconds
        await self.idle(limit)
        await self._commits.within(limit / 2)
        allowed = self._gear.settings.bugs_per_minute
        self._gear.leave(Exit.UNKNOWN, f"more than {allowed} bugs of the step in a minute, partition {partition}")


def landed(gear: Gear, part: Part, offset: int, count: int) -> None:
    """A changelog batch is acknowledged at this offset. Anywhere else than expected, somebody else writes there."""
    if gear.settings.switches.fence and offset != part.end:
        gear.leave(Exit.FOREIGN_WRITE, f"{gear.changelog}/{part.partition}: landed at {offset}, expected {part.end}")
    part.end = offset + count


def changes_limit(gear: Gear) -> int:
    """Bytes that fit into one changelog batch."""
    return gear.settings.limit(gear.processor.changelog) - BATCH_OVERHEAD


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

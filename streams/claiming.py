"""Claims the changelog of parts that are replayed: right values over what a zombie wrote, then the marker.

Only an owner may write. So each batch is sent after a look at the clock and at the ownership, and a revocation waits
for what is on the wire. A batch that lands too late all the same does no harm: values travel with the marker of the
state they were read from, so behind a newer state they are stale, and the next replay skips and repairs them.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

import structlog

from schemas.errors import Code, Misconfigured
from streams import changelog
from streams.changelog import NOTHING_APPLIED, Changes, Fold, Marker
from streams.gear import Gear, Held
from streams.rounds import changes_limit
from streams.stepping import Part

log: Final = structlog.get_logger("streams.shell")


class Claims:
    """Writes the claims of one shell."""

    def __init__(self, gear: Gear, held: Held) -> None:
        self._gear = gear
        self._held = held
        self.writing: set[asyncio.Task[set[Any]]] = set()
        """What is on the wire; it goes on when the loop that waits for it is cancelled."""

    async def idle(self, seconds: float) -> bool:
        """Wait until nothing is on the wire, at most so long. False when something still is."""
        if not self.writing:
            return True
        _, late = await asyncio.wait(set(self.writing), timeout=seconds)
        return not late

    async def claim(
        self, places: dict[Any, Part], folds: dict[Any, Fold], ends: dict[Any, int], epoch: int
    ) -> set[Any]:
        """Claim these changelog partitions; move `ends` behind what was written.

        Returns the places where somebody else wrote meanwhile: read on there, and claim again. Means nothing when
        ownership changed in between: then nothing more is written. Misconfigured(`state-foreign`).
        """
        committed = await asyncio.gather(*(self._gear.consumer.committed(part.tp) for part in places.values()))
        if not self._mine(epoch):
            return set(places)
        for (place, part), known in zip(places.items(), committed, strict=True):
            fold = folds[place]
            self._check(fold, known, part.partition)
            part.committed = known
            marked = self._gear.settings.switches.marker
            part.applied = max(fold.applied, (known or 0) - 1) if marked else NOTHING_APPLIED
        task = asyncio.create_task(self._write(places, folds, ends, epoch))
        self.writing.add(task)
        task.add_done_callback(self.writing.discard)
        return await asyncio.shield(task)

    def _mine(self, epoch: int) -> bool:
        """May the claim go on? A process that stood still ends here, before it writes."""
        self._gear.pulse.check()
        return self._held.still(epoch)

    async def _write(
        self, places: dict[Any, Part], folds: dict[Any, Fold], ends: dict[Any, int], epoch: int
    ) -> set[Any]:
        sent = []
        for place, part in places.items():
            for marker, changes in self._batches(folds[place], part):
                if self._mine(epoch):
                    sent.append((place, await self._send(place, marker, changes)))
        foreign = set()
        for place, (future, count) in sent:
            offset = (await future).offset
            if offset != ends[place]:
                foreign.add(place)
            ends[place] = offset + count
            self._held.moved()
        return foreign

    def _batches(self, fold: Fold, part: Part) -> Iterator[tuple[Marker | None, Changes]]:
        """Repairs stand where the fold stands; that the group has committed more is said by a last marker alone."""
        topic_id, marked = self._gear.topic_id, self._gear.settings.switches.marker
        if fold.repair:
            log.warning("state_repaired", partition=part.partition, keys=len(fold.repair))
            for changes in changelog.repairs(fold, changes_limit(self._gear)):
                yield Marker(topic_id, fold.applied) if marked else None, changes
        if marked:
            yield Marker(topic_id, part.applied), {}

    async def _send(self, place: Any, marker: Marker | None, changes: Changes) -> tuple[Any, int]:
        producer = self._gear.producer
        builder = changelog.batch(producer.create_batch, marker, changes, time.time_ns() // 1_000_000)
        future = await producer.send_batch(builder, self._gear.changelog, partition=place.partition)
        return future, builder.record_count()

    def _check(self, fold: Fold, committed: int | None, partition: int) -> None:
        """Is this the state of this topic? Misconfigured(`state-foreign`): skipping by it would lose records."""
        switches = self._gear.settings.switches
        if not switches.identity or not switches.marker:
            return
        if fold.marker is not None and fold.marker.topic_id != self._gear.topic_id:
            raise Misconfigured(
                Code.STATE_FOREIGN,
                f"{self._gear.changelog}/{partition} belongs to another topic of that name (made anew or restored)",
            )
        if fold.marker is None and committed:
            raise Misconfigured(
                Code.STATE_FOREIGN,
                f"{self._gear.changelog}/{partition} is empty, but group {self._gear.group} has committed {committed}",
            )

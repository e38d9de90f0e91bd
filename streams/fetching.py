"""Fetches the input and hands on what follows what came before."""

import asyncio
import time
from typing import Any, Final

import structlog
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from schemas.errors import Code, Denied
from streams.gear import Gear, Held
from streams.leaving import Exit
from streams.rounds import Rounds
from streams.stepping import Part

log: Final = structlog.get_logger("streams.shell")
SEEKS: Final = 10
"""Seeks in a row after which the broker's answers count as contradictory."""

LITTLE: Final = 100
"""Records below which a fetch brought little."""


class Fetching:
    """The fetching half of the loop."""

    def __init__(self, gear: Gear, held: Held, rounds: Rounds) -> None:
        self._gear = gear
        self._held = held
        self._rounds = rounds
        self._last = 0.0
        self._little = False
        self.gaps = 0
        """Places where the input had no record at the offset that had to come next."""

    async def once(self) -> None:
        """One fetch. No pause but the pace: aiokafka asks a node for nothing while records of it wait unread.

        Denied(`forbidden`) when the cluster does not let us read.
        """
        gear = self._gear
        await self._rounds.room()
        await self._pace()
        epoch = self._held.epoch
        try:
            got = await gear.consumer.getmany(timeout_ms=200, max_records=gear.settings.fetch_records)
        except (GroupAuthorizationFailedError, TopicAuthorizationFailedError) as error:
            raise Denied(Code.FORBIDDEN, f"may not read {gear.processor.input} as {gear.group}") from error
        except KafkaError as error:
            if not error.retriable:
                raise
            log.warning("fetch_repeated", group=gear.group, error=type(error).__name__)
            await asyncio.sleep(gear.settings.heartbeat_seconds / 10)
            return
        self._last, self._little = time.monotonic(), sum(map(len, got.values())) < LITTLE
        for tp, records in got.items():
            part = self._held.parts.get(tp)
            if part is not None and part.ready and epoch == self._held.epoch:
                fresh = self.contiguous(part, records)
                if fresh:
                    part.next = fresh[-1].offset + 1
                    self._rounds.offer(part, fresh)

    async def _pace(self) -> None:
        """Let a little gather when fetches follow one another closely: each costs more than the records it brings."""
        wait = self._last + self._gear.settings.pace_seconds - time.monotonic()
        if wait > 0 and self._little:
            await asyncio.sleep(wait)

    def contiguous(self, part: Part, records: list[Any]) -> list[Any]:
        """The records that follow what came before; a gap is sought again, and accepted when the broker insists.

        A fetch from before a rebalance may be delivered after it, and the same range twice. A true gap is compaction,
        a transaction's mark, or retention that overtook us: the last is an alarm, so every gap is told. An input that
        goes on answering with what is behind us was made anew or cut: the process ends, and its restart tells which.
        """
        first = records[0].offset
        if not self._gear.settings.switches.contiguity or part.next is None or first == part.next:
            part.seeks, part.gap_at = 0, None
            return records
        if first < part.next:
            fresh = [record for record in records if record.offset >= (part.next or 0)]
            if fresh:
                part.seeks, part.gap_at = 0, None
                return fresh
            log.warning("input_went_back", partition=part.partition, expected=part.next, found=first)
            self._seek(part)
            return []
        if part.gap_at == first:
            self.gaps += 1
            log.error("input_gap", partition=part.partition, expected=part.next, found=first)
            part.seeks, part.gap_at = 0, None
            return records
        part.gap_at = first
        self._seek(part)
        return []

    def _seek(self, part: Part) -> None:
        """Ask again for what must come next."""
        part.seeks += 1
        if part.seeks > SEEKS:
            self._gear.leave(Exit.GAP, f"partition {part.partition}: no steady answer about what follows {part.next}")
        self._gear.consumer.seek(part.tp, part.next)

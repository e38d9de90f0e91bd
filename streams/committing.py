"""Commits of the input: a hint for the next owner only, for the marker in the changelog counts."""

import asyncio
import time
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from streams.gear import Gear, Held

log: Final = structlog.get_logger("streams.shell")


class Commits:
    """Tells the group how far each part is settled."""

    def __init__(self, gear: Gear, held: Held) -> None:
        self._gear = gear
        self._held = held
        self.last: float | None = None
        """When the group last took a commit, in monotonic seconds."""

    async def run(self) -> None:
        """Commit for ever, every `commit_seconds`."""
        while True:
            await asyncio.sleep(self._gear.settings.commit_seconds)
            if self._held.ready():
                await self.once()

    async def within(self, seconds: float) -> None:
        """Commit, or give it up after so long."""
        try:
            await asyncio.wait_for(self.once(), seconds)
        except TimeoutError:
            log.warning("commit_given_up", group=self._gear.group)

    async def once(self) -> None:
        """Commit what is settled and not yet committed. A refusal is told, not raised."""
        parts = [part for part in self._held.parts.values() if part.settled is not None]
        behind = {part: part.settled for part in parts if part.settled != part.committed}
        if not behind:
            return
        try:
            await self._gear.consumer.commit({part.tp: offset for part, offset in behind.items()})
        except KafkaError as error:
            log.warning("commit_refused", group=self._gear.group, error=type(error).__name__)
            return
        for part, offset in behind.items():
            part.committed = offset
        self.last = time.monotonic()
        self._gear.observer.committed({part.partition: offset or 0 for part, offset in behind.items()})

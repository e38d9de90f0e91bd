"""What the urgent lane of a recipient knows of its outbox at a take-over, and the routine lane waits for.

An urgent delivery may have been sent before a crash, with no receipt. Until its end is known, an older routine one of
its subject must not be sent: it would come behind it.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from ops.delivering.memory import Memory
from schemas.delivery import Delivery
from schemas.errors import Rejected

LOOK_SECONDS: Final = 0.5


class Lead:
    """Shared by the lanes of one recipient: the urgent one tells, the routine one asks."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._ends: dict[Any, int] = {}
        self._known = asyncio.Event()

    def lost(self) -> None:
        """The urgent lane gave its partitions up: nothing is known until it has some again."""
        self._known.clear()

    def begins(self, starts: Mapping[Any, int], ends: Mapping[Any, int]) -> None:
        """The urgent lane took partitions over: where it starts, and what each holds up to now."""
        self._ends = {part: end for part, end in ends.items() if starts[part] < end}
        self._look()

    def came(self, part: Any, offset: int, delivery: Callable[[], Delivery]) -> None:
        """A record of the urgent lane. One that was there before the take-over may have been sent."""
        end = self._ends.get(part)
        if end is None:
            return
        if offset < end:
            with suppress(Rejected):
                one = delivery()
                self._memory.unsure(one.subject_id, one.sequence)
        if offset + 1 >= end:
            del self._ends[part]
            self._look()

    async def known(self) -> bool:
        """Whether everything that the urgent outbox held is known; waits a while for it."""
        if not self._known.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._known.wait(), LOOK_SECONDS)
        return self._known.is_set()

    def _look(self) -> None:
        if not self._ends:
            self._known.set()

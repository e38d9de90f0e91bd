"""Hands the records of one journal row to a producer, and waits until the broker has them."""

import asyncio
from collections.abc import Awaitable

from connectors.journal import Journal
from connectors.kits.kafka import Producer
from connectors.prepared import Prepared


class Handing:
    """Sends prepared rows. `prefix` stands before every topic.

    Rows of fed history reach the producer's buffer in the order in which their sending began: a buffer that was full
    wakes those that wait for it in any order.
    """

    def __init__(self, journal: Journal, prefix: str) -> None:
        self._journal, self._prefix = journal, prefix
        self._last = asyncio.Event()
        self._last.set()

    async def send(self, producer: Producer, prepared: Prepared) -> None:
        """Return when every record is acknowledged. KafkaError as the producer's; Unavailable from the journal."""
        hand_over = self._in_turn if prepared.in_order else self._hand_over
        for acknowledged in await hand_over(producer, prepared):
            await acknowledged

    async def _in_turn(self, producer: Producer, prepared: Prepared) -> list[Awaitable[object]]:
        before, handed = self._last, asyncio.Event()
        self._last = handed
        try:
            await self._keep(prepared)
            await before.wait()
            return await self._hand_over(producer, prepared)
        finally:
            handed.set()  # also of a row that failed: it goes again with its successors, from another producer

    async def _hand_over(self, producer: Producer, prepared: Prepared) -> list[Awaitable[object]]:
        await self._keep(prepared)
        return [
            await producer.send(self._prefix + one.topic, one.value, one.key, headers=list(one.headers))
            for one in prepared.records
        ]

    async def _keep(self, prepared: Prepared) -> None:
        """Make fresh thread keys durable: what they seal must not leave before."""
        fresh = [key for key in prepared.keys if not key.durable]
        if fresh:
            await self._journal.note(*(key.stored() for key in fresh))
            for key in fresh:
                key.durable = True

"""Keeps the board up to date: reads the page's topics without a group, and tells the hub what changed."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import structlog

from ops.console.board import Board
from ops.console.hub import Hub
from schemas.envelope import Received
from schemas.errors import Rejected
from schemas.topic import DAY_MS
from schemas.topics import ALARMS_NOW, FACTS, FEEDS, FIGURES, INCIDENTS_NOW, LEDGER_NOW, NOTICES_NOW
from schemas.wire import payload

WHOLE: Final = (INCIDENTS_NOW, NOTICES_NOW, ALARMS_NOW, FEEDS, FIGURES, LEDGER_NOW)
"""Read from their beginning: compacted, the last value of each key."""
RECENT: Final = (FACTS,)
"""Read from a day back: what the reports of live incidents are."""
RECENT_MS: Final = DAY_MS

log = structlog.get_logger()


class Message(Protocol):
    """A record as the client gives it."""

    topic: str
    key: bytes | None
    headers: Received
    value: bytes | None


class Reader(Protocol):
    """The part of a Kafka consumer that following needs."""

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[Any, list[Any]]:
        """Records since the last call."""

    def assignment(self) -> Iterable[Any]:
        """The partitions that are read."""

    def last_poll_timestamp(self, partition: Any) -> int | None:
        """When the broker last answered for the partition, with records or without (ms); None: never."""


def read_ms(reader: Reader, clock: Callable[[], float] = time.time) -> int | None:
    """How long ago the broker answered for the partition that waits longest; None when one was never read.

    A consumer whose broker is gone just gives nothing, as if nothing happened: this tells the difference.
    """
    answered = [reader.last_poll_timestamp(partition) for partition in reader.assignment()]
    known = [at for at in answered if at is not None]
    if not known or len(known) < len(answered):
        return None
    return max(0, int(clock() * 1000) - min(known))


def take(board: Board, hub: Hub, message: Message, prefix: str = "") -> None:
    """Fold one record into the board and tell the browsers; what is not ours is counted and passed over.

    A tombstone takes a warning off the page, or a feed that a node has no more. `prefix` is the installation's, before
    each topic.
    """
    if message.value is None:
        gone = {prefix + NOTICES_NOW: board.withdrawn, prefix + FEEDS: board.silenced}.get(message.topic)
        if gone is not None and message.key is not None:
            for name, view in gone(message.key.decode(errors="replace")):
                hub.publish(name, view)
        return
    try:
        told = payload(message.headers, message.value)
    except Rejected as error:
        log.warning("console_record_passed_over", code=error.code.value)
        return
    for name, view in board.apply(told):
        hub.publish(name, view)


async def follow(reader: Reader, board: Board, hub: Hub, prefix: str = "") -> None:
    """Take records until cancelled. A long batch gives way to the browsers now and then."""
    while True:
        for messages in (await reader.getmany(timeout_ms=500, max_records=500)).values():
            for number, message in enumerate(messages):
                take(board, hub, message, prefix)
                if number % 100 == 0:
                    await asyncio.sleep(0)

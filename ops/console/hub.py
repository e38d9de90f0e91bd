"""Server-Sent Events with resume: a ring of the last events, a queue per browser, a reset where the place is lost.

An event's id is `<epoch>-<number>`; the epoch is new at each start of the console. A browser that comes back with an
id that the ring still holds gets what it missed; any other gets `reset` with a whole snapshot. A browser that does not
read is dropped. A `beat` comes every ten seconds, whatever else comes, and says how old the page's data are.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

RING: Final = 2_000
QUEUE: Final = 500
FIRST_BEAT_SECONDS: Final = 1.0
BEAT_SECONDS: Final = 10.0


def frame(name: str, data: dict[str, Any], event_id: str | None = None) -> bytes:
    """One event in the format of the HTML standard, section 9.2."""
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {name}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"


@dataclass(eq=False, slots=True)
class Reader:
    """One browser."""

    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))
    slow: bool = False


@dataclass(slots=True)
class Hub:
    """Hands events to every browser. `snapshot` gives the whole state at this moment.

    `read_ms` says how long ago the topics were last read, None when they never were: a stream that goes on tells
    nothing of the broker behind it.
    """

    epoch: str
    snapshot: Callable[[], dict[str, Any]]
    read_ms: Callable[[], int | None] = lambda: 0
    number: int = 0
    ring: deque[tuple[int, bytes]] = field(default_factory=lambda: deque(maxlen=RING))
    readers: set[Reader] = field(default_factory=set)
    dropped: int = 0
    _whole: tuple[int, bytes] = (-1, b"")

    def publish(self, name: str, data: dict[str, Any]) -> None:
        """Give an event to all; a reader whose queue is full is dropped and must come back."""
        self.number += 1
        framed = frame(name, data, f"{self.epoch}-{self.number}")
        self.ring.append((self.number, framed))
        for reader in list(self.readers):
            try:
                reader.queue.put_nowait(framed)
            except asyncio.QueueFull:
                self.drop(reader)

    def drop(self, reader: Reader) -> None:
        """Leave a browser that does not read; also twice."""
        self.dropped += not reader.slow
        reader.slow = True
        self.readers.discard(reader)

    def close(self) -> None:
        """End every stream: the console stops."""
        for reader in self.readers:
            reader.slow = True
            if not reader.queue.full():
                reader.queue.put_nowait(None)
        self.readers.clear()

    def missed(self, last_id: str | None) -> list[bytes] | None:
        """What came after `last_id`; None when that place is not known any more."""
        epoch, _, number = (last_id or "").rpartition("-")
        if epoch != self.epoch or not number.isdigit() or int(number) > self.number:
            return None
        seen = int(number)
        if self.ring and seen < self.ring[0][0] - 1:
            return None
        return [framed for at, framed in self.ring if at > seen]

    def whole(self) -> bytes:
        """The whole state as an event; one object for all browsers that come while nothing happens."""
        number, framed = self._whole
        if number != self.number:
            framed = frame("reset", self.snapshot(), f"{self.epoch}-{self.number}")
            self._whole = self.number, framed
        return framed

    async def stream(self, last_id: str | None, reader: Reader | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of one browser's connection, until it is too slow or the console stops."""
        reader = reader or Reader()
        self.readers.add(reader)
        try:
            first = self.missed(last_id)
            if first is None:
                first = [self.whole()]
            for framed in first:
                yield framed
            clock = asyncio.get_running_loop().time
            due = clock() + FIRST_BEAT_SECONDS
            while not reader.slow:
                try:
                    framed_next = await asyncio.wait_for(reader.queue.get(), due - clock())
                except TimeoutError:
                    due = clock() + BEAT_SECONDS
                    yield frame("beat", {"read_ms": self.read_ms()})
                    continue
                if framed_next is None:
                    return
                yield framed_next
        finally:
            self.readers.discard(reader)

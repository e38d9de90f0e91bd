"""A producer without a broker, for tests of what stands before it: keeps records, fails and stalls on demand."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field

from aiokafka.errors import KafkaConnectionError, KafkaError

from schemas.envelope import Headers, attribute
from schemas.model import Message
from schemas.wire import payload


@dataclass(frozen=True)
class Kept:
    """A record as the broker would have it."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers

    def header(self, name: str) -> str | None:
        """One of our attributes."""
        return attribute(self.headers, name)

    def message(self) -> Message:
        """The payload."""
        return payload(self.headers, self.value)


@dataclass
class FakeBroker:
    """Where every producer of a test writes. `reachable` false: starts fail. `errors` are raised, one per send.

    `frozen`: sends are taken and never acknowledged until `thaw`, as with a stopped process. `late`: so is the first
    record whose topic begins like that, and it alone: what comes after it arrives before it.
    """

    reachable: bool = True
    frozen: bool = False
    late: str | None = None
    kept: list[Kept] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    producers: int = 0
    open_producers: int = 0
    _waiting: list[tuple[Kept, "asyncio.Future[None]"]] = field(default_factory=list)

    def producer(self) -> "FakeProducer":
        """What the publisher's factory gives."""
        return FakeProducer(self)

    def thaw(self) -> None:
        """Acknowledge everything that waits, in order."""
        self.frozen = False
        waiting, self._waiting = self._waiting, []
        for record, future in waiting:
            self.kept.append(record)
            if not future.done():
                future.set_result(None)

    @property
    def waiting(self) -> list[Kept]:
        """Records that were sent and not acknowledged."""
        return [record for record, _ in self._waiting]

    def of(self, topic: str) -> list[Kept]:
        """Records of one topic, by its full name."""
        return [one for one in self.kept if one.topic == topic]

    def take(self, record: Kept) -> "asyncio.Future[None]":
        """One record arrives."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        first = self.late is not None and record.topic.startswith(self.late)
        if first:
            self.late = None
        if self.frozen or first:
            self._waiting.append((record, future))
            return future
        if self.errors:
            future.set_exception(self.errors.pop(0))
            return future
        self.kept.append(record)
        asyncio.get_running_loop().call_soon(_acknowledge, future)
        return future


@dataclass
class FakeProducer:
    """The part of aiokafka's producer that the publisher uses."""

    broker: FakeBroker
    started: bool = False

    async def start(self) -> None:
        """Connect."""
        await asyncio.sleep(0)
        if not self.broker.reachable:
            raise KafkaConnectionError
        self.started = True
        self.broker.producers += 1
        self.broker.open_producers += 1

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, *, headers: list[tuple[str, bytes]]
    ) -> Awaitable[object]:
        """Take a record."""
        if not self.started:
            raise KafkaError
        return self.broker.take(Kept(topic, key or b"", value or b"", tuple(headers)))

    async def stop(self) -> None:
        """Disconnect."""
        if self.started:
            self.started = False
            self.broker.open_producers -= 1


def _acknowledge(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)

"""A recipient of tests: a sink that keeps, fails as told, and a writer that keeps what would go to Kafka."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.contract import Receipt
from ops.delivering.courier import Courier
from ops.delivering.memory import Memory
from schemas.delivery import Delivery, DeliveryReceipted
from schemas.model import Message
from schemas.wire import payload
from streams.contract import Output


@dataclass
class FarSink:
    """Raises what stands in `troubles`, one per try, then keeps deliveries by their id."""

    troubles: deque[Exception | Receipt] = field(default_factory=deque)
    tries: list[str] = field(default_factory=list)
    kept: dict[str, Delivery] = field(default_factory=dict)

    async def connect(self) -> None:
        """Nothing."""

    async def write(self, delivery: Delivery) -> Receipt:
        """Keep it, or the next trouble."""
        self.tries.append(delivery.delivery_id)
        trouble = self.troubles.popleft() if self.troubles else Receipt("far-1")
        if isinstance(trouble, Exception):
            raise trouble
        self.kept.setdefault(delivery.delivery_id, delivery)
        return trouble

    async def close(self) -> None:
        """Nothing."""


@dataclass
class Paper:
    """Keeps what was written, in order."""

    outputs: list[Output] = field(default_factory=list)

    async def write(self, outputs: Sequence[Output]) -> None:
        """Acknowledged at once."""
        self.outputs.extend(outputs)

    def on(self, topic: str) -> list[Message]:
        """The payloads of a topic."""
        return [payload(one.headers, one.value) for one in self.outputs if one.topic == topic]

    def receipts(self) -> list[DeliveryReceipted]:
        """The receipts."""
        return [one for one in self.on("delivery.receipts") if isinstance(one, DeliveryReceipted)]


@dataclass
class Clock:
    """Time passes only by pauses."""

    now: datetime = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    pauses: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        """Pass the pause at once."""
        self.pauses.append(seconds)
        self.now += timedelta(seconds=seconds)


def courier(sink: FarSink, paper: Paper, clock: Clock) -> Courier:
    """A courier of recipient `lab` without jitter."""
    return Courier("lab", sink, Memory("lab"), paper, clock=lambda: clock.now, sleep=clock.sleep, chance=lambda: 0.5)

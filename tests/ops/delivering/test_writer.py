"""The deliveries' writer: a producer that failed for good or answers nothing is thrown away, and all is sent again."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaConnectionError,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from ops.delivering.writer import KafkaWriter
from streams.contract import Output

FATAL = (OutOfOrderSequenceNumber, UnknownProducerId, ProducerFenced, InvalidProducerEpoch)
OUTPUTS = [Output("delivery.receipts", b"k", b"first"), Output("audit.log", b"k", b"second")]


class Far:
    """A cluster whose producers fail as told: one entry for each producer that is started."""

    prefix = "t."

    def __init__(self, *fates: KafkaError | str) -> None:
        self.fates = list(fates)
        self.kept: list[bytes] = []
        self.open = 0
        self.made = 0

    def producer(self) -> "FarProducer":
        """See `ops.reading.Cluster.producer`."""
        self.made += 1
        return FarProducer(self, self.fates.pop(0) if self.fates else "well")


class FarProducer:
    """Fails each send with one error, or never answers, or is well."""

    def __init__(self, far: Far, fate: KafkaError | str) -> None:
        self.far, self.fate = far, fate

    async def start(self) -> None:
        """Connect."""
        if isinstance(self.fate, KafkaConnectionError):
            raise self.fate
        self.far.open += 1

    async def stop(self) -> None:
        """Disconnect."""
        if not isinstance(self.fate, KafkaConnectionError):
            self.far.open -= 1

    async def send(self, _: str, **record: Any) -> "asyncio.Future[None]":
        """Take a record."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if isinstance(self.fate, KafkaError):
            future.set_exception(self.fate)
        elif self.fate == "well":
            self.far.kept.append(record["value"])
            future.set_result(None)
        return future


def _writer(far: Far) -> KafkaWriter:
    return KafkaWriter(far, stuck_seconds=0.05, pause_seconds=0.01)  # type: ignore[arg-type]


@pytest.mark.parametrize("error", FATAL)
async def test_a_producer_that_failed_for_good_is_thrown_away(error: type[KafkaError]) -> None:
    """It would fail each later send, too (aiokafka 1017); a new one sends everything, and the old one is given back."""
    far = Far(error())
    writer = _writer(far)
    await writer.write(OUTPUTS)
    await writer.write(OUTPUTS[:1])
    assert far.kept == [b"first", b"second", b"first"]
    assert (far.made, far.open) == (2, 1)
    await writer.close()
    assert far.open == 0


async def test_a_producer_that_answers_nothing_is_thrown_away() -> None:
    """An idempotent one tries for ever, whatever became of it: its silence condemns it."""
    far = Far("silent")
    writer = _writer(far)
    await asyncio.wait_for(writer.write(OUTPUTS), 10)
    assert far.kept == [b"first", b"second"]
    assert (far.made, far.open) == (2, 1)
    await writer.close()


async def test_an_outage_is_waited_through() -> None:
    """However often a new producer cannot start, either."""
    far = Far(UnknownProducerId(), KafkaConnectionError(), KafkaConnectionError())
    writer = _writer(far)
    await writer.write(OUTPUTS)
    assert far.kept == [b"first", b"second"]
    assert (far.made, far.open) == (4, 1)
    await writer.close()

"""What connectors' machinery needs of a Kafka producer, and the one that it uses."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connectors.ending import ended
from schemas.topic import MAX_MESSAGE_BYTES

log = structlog.get_logger()

_START_SECONDS: Final = 2.0
"""How long a start may go on that nobody waits for any more."""
_BACK_OFF_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


class Producer(Protocol):
    """The part of aiokafka's producer that the publisher uses; tests give one without a broker."""

    async def start(self) -> None:
        """Connect, or raise KafkaError."""

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, *, headers: list[tuple[str, bytes]]
    ) -> Awaitable[object]:
        """Queue a record; the awaitable it gives ends when the broker has it, or raises KafkaError."""

    async def stop(self) -> None:
        """Give everything back."""


def kafka_producer(bootstrap_servers: str, **security: object) -> Producer:
    """An idempotent producer that waits for all replicas; `security` are aiokafka's own arguments."""
    made: Producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        enable_idempotence=True,
        acks="all",
        max_request_size=MAX_MESSAGE_BYTES,
        request_timeout_ms=20_000,
        retry_backoff_ms=50,
        metadata_max_age_ms=60_000,
        **security,
    )
    return made


async def started(make: Callable[[], Producer], backlog: Callable[[], int]) -> Producer:
    """A started producer, however long that takes; one line in the log when it has to wait, one when it is there."""
    attempt = 0
    while True:
        producer = make()
        start = asyncio.ensure_future(producer.start())
        try:
            await asyncio.shield(start)
        except (KafkaError, OSError, TimeoutError, asyncio.CancelledError) as error:
            # Not broken off in the middle: aiokafka 0.14 forgets a connection that has no answer yet.
            await asyncio.wait({start}, timeout=_START_SECONDS)
            await ended([start])
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 2)
            if isinstance(error, asyncio.CancelledError):
                raise
            if not attempt:
                log.warning("broker_unreachable", error=type(error).__name__, backlog=backlog())
            await asyncio.sleep(_BACK_OFF_SECONDS[min(attempt, len(_BACK_OFF_SECONDS) - 1)])
            attempt += 1
            continue
        if attempt:
            log.info("broker_reached", backlog=backlog())
        return producer

"""Records beside the journal, best effort: what is said of feeds. Nothing rests on them."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from connectors.kits.kafka import Producer
from schemas.envelope import Headers

log = structlog.get_logger()

_ON_THE_WAY: Final = 1_000
_SECONDS: Final = 5.0


class Saying:
    """Sends records that nobody waits for. `prefix` stands before every topic."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._said: set[asyncio.Future[object]] = set()

    async def say(self, producer: Producer | None, topic: str, key: str, value: bytes | None, headers: Headers) -> bool:
        """Whether the record was handed to the producer; False without one, or when too many are on their way."""
        if producer is None or len(self._said) > _ON_THE_WAY:
            return False
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                sent = await producer.send(self._prefix + topic, value, key.encode(), headers=list(headers))
            future = asyncio.ensure_future(sent)
            self._said.add(future)
            future.add_done_callback(self._heard)
            return True
        return False

    def _heard(self, future: "asyncio.Future[object]") -> None:
        self._said.discard(future)
        if not future.cancelled() and (error := future.exception()):
            log.warning("status_not_sent", error=type(error).__name__)

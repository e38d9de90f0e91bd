"""Writes receipts, audit records, quarantine and alarms; waits through a broker's outage with a new producer."""

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ops.reading import Cluster
from streams.clients import begin
from streams.contract import Output

PAUSE_SECONDS = 1.0
STUCK_SECONDS = 45.0
"""What no answer came for in so long condemns the producer: an idempotent one tries for ever, whatever became of it."""

log = structlog.get_logger()


class KafkaWriter:
    """One idempotent producer for all recipients of a process, made at the first write; given back by `close`."""

    def __init__(
        self, cluster: Cluster, stuck_seconds: float = STUCK_SECONDS, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._cluster, self._stuck, self._pause = cluster, stuck_seconds, pause_seconds
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._down = False
        self._fresh = True

    async def _start(self) -> None:
        producer = self._cluster.producer()
        await begin(producer)
        self._producer = producer

    async def write(self, outputs: Sequence[Output]) -> None:
        """Returns once all are acknowledged.

        A failed send says nothing about what was written, and an idempotent producer may stay stuck (aiokafka 1017):
        everything is sent again by a new one. Repeats carry the same ids.
        """
        while True:
            producer = self._producer
            if producer is not None and await self._sent(producer, outputs):
                if self._down:
                    self._down = False
                    log.info("broker_back", part="deliver")
                return
            await self._renew(producer)

    async def _sent(self, producer: AIOKafkaProducer, outputs: Sequence[Output]) -> bool:
        try:
            async with asyncio.timeout(self._stuck):
                futures = [
                    await producer.send(
                        self._cluster.prefix + out.topic, key=out.key, value=out.value, headers=list(out.headers)
                    )
                    for out in outputs
                ]
                await asyncio.gather(*futures)
        except (KafkaError, OSError, TimeoutError) as error:
            if not self._down:
                self._down = True
                log.warning("broker_unavailable", part="deliver", error=type(error).__name__)
            return False
        return True

    async def _renew(self, failed: AIOKafkaProducer | None) -> None:
        async with self._renewing:
            if self._producer is not failed:
                return
            if not self._fresh:
                await asyncio.sleep(self._pause)
            self._fresh = False
            await self._given_back()
            try:
                await self._start()
            except (KafkaError, OSError):
                return

    async def _given_back(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await producer.stop()
            except (KafkaError, OSError) as error:
                log.debug("producer_stop_failed", error=type(error).__name__)

    async def close(self) -> None:
        """Give the producer back. Also twice."""
        await self._given_back()

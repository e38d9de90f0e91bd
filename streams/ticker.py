"""The ticker: lets time pass for a processor whose state has deadlines.

Beside a shell, in the same process, with a producer of its own. For each partition that the shell holds and whose
state has a pending deadline (`Processor.due`), it writes `Processor.tick` into that partition of the input: when the
deadline is due, and at least every ten seconds while one is pending; nothing when idle. A tick only lets time pass,
so a double, late or forgotten one changes nothing but the moment.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from schemas.errors import Code, Unavailable
from streams.clients import AiokafkaClients, begin
from streams.contract import Output, Processor, State
from streams.shell_settings import ShellSettings

log: Final = structlog.get_logger("streams.ticker")
LOOK_SECONDS: Final = 0.25
"""How often the deadlines are looked at."""
PENDING_MS: Final = 10_000
"""Longest time without a tick while a deadline is pending."""
DUE_MS: Final = 1000
"""Least time between two ticks of a partition: a due one may not have been stepped yet."""

STUCK_SECONDS: Final = 45.0
"""A tick that no answer came for in so long condemns the producer: an idempotent one tries for ever."""
STOP_SECONDS: Final = 2.0
"""Longest time that giving a producer back may take."""


class Holder(Protocol):
    """What the ticker needs of a shell."""

    def states(self) -> Mapping[int, State]:
        """The states of the partitions that are held and recovered."""


class Ticker:
    """Writes the ticks of one processor. `run` goes on until it is cancelled or `stop` is called.

    A processor without `due` and `tick` needs none: `run` returns at once. A tick that cannot be written is dropped
    and told; the next look tries again, with a new producer: an idempotent one that failed may never send again
    (aiokafka issue 1017). `now_ms` is what ticks tell; the time between two of them is `passed_ms`, which no clock
    that is set back can stretch.
    """

    def __init__(
        self,
        processor: Processor,
        holder: Holder,
        settings: ShellSettings,
        *,
        producer: Callable[[ShellSettings], Any] | None = None,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        passed_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        stuck_seconds: float = STUCK_SECONDS,
    ) -> None:
        self._processor = processor
        self._holder = holder
        self._settings = settings
        self._make_producer = producer or AiokafkaClients().producer
        self._now_ms, self._passed_ms = now_ms, passed_ms
        self._stuck = stuck_seconds
        self._producer: Any = None
        self._starting = asyncio.Lock()
        self._last: dict[int, int] = {}
        self._stop = asyncio.Event()
        self.written = 0

    def stop(self) -> None:
        """End `run` soon."""
        self._stop.set()

    async def run(self) -> None:
        """Look at the deadlines for ever. Unavailable when no broker can be reached at the start."""
        if self._processor.due is None or self._processor.tick is None:
            return
        try:
            try:
                await self._started()
            except KafkaError as error:
                raise Unavailable(Code.BROKER_UNAVAILABLE, f"the ticker cannot start: {type(error).__name__}") from None
            while not self._stop.is_set():
                await self.look()
                await self._pause()
        finally:
            await self._discard()

    async def look(self) -> None:
        """Write the ticks that are wanted now."""
        passed = self._passed_ms()
        wanted = self.wanted(self._now_ms(), passed)
        told = await asyncio.gather(*(self._write(*one) for one in wanted), return_exceptions=True)
        for (partition, _), error in zip(wanted, told, strict=True):
            if error is None:
                self._last[partition] = passed
                self.written += 1
            elif isinstance(error, KafkaError | TimeoutError):
                log.warning("tick_dropped", partition=partition, error=type(error).__name__)
            else:
                raise error
        if any(told):
            await self._discard()

    async def _write(self, partition: int, output: Output) -> None:
        """Write a tick, within a time: one that waits for its answer for ever would hold all later ones."""
        async with asyncio.timeout(self._stuck):
            producer = await self._started()
            await producer.send_and_wait(
                self._settings.prefix + output.topic,
                value=output.value,
                key=output.key,
                partition=partition,
                headers=list(output.headers),
            )

    def wanted(self, now: int, passed: int) -> list[tuple[int, Output]]:
        """The partitions to be ticked at this moment, each with its tick.

        `now`: ms since the epoch, against which deadlines stand; `passed`: ms of a clock that only goes on.
        """
        due, tick = self._processor.due, self._processor.tick
        if due is None or tick is None:
            return []
        states = self._holder.states()
        self._last = {partition: at for partition, at in self._last.items() if partition in states}
        found = []
        for partition, state in states.items():
            deadline = due(state)
            if deadline is None:
                self._last.pop(partition, None)
                continue
            since = passed - self._last.setdefault(partition, passed - DUE_MS)
            if since >= (DUE_MS if deadline <= now else PENDING_MS):
                found.append((partition, tick(partition, now)))
        return found

    async def _started(self) -> Any:
        """The producer at work, a new one where there is none. KafkaError when no broker can be reached."""
        async with self._starting:
            if self._producer is None:
                made = self._make_producer(self._settings)
                await begin(made)
                self._producer = made
            return self._producer

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # One that failed may wait for ever for what it cannot send.
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), STOP_SECONDS)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)
        except TimeoutError:
            return

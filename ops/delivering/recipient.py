"""One recipient: its sink, its courier, a lane for what is urgent and one for the rest."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from connectors.contract import Sink
from ops.delivering.courier import Courier, Observer, Silent, StoppedError, Writer
from ops.delivering.lane import Lane, Limits
from ops.delivering.lead import Lead
from ops.delivering.memory import HORIZON_MS, Memory
from ops.delivering.outage import Outage
from ops.delivering.retry import pause_seconds
from ops.reading import Cluster, Reading
from schemas.errors import Code, Denied, Rejected, Unavailable
from schemas.topics import LANES, RECEIPTS

MONITOR_SECONDS: Final = 1.0
FORGET_EVERY: Final = 3600

log = structlog.get_logger()


@dataclass(frozen=True)
class Recipient:
    """Who gets deliveries: configured name and how its sink is made."""

    name: str
    sink: Callable[[], Sink]


class Receipts:
    """Keeps a recipient's memory up to date with `delivery.receipts`."""

    def __init__(self, cluster: Cluster, memory: Memory) -> None:
        since_ms = int(datetime.now(UTC).timestamp() * 1000) - HORIZON_MS
        self._memory = memory
        self._reading = Reading(cluster, [RECEIPTS], since_ms)
        self._one = asyncio.Lock()

    async def catch_up(self) -> None:
        """Read what came since the last time. Unavailable when a broker is away.

        What is no receipt is told and passed over: at worst a delivery goes out again, under the same id.
        """
        async with self._one:
            async for topic, records in self._reading.on():
                for one in records:
                    try:
                        self._memory.learn(one.headers, one.timestamp)
                    except Rejected as error:
                        place = {"topic": topic, "partition": one.partition, "offset": one.offset}
                        log.warning("receipt_passed_over", code=error.code.value, **place)


class Service:
    """Delivers to one recipient: `run` until cancelled; it returns when the recipient stopped (a person was told).

    Kafka's and our own outages are waited through; nothing is passed over meanwhile. `instance` makes the membership
    static, so that a restart needs no rebalance.
    """

    def __init__(
        self,
        recipient: Recipient,
        cluster: Cluster,
        writer: Writer,
        instance: str | None = None,
        limits: Limits | None = None,
        observer: Observer | None = None,
    ) -> None:
        memory = Memory(recipient.name)
        self._sink = recipient.sink()
        self._courier = Courier(recipient.name, self._sink, memory, writer, observer or Silent())
        receipts = Receipts(cluster, memory)
        urgent, routine = LANES
        lead = Lead(memory)
        self.lanes: Final = (
            Lane(cluster, self._courier, urgent, instance, receipts.catch_up, limits, leads=lead),
            Lane(cluster, self._courier, routine, instance, receipts.catch_up, limits, follows=lead),
        )

    @property
    def outage(self) -> Outage:
        """How it stands with the recipient."""
        return self._courier.outage

    @property
    def stopped(self) -> Code | None:
        """Why it gets nothing more until a person has looked; None while it does."""
        return self._courier.stopped

    async def run(self) -> None:
        """Connect, deliver; give everything back at the end."""
        try:
            await _connected(self._sink, self._courier)
            async with _monitored(self._courier):
                await _lanes(self.lanes, self._courier.recipient)
        except StoppedError:
            log.info("recipient_lanes_ended", recipient=self._courier.recipient)
        finally:
            await self._sink.close()


async def _lanes(lanes: tuple[Lane, ...], recipient: str) -> None:
    """Both lanes side by side; StoppedError of one ends the other."""
    tasks = [asyncio.create_task(_endless(lane, recipient), name=f"lane {lane.group}") for lane in lanes]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _endless(lane: Lane, recipient: str) -> None:
    """Run the lane, and again after the broker was away."""
    failures = 0
    while True:
        started = asyncio.get_running_loop().time()
        try:
            await lane.run()
        except (KafkaError, Unavailable, OSError) as error:
            failures = 1 if asyncio.get_running_loop().time() - started > 60 else failures + 1
            log.warning("lane_broken", recipient=recipient, group=lane.group, error=type(error).__name__)
        await asyncio.sleep(min(failures, 5))


async def _connected(sink: Sink, courier: Courier) -> None:
    failures = 0
    while True:
        try:
            await sink.connect()
        except Unavailable as error:
            failures += 1
            if failures == 1:
                log.warning("recipient_unavailable", recipient=courier.recipient, code=error.code.value)
            courier.outage.failed("connect", error, courier.clock(), urgent=True)
            if (alarm := courier.outage.alarm(courier.clock())) is not None:
                await courier.writer.write([alarm])
            await asyncio.sleep(pause_seconds(failures, courier.chance(), error.retry_after_seconds))
        except Denied as error:
            await courier.stop(error)
            raise StoppedError(error.code.value) from None
        else:
            courier.outage.over("connect")
            return


@asynccontextmanager
async def _monitored(courier: Courier) -> AsyncIterator[None]:
    """Raise and end the alarm of an outage, and let the memory forget, while the lanes work."""

    async def watch() -> None:
        rounds = 0
        while True:
            if (alarm := courier.outage.alarm(courier.clock())) is not None:
                await courier.writer.write([alarm])
            rounds += 1
            if rounds % FORGET_EVERY == 0:
                courier.memory.forget(int(courier.clock().timestamp() * 1000))
            await asyncio.sleep(MONITOR_SECONDS)

    task = asyncio.create_task(watch(), name=f"watch {courier.recipient}")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

"""The watchdog over lanes of deliveries: a lane that went silent is ended, one whose recipient is down is not."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from connectors.kits.receiver import Mood
from connectors.webhook.lab import WebhookLab
from connectors.webhook.sink import WebhookSink
from ops.broker import EmbeddedKafka
from ops.delivering.figures import Figures
from ops.delivering.recipient import Recipient, Service
from ops.delivering.writer import KafkaWriter
from ops.health import SeparateLags
from ops.metrics import Metrics
from ops.reading import Cluster
from ops.roles.deliver import watched_lane
from ops.silence import Silence
from ops.watchdog import Watchdog, WatchFigures
from schemas.report import Urgency
from streams.leaving import Exit, Leaving
from tests.broker.outboxes import made, put
from tests.contract.sink_suite import delivery
from tests.waiting import until

LIMIT_SECONDS = 2.0
LOOK_SECONDS = 0.2


class Stage:
    """A recipient whose lanes run and are watched; `codes` are those with which the process would have been ended."""

    def __init__(self, place: Cluster, far: WebhookLab) -> None:
        self.place, self.far = place, far
        self.codes: list[int] = []
        self.metrics = Metrics()
        self.writer = KafkaWriter(place)
        figures = Figures(self.metrics)
        recipient = Recipient("far", partial(WebhookSink, far.settings("far")))
        self.service = Service(recipient, place, self.writer, "here.far", observer=figures)
        figures.watch("far", self.service)

    def value(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def watchdog(self) -> Watchdog:
        """As the role has one, with a shorter limit."""
        lanes = [watched_lane(self.place, self.service, lane) for lane in self.service.lanes]
        told, leave = WatchFigures(self.metrics), Leaving(self.codes.append)

        def make() -> Silence:
            return Silence(lanes, SeparateLags(self.place), LIMIT_SECONDS, leave.from_aside, told)

        return Watchdog(make, LOOK_SECONDS, told)


@asynccontextmanager
async def stage(kafka: EmbeddedKafka, prefix: str) -> AsyncIterator[Stage]:
    """One delivery went out."""
    place = Cluster(kafka.bootstrap_servers, prefix)
    await made(place, ["far"])
    far = WebhookLab()
    await far.start()
    one = Stage(place, far)
    task = asyncio.create_task(one.service.run())
    try:
        async with one.watchdog().watching():
            await put(place, [_to(1)])
            await until(lambda: far.kept, 30)
            yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await one.writer.close()
        await far.stop()


def _to(number: int) -> Any:
    return delivery(number, number, recipient="far", urgency=Urgency.URGENT)


async def test_a_lane_that_went_silent_is_ended(kafka: EmbeddedKafka, prefix: str) -> None:
    """Its fetching ended within, its recipient is up: exit 70."""
    async with stage(kafka, prefix) as one:
        silent: set[str] = set()
        for lane in one.service.lanes:
            assert lane._consumer is not None
            lane._consumer.getmany = partial(_nothing, silent, lane.topic)
        # What was asked for before may still bring something.
        await until(lambda: len(silent) == len(one.service.lanes), 10)
        await put(one.place, [_to(number) for number in range(2, 6)])
        await until(lambda: one.codes, 30)
        assert one.codes[0] == Exit.UNKNOWN


async def _nothing(silent: set[str], topic: str, **_: Any) -> dict[Any, Any]:
    silent.add(topic)
    await asyncio.sleep(0.05)
    return {}


async def test_a_lane_whose_recipient_is_down_is_left_alone(kafka: EmbeddedKafka, prefix: str) -> None:
    """However long nothing is committed: a restart would mend nothing, and the recipient's own alert tells it."""
    async with stage(kafka, prefix) as one:
        one.far.mood = Mood.DOWN
        await put(one.place, [_to(2)])
        await until(lambda: one.value("sztab_recipient_down_seconds", recipient="far") > 0, 20)
        end = time.monotonic() + 3 * LIMIT_SECONDS
        await until(lambda: time.monotonic() > end, 4 * LIMIT_SECONDS)
        assert one.value("sztab_lag_records", processor="deliver", input="outbox.far.urgent") == 1
        assert one.value("sztab_waiting_deliveries", recipient="far") == 1
        assert one.codes == []

"""`sztab run deliver`: every recipient's sink, each with a lane for what is urgent and one for the rest."""

import asyncio
from collections.abc import Sequence
from functools import partial

from connectors.contract import Sink
from ops import kafka
from ops.delivering.figures import Figures
from ops.delivering.lane import Lane
from ops.delivering.recipient import Recipient, Service
from ops.delivering.writer import KafkaWriter
from ops.health import Readiness, SeparateLags, Watched, readiness
from ops.metrics import Metrics
from ops.operating import operating
from ops.reading import Cluster
from ops.settings import Instance, Settings
from ops.silence import watched

ROLE = "deliver"


async def run(settings: Settings) -> None:
    """Deliver to all recipients until cancelled.

    A recipient that stopped (Denied) leaves the others alone; it is taken up again when the role is started anew.
    """
    metrics, cluster = Metrics(), kafka.cluster(settings)
    writer, lags = KafkaWriter(cluster), SeparateLags(cluster)
    figures, instance = Figures(metrics), f"{settings.node}.{ROLE}"
    services = {
        who.name: Service(who, cluster, writer, f"{instance}.{who.name}", observer=figures)
        for who in recipients(settings)
    }
    for name, service in services.items():
        figures.watch(name, service)
    lanes = [watched_lane(cluster, service, lane) for service in services.values() for lane in service.lanes]
    watchdog = watched(settings, lanes, metrics)

    async def ready() -> Readiness:
        return await readiness(lanes, lags, settings.operation.ready_seconds)

    try:
        async with operating(settings, ROLE, metrics, ready), watchdog.watching():
            await _all(list(services.values()))
    finally:
        await writer.close()
        await lags.close()


def watched_lane(cluster: Cluster, service: Service, lane: Lane) -> Watched:
    """A lane; while its recipient is down or stopped nothing is committed, and that is told in another way."""
    return Watched(
        name=lane.topic,
        group=lane.group,
        topic=lane.topic,
        held=lane,
        labels=(ROLE, lane.topic.removeprefix(cluster.prefix)),
        excused=lambda: service.outage.down or service.stopped is not None,
    )


def recipients(settings: Settings) -> list[Recipient]:
    """The configured recipients with the makers of their sinks; our name goes out with each message."""
    return [Recipient(one.name, partial(_sink, one, settings.installation.name)) for one in settings.recipients]


def _sink(one: Instance, installation: str) -> Sink:
    assert one.connector.sink is not None, "the settings name only connectors with a sink as recipients"
    told = one.settings
    if not told.installation:
        told = told.model_copy(update={"installation": installation})
    return one.connector.sink(told)


async def _all(services: Sequence[Service]) -> None:
    """Every service until cancelled, also when all have stopped: then the role waits for a person."""
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(service.run())
        await asyncio.Event().wait()

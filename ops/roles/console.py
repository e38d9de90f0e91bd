"""`sztab run console`: the page of the control post, kept up to date from the topics."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import aiohttp
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from ops import kafka, runtime
from ops.bookkeeping.showing import shown
from ops.console.app import Parts, build
from ops.console.board import Board
from ops.console.figures import ConsoleFigures
from ops.console.follow import RECENT, RECENT_MS, WHOLE, follow, read_ms
from ops.console.hub import Hub
from ops.console.people import authenticator, forwarder
from ops.health import Readiness
from ops.http import served
from ops.metrics import Metrics
from ops.operating import operating
from ops.reading import Cluster
from ops.settings import Settings
from schemas.errors import Code, SztabError, Unavailable
from streams.clients import begin

ROLE: Final = "console"
LOOK_SECONDS: Final = 0.2

log = structlog.get_logger()


async def run(settings: Settings) -> None:
    """Serve the page until cancelled; it is there at once, and ready when the topics were read to their ends."""
    metrics, cluster, board = Metrics(), kafka.cluster(settings), Board()
    hub = Hub(uuid.uuid4().hex[:12], board.snapshot, read_ms=lambda: None)
    ConsoleFigures(metrics.registry, board, hub)
    caught_up = asyncio.Event()

    async def ready() -> Readiness:
        return Readiness(caught_up.is_set(), () if caught_up.is_set() else ("the topics are still being read",))

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        app = build(parts(settings, board, hub, session))
        page = await stack.enter_async_context(served(app, settings.console.host, settings.console.port))
        await stack.enter_async_context(operating(settings, ROLE, metrics, ready, page))
        reader, ends = await stack.enter_async_context(_reading(cluster))
        hub.read_ms = partial(read_ms, reader)
        watching = asyncio.create_task(_caught_up(reader, ends, caught_up))
        stack.callback(watching.cancel)
        await follow(reader, board, hub, cluster.prefix)


@asynccontextmanager
async def _reading(cluster: Cluster) -> AsyncIterator[tuple[AIOKafkaConsumer, dict[TopicPartition, int]]]:
    """A reader at the beginning of the compacted topics and a day back in the facts, and where those end now."""
    known = await cluster.partitions((*WHOLE, *RECENT))
    missing = sorted({*WHOLE, *RECENT} - set(known))
    if missing:
        raise Unavailable(Code.BROKER_UNAVAILABLE, f"no such topic: {', '.join(missing)}; provision first")
    places = {name: [TopicPartition(cluster.prefix + name, at) for at in known[name]] for name in known}
    reader = cluster.reader()
    await begin(reader)
    try:
        everything = [place for name in known for place in places[name]]
        reader.assign(everything)
        ends = await reader.end_offsets(everything)
        await reader.seek_to_beginning(*everything)
        recent = [place for name in RECENT for place in places[name]]
        day_back = int(time.time() * 1000) - RECENT_MS
        times = await reader.offsets_for_times(dict.fromkeys(recent, day_back))
        for place in recent:
            found = times.get(place)
            reader.seek(place, found.offset if found else ends[place])
        yield reader, ends
    finally:
        await reader.stop()


async def _caught_up(reader: AIOKafkaConsumer, ends: dict[TopicPartition, int], done: asyncio.Event) -> None:
    """Tell when everything that stood in the topics at the start has been read."""
    behind = dict(ends)
    while behind:
        for place in list(behind):
            if await reader.position(place) >= behind[place]:
                del behind[place]
        if behind:
            await asyncio.sleep(LOOK_SECONDS)
    done.set()


def titles() -> Mapping[str, Mapping[str, str]]:
    """The titles of the categories by code and language."""
    from streams.categories import built_in

    return {code: dict(one.title) for code, one in built_in().categories.items()}


def parts(settings: Settings, board: Board, hub: Hub, session: aiohttp.ClientSession) -> Parts:
    """What the page of this installation is made of; forms and commands go to its intake, looked up each time."""
    desk = next((one.name for one in settings.sources if one.connector.name == "desk"), "desk")

    def intake() -> str | None:
        try:
            return runtime.address(settings, "intake")
        except SztabError:
            return None

    async def trace(id: str) -> Mapping[str, Any] | None:
        from ops.trace import traced

        return await traced(settings, id)

    async def accounted(id: str) -> Mapping[str, Any] | None:
        try:
            return await asyncio.to_thread(shown, runtime.ledger_file(settings), id, datetime.now(UTC))
        except Unavailable:
            return None

    return Parts(
        name=settings.installation.name,
        mode=settings.installation.mode.value,
        board=board,
        hub=hub,
        forward=forwarder(session, intake),
        trace=trace,
        categories=titles(),
        authenticate=authenticator(settings.accounts),
        accounted=accounted,
        desk_source=desk,
    )

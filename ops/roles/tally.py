"""`sztab run tally`: the faust application with the derived figures, and its rebuild when it is asked for.

Asked for means that `tally/rebuild` stands in the data folder (`sztab tally rebuild` writes it). A tally that has lag
and commits nothing for a while ends itself: faust can go silent without an error, and a restart mends that.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import structlog
from aiokafka.errors import KafkaError

from ops import kafka
from ops.health import Readiness
from ops.metrics import Metrics
from ops.operating import operating
from ops.settings import Settings
from ops.tallying import Progress, reset
from schemas.errors import Code, Unavailable
from streams.tally import TallySettings
from streams.tally import run as run_application

ROLE: Final = "tally"
LOOK_SECONDS: Final = 5.0
STILL_SECONDS: Final = 60.0
"""Lag and no commit for so long: the process ends. Recovery of the tables must fit into it."""

log: Final = structlog.get_logger("ops.roles.tally")


def request_file(settings: Settings) -> Path:
    """The file whose presence asks for a rebuild."""
    return settings.data_dir / ROLE / "rebuild"


def tally_settings(settings: Settings) -> TallySettings:
    """How the application runs on this node."""
    cluster = kafka.cluster(settings)
    return TallySettings(
        bootstrap_servers=cluster.bootstrap_servers,
        datadir=settings.data_dir / ROLE / "faust",
        prefix=settings.installation.prefix,
        instance_id=f"{settings.node}.{ROLE}",
        wide=settings.kafka.wide,
        window_seconds=settings.tally.window_seconds,
        keep_days=settings.tally.keep_days,
        session_seconds=max(6.0, settings.streams.session_seconds),
        security=cluster.security,
    )


async def run(settings: Settings) -> None:
    """Run until cancelled. Unavailable when the application stands still: whoever runs it starts it again.

    A rebuild that is asked for is done at the start; asked while it runs, the process begins anew.
    """
    told, cluster = tally_settings(settings), kafka.cluster(settings)
    progress = Progress(cluster, told.app_id)
    request = request_file(settings)
    request.parent.mkdir(parents=True, exist_ok=True)

    async def ready() -> Readiness:
        still = "not looked at yet" if progress.lag is None else ""
        return Readiness(not still, (still,) if still else (), {"lag": progress.lag})

    if request.exists():
        done = await reset(cluster, told.app_id)
        request.unlink(missing_ok=True)
        log.info("tally_reset", entries=done.entries, figures=done.figures, partitions=done.partitions)
    async with operating(settings, ROLE, Metrics(), ready):
        await _until_asked(told, progress, request)
    log.info("tally_begins_anew")
    begin_anew()


def begin_anew() -> NoReturn:
    """Become a new process of the same command and id: a second faust application in one process stays silent."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line, no shell


async def _until_asked(told: TallySettings, progress: Progress, request: Path) -> None:
    """The application until a rebuild is asked for; an application or a watch that ends takes the other along."""
    tasks = [asyncio.create_task(run_application(told)), asyncio.create_task(_watched(progress, request))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watched(progress: Progress, request: Path) -> None:
    """Return when a rebuild is asked for; Unavailable when the application has stood still for too long."""
    looks = 0
    while not await asyncio.to_thread(request.exists):
        await asyncio.sleep(LOOK_SECONDS / 5)
        looks += 1
        if looks % 5:
            continue
        try:
            still_seconds = await progress.look()
        except (KafkaError, OSError, Unavailable):
            # An absent broker is no fault of the application; faust waits for it, and so does this.
            continue
        if still_seconds > STILL_SECONDS:
            raise Unavailable(Code.OVERLOADED, f"the tally has lag and committed nothing for {still_seconds:.0f} s")

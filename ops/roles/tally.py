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

from ops import kafka
from ops.health import Readiness
from ops.metrics import Metrics
from ops.niceness import stand_back
from ops.operating import operating
from ops.settings import Settings
from ops.tallying import Progress, TallyWatch, reset, tally_gauges
from ops.watchdog import Watchdog, WatchFigures
from streams.leaving import Leaving
from streams.tally import TallySettings
from streams.tally import run as run_application

ROLE: Final = "tally"
ASK_SECONDS: Final = 1.0
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
    """Run until cancelled. A watchdog ends the process when the application stands still: it is started again.

    A rebuild that is asked for is done at the start; asked while it runs, the process begins anew.
    """
    stand_back(settings.tally.niceness)
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
    metrics, leave = told_by(Metrics(), progress), Leaving()
    figures = WatchFigures(metrics)
    watch = TallyWatch(progress, STILL_SECONDS, leave.from_aside, figures)
    watchdog = Watchdog(lambda: watch, LOOK_SECONDS, figures)
    async with operating(settings, ROLE, metrics, ready), watchdog.watching():
        await _until_asked(told, request)
    log.info("tally_begins_anew")
    begin_anew()


def told_by(metrics: Metrics, progress: Progress) -> Metrics:
    """The role's metrics, with those of its progress."""
    lag, still = tally_gauges(metrics)
    lag.set_function(lambda: -1.0 if progress.lag is None else float(progress.lag))
    still.set_function(lambda: progress.still_seconds)
    return metrics


def begin_anew() -> NoReturn:
    """Become a new process of the same command and id: a second faust application in one process stays silent."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line, no shell


async def _until_asked(told: TallySettings, request: Path) -> None:
    """The application until a rebuild is asked for; whichever ends takes the other along."""
    tasks = [asyncio.create_task(run_application(told)), asyncio.create_task(_asked(request))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _asked(request: Path) -> None:
    """Return when a rebuild is asked for."""
    while not await asyncio.to_thread(request.exists):  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(ASK_SECONDS)

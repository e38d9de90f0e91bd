"""`sztab run streams`: the processors, one shell each, in one process; tickers beside those that have deadlines."""

import asyncio
import gc
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import structlog

from ops import kafka
from ops.health import Readiness, SeparateLags, Watched, readiness
from ops.metrics import Metrics, ShellMetrics
from ops.operating import operating
from ops.reference import processors, references
from ops.settings import Settings
from ops.silence import watched
from schemas.errors import Code, Misconfigured, SztabError
from streams.contract import Processor
from streams.shell import Shell
from streams.shell_settings import ShellSettings
from streams.ticker import Ticker

ROLE: Final = "streams"
COLLECT: Final = (50_000, 50, 100)
"""Thresholds of the collector: steps make hardly any cycles, their objects go as soon as nobody holds them."""
LOOK_SECONDS: Final = 1.0

log: Final = structlog.get_logger("ops.roles.streams")

T = TypeVar("T")
ShellChange = Callable[[ShellSettings], ShellSettings]
ProcessorChange = Callable[[Processor], Processor]


def as_it_is(one: T) -> T:
    """What every worker runs that is not under attack."""
    return one


class Running:
    """One processor with its shell and its ticker."""

    def __init__(self, told: ShellSettings, processor: Processor, metrics: Metrics) -> None:
        self.observer: Final = ShellMetrics(metrics, processor)
        self.shell: Final = Shell(processor, told, self.observer)
        self.ticker: Final = Ticker(processor, self.shell, told)
        self.watched: Final = Watched(
            name=f"{processor.name} of {processor.input}",
            group=processor.group(told.prefix),
            topic=told.prefix + processor.input,
            held=self.observer,
            labels=(processor.name, processor.input),
        )

    async def run(self) -> None:
        """Until cancelled; then the shell settles and commits what it has stepped. Errors of the shell pass through."""
        shell = asyncio.create_task(self.shell.run())
        ticker = asyncio.create_task(self._tick())
        try:
            await asyncio.wait({shell, ticker}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ticker.cancel()
            self.shell.stop()
            results = await asyncio.gather(shell, ticker, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    def recovering(self) -> bool:
        """Whether partitions are assigned and not yet stepped: their state is not read to its end."""
        health = self.shell.health()
        return bool(health.held) and not health.ready

    async def _tick(self) -> None:
        await self.ticker.run()
        # A processor without deadlines needs no ticks: nothing more happens here.
        await asyncio.Event().wait()


async def run(
    settings: Settings,
    only: Sequence[str] = (),
    worker: int = 1,
    shell: ShellChange = as_it_is,
    processor: ProcessorChange = as_it_is,
) -> None:
    """Run the processors (`only` those of these names) until cancelled.

    `worker` tells apart several of these processes on one node: each has its own static membership. Misconfigured for
    a name that is no processor, and for mistakes in the reference data, before anything is read. `shell` and
    `processor` are for proofs alone: what they attack a worker with.
    """
    found = references(settings)
    chosen = _chosen(processors(found), only)
    log.info("reference_data", **found.versions)
    metrics = Metrics()
    running = [Running(shell(kafka.shell_settings(settings, one, worker)), processor(one), metrics) for one in chosen]
    lags = SeparateLags(kafka.cluster(settings))
    watchdog = watched(settings, [one.watched for one in running], metrics)

    async def ready() -> Readiness:
        told = await readiness([one.watched for one in running], lags, settings.operation.ready_seconds)
        recovering = tuple(f"{one.watched.name}: its state is being read" for one in running if one.recovering())
        return Readiness(told.ready and not recovering, (*told.why, *recovering), told.detail)

    try:
        name = name_of(only, worker)
        async with operating(settings, name, metrics, ready), watchdog.watching(), asyncio.TaskGroup() as group:
            group.create_task(_calm(running))
            for one in running:
                group.create_task(one.run())
    except* SztabError as errors:
        # The first tells why; the others were stopped because of it.
        raise errors.exceptions[0] from None
    finally:
        await lags.close()


async def _calm(running: Sequence[Running]) -> None:
    """Keep the collector of cycles from walking through the states again and again: they stay, and hold no cycles.

    A full collection over a million state objects stands the whole process still; on a busy machine long enough to
    pass for a pause. What was read back is set apart once; what comes later is looked at seldom.
    """
    gc.set_threshold(*COLLECT)
    gc.disable()
    try:
        while any(one.observer.holding is None or one.recovering() for one in running):  # noqa: ASYNC110 - the shells tell it in no other way
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        gc.freeze()
        gc.enable()


def name_of(only: Sequence[str], worker: int) -> str:
    """Under which name the process is noted in the data folder."""
    parts = [ROLE, *sorted(only), *([str(worker)] if worker != 1 else [])]
    return "-".join(parts)


def _chosen(known: Sequence[Processor], only: Sequence[str]) -> list[Processor]:
    names = sorted({one.name for one in known})
    if wrong := sorted(set(only) - set(names)):
        detail = f"no processor is called {', '.join(wrong)}; there are {', '.join(names)}"
        raise Misconfigured(Code.CONFIGURATION_INVALID, detail)
    return [one for one in known if not only or one.name in only]

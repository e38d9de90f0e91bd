"""Runs faults one after the other on real installations, judges each run, and keeps what came of it."""

import asyncio
import hashlib
import random
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import orjson

from ops import runtime
from ops.prove import alerting
from ops.prove.expected_alerts import EXPECTED
from ops.prove.system.battle import Battle, fight
from ops.prove.system.configured import Shape
from ops.prove.system.fault import Fault
from ops.prove.system.field import Field
from ops.prove.system.gathering import Gathering
from ops.prove.system.history import Evidence, save
from ops.prove.system.judge import judge, self_test
from ops.prove.system.store import Store
from ops.prove.system.timeline import timeline
from ops.prove.system.totals import Run, Skipped

PACKAGES: Final = ("schemas", "connectors", "streams", "ops")
RUNS_OF_A_FIELD: Final = 10
"""After so many runs an installation is made anew: its topics grow, and every run reads them."""
MISSED: Final = "missed: "


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: a fault, its seed, how long, and the safety that is taken out (empty: none)."""

    fault: Fault
    seed: int
    seconds: float
    off: str = ""


@dataclass(slots=True)
class Campaign:
    """Runs orders on fields under `folder`. `store` None: nothing is remembered. `say` is told each run at its end."""

    folder: Path
    rate: float
    say: Callable[[Run, Evidence], None]
    store: Store | None = None
    alerts: bool = True
    evidence: bool = False
    """Whether to keep the evidence of each run, for judging again."""

    async def run(self, orders: Sequence[Order]) -> list[Run]:
        """Run what was not run before; all runs, remembered ones too."""
        done: list[Run] = []
        waiting = list(orders)
        while waiting:
            first = waiting[0]
            alike = [one for one in waiting if self._alike(one, first)][:RUNS_OF_A_FIELD]
            waiting = [one for one in waiting if one not in alike]
            fresh = [one for one in alike if self.store is None or not self.store.has(_key(one))]
            if fresh:
                done += await self._on_one_field(fresh, waiting)
        return done

    def _alike(self, one: Order, other: Order) -> bool:
        """Whether both may run on one installation. Where alerts are judged, none has what another fault left."""
        if one.fault.alone or other.fault.alone:
            return one is other
        shared = one.fault.name == other.fault.name or not self.alerts
        return shared and one.fault.shape == other.fault.shape and one.off == other.off

    async def _on_one_field(self, orders: Sequence[Order], waiting: list[Order]) -> list[Run]:
        """Runs on one installation; after one that failed the rest wait for a new one."""
        done: list[Run] = []
        with tempfile.TemporaryDirectory(prefix="field-", dir=self.folder, ignore_cleanup_errors=True) as folder:
            field = await Field.prepare(Path(folder), orders[0].fault.shape, _rules(orders[0].off))
            try:
                gathering = Gathering(field)
                for number, order in enumerate(orders):
                    run = await self._one(field, gathering, order, f"{order.fault.name}-{order.seed}-{number}")
                    done.append(run)
                    if not run.passed:
                        waiting[:0] = orders[number + 1 :]
                        self._keep_logs(field, run)
                        break
            finally:
                await field.close()
        return done

    async def _one(self, field: Field, gathering: Gathering, order: Order, name: str) -> Run:
        battle = Battle(field, order.fault.name, order.seed, name, random.Random(f"{name}"), self.rate)
        async with AsyncExitStack() as stack:
            scraper = await stack.enter_async_context(self._scraping(field, name))
            evidence = await fight(battle, gathering, order.fault.strike, order.seconds, order.fault.raising)
            raised = {one.alert for one in await scraper.raised()} if scraper else None
            expected = EXPECTED.get(order.fault.name)
            if scraper is not None and expected and expected.unexpected(raised or ()):
                why = {query: await scraper.series(query) for query in alerting.WHY}
                (self.folder / f"{name}-alerts.json").write_bytes(orjson.dumps(why))
        judgement = judge(evidence)
        run = Run(
            fault=order.fault.name,
            seed=order.seed,
            seconds=order.seconds,
            build=build(),
            judgement=judgement,
            caught={**self_test(evidence), **{MISSED + one: False for one in battle.missed}},
            off=order.off,
            alerts_missing=tuple(sorted(expected.missing(raised))) if expected and raised is not None else (),
            alerts_unexpected=tuple(sorted(expected.unexpected(raised))) if expected and raised is not None else (),
            timeline=timeline(evidence, judgement),
        )
        if self.evidence or not run.passed:
            await asyncio.to_thread(save, evidence, self.folder / f"{name}-{field.prefix}jsonl")
        if self.store is not None:
            self.store.append(run)
        self.say(run, evidence)
        return run

    @asynccontextmanager
    async def _scraping(self, field: Field, name: str) -> AsyncIterator[alerting.Scraper | None]:
        if not (self.alerts and alerting.available()):
            yield None
            return
        async with alerting.Scraper(field.folder / f"alerts-{name}", _targets(field)).running() as scraper:
            yield scraper

    def _keep_logs(self, field: Field, run: Run) -> None:
        """The logs of a run that failed outlive its installation."""
        for log in field.folder.glob("*.log"):
            (self.folder / f"{run.judgement.run}-{log.name}").write_bytes(log.read_bytes())


def _rules(off: str) -> tuple[str, ...]:
    return tuple(off.split("+")) if off else ()


def _key(order: Order) -> tuple[str, int, float, str, str]:
    return order.fault.name, order.seed, order.seconds, build(), order.off


def _targets(field: Field) -> list[alerting.Target]:
    def url(name: str) -> Callable[[], str | None]:
        def found() -> str | None:
            child = field.children.get(name)
            told = runtime.running(field.settings_of(child), field.role_name(child)) if child else None
            return told.operation if told is not None and child is not None and told.pid == child.pid else None

        return found

    roles = [child for child in field.children.values() if child.told.config]
    return [alerting.Target(child.name, child.told.role, url(child.name)) for child in roles]


@cache
def build() -> str:
    """A digest of the code under proof: figures of another build are never added to those of this one."""
    root, told = Path(__file__).resolve().parents[3], hashlib.sha256()
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            if "prove" not in file.parts:
                told.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return told.hexdigest()[:12]


def orders(
    faults: Sequence[Fault], seed: int, seconds: float | None, runs: int | None
) -> tuple[list[Order], list[Skipped]]:
    """The orders of a campaign, and what cannot be run here with its reason."""
    found: list[Order] = []
    skipped: list[Skipped] = []
    for fault in faults:
        if why := fault.needs():
            skipped.append(Skipped(fault.name, "whole", why))
            continue
        lasting = seconds if seconds is not None else fault.seconds
        found += [Order(fault, number, lasting) for number in range(seed, seed + (runs or fault.runs))]
        skipped += [Skipped(fault.name, variant, why) for variant, why in fault.variants]
    return found, skipped


def convicting(faults: Mapping[str, Fault], off: str, fault: str, seed: int) -> Order:
    """A run with a safety taken out, which must be found wrong."""
    return Order(replace(faults[fault], shape=Shape()), seed, faults[fault].seconds, off)

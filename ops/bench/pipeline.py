"""`sztab bench pipeline`: from a form's due time to the record in the outbox and to the webhook, rate by rate.

Everything runs as `sztab run all` starts it, with broker and load beside it: figures are those of one run on one
machine, to be read as ratios.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.webhook.lab import WebhookLab
from ops import kafka, settings
from ops.bench.figures import percentiles, slope
from ops.bench.load import Load, source
from ops.bench.processes import cpu_seconds, rss_mb, tree
from ops.demo.cast import reports_of
from ops.demo.stage import Stage, quoted, toml
from ops.reading import Cluster
from schemas.topics import LANES, outbox
from streams.clients import begin

RECIPIENTS: Final = ("dispatch", "fire", "crisis")
WARM_SECONDS: Final = 5.0
DRAIN_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0


@dataclass(slots=True)
class Arrivals:
    """When each report was first seen in dispatch's outbox (monotonic seconds)."""

    at: dict[str, float] = field(default_factory=dict)

    async def follow(self, reader: AIOKafkaConsumer) -> None:
        """Note what comes, until cancelled."""
        while True:
            for records in (await reader.getmany(timeout_ms=100)).values():
                now = time.monotonic()
                for record in records:
                    for report in orjson.loads(record.value).get("report_ids", ()):
                        self.at.setdefault(report, now)


@dataclass(slots=True)
class Bench:
    """One installation under load."""

    stage: Stage
    receivers: dict[str, WebhookLab]
    units: int
    arrivals: Arrivals = field(default_factory=Arrivals)

    async def rate(self, rate: float, seconds: float) -> dict[str, Any]:
        """One rate: warm up, then measure."""
        intake = self.stage.urls["intake"]
        await Load(intake, f"warm-{rate:g}-{time.monotonic_ns()}", rate, WARM_SECONDS, self.units).play()
        pids = {role: tree(pid) for role, pid in self.stage.pids.items()}
        before = {role: cpu_seconds(found) for role, found in pids.items()}
        load = Load(intake, f"rate-{rate:g}-{time.monotonic_ns()}", rate, seconds, self.units)
        backlog: list[tuple[float, float]] = []
        watching = asyncio.create_task(self._backlog(load, backlog))
        began = time.monotonic()
        reached = await load.play()
        lasted = time.monotonic() - began
        watching.cancel()
        used = {role: cpu_seconds(found) - before[role] for role, found in pids.items()}
        await self._drained(load)
        return {
            "rate": rate,
            "achieved": round(reached, 1),
            "sent": len(load.answered_ms),
            "failed": load.failed,
            "generator_late": load.late,
            "answer_ms": percentiles(load.answered_ms),
            "outbox_ms": percentiles(self._outbox_ms(load)),
            "webhook_ms": percentiles(self._webhook_ms(load)),
            "missing": len(load.due) - len(self._outbox_ms(load)),
            "lag_slope_per_second": round(slope(backlog), 2),
            "cpu_percent": {role: round(100 * value / lasted, 1) for role, value in used.items()},
            "rss_mb": {role: rss_mb(pid) for role, pid in self.stage.pids.items()},
        }

    async def _backlog(self, load: Load, points: list[tuple[float, float]]) -> None:
        began = time.monotonic()
        while True:
            behind = sum(1 for report in list(load.due) if report not in self.arrivals.at)
            points.append((time.monotonic() - began, behind))
            await asyncio.sleep(LOOK_SECONDS)

    async def _drained(self, load: Load) -> None:
        until = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < until:
            if len(self._webhook_ms(load)) >= len(load.due):
                return
            await asyncio.sleep(LOOK_SECONDS / 4)

    def _outbox_ms(self, load: Load) -> list[float]:
        found = self.arrivals.at
        return [1000 * (found[report] - due) for report, due in load.due.items() if report in found]

    def _webhook_ms(self, load: Load) -> list[float]:
        first: dict[str, float] = {}
        for kept in self.receivers["dispatch"].kept.values():
            for report in reports_of(kept.body):
                first[report] = min(kept.at, first.get(report, kept.at))
        return [1000 * (first[report] - due) for report, due in load.due.items() if report in first]


@asynccontextmanager
async def receiving() -> AsyncIterator[dict[str, WebhookLab]]:
    """A receiver for each recipient."""
    async with AsyncExitStack() as stack:
        receivers = {name: WebhookLab() for name in RECIPIENTS}
        for receiver in receivers.values():
            await receiver.start()
            stack.push_async_callback(receiver.stop)
        yield receivers


@asynccontextmanager
async def staged(folder: Path, units: int) -> AsyncIterator[Bench]:
    """An installation with three real receivers, ready, and its outbox followed."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        receivers = await stack.enter_async_context(receiving())
        stage = Stage(folder)
        stack.push_async_callback(stage.stop)
        await stage.start(configured(folder, receivers, units))
        await stage.ready(session)
        bench = Bench(stage, receivers, units)
        reader = await stack.enter_async_context(outbox_reader(kafka.cluster(settings.load(stage.config))))
        following = asyncio.create_task(bench.arrivals.follow(reader))
        stack.callback(following.cancel)
        yield bench


def configured(folder: Path, receivers: dict[str, WebhookLab], units: int) -> str:
    """The text of a `sztab.toml`: a call centre for each unit, three recipients. Writes the units into the folder.

    One unit is Kalisz, placed by its outline; more are fixed by their source.
    """
    fixed = [f"unit-{number + 1}" for number in range(units)] if units > 1 else []
    named = [{"name": "kmp-kalisz", "teryt": ["3061", "3007"]}, *({"name": name} for name in fixed)]
    (folder / "territory.yaml").write_bytes(orjson.dumps({"units": named, "default": "kmp-kalisz"}))
    sources = [
        f'connector = "cpr"\nname = "{source(number)}"\nemergency = true\nunit = "{fixed[number] if fixed else ""}"'
        for number in range(units)
    ]
    recipients = [
        f'connector = "webhook"\nname = "{name}"\nurl = {quoted(one.url)}\nallowed_networks = ["127.0.0.0/8"]\n'
        f"keys = [{', '.join(quoted(key) for key in one.keys)}]"
        for name, one in receivers.items()
    ]
    extra = '[territory]\nfile = "territory.yaml"'
    return toml("bench", prefix="bench.", sources=sources, recipients=recipients) + extra + "\n"


@asynccontextmanager
async def outbox_reader(cluster: Cluster) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader of dispatch's outbox, from its beginning."""
    names = [outbox("dispatch", lane) for lane in LANES]
    known = await cluster.partitions(names)
    reader = cluster.reader()
    await begin(reader)
    try:
        reader.assign([TopicPartition(cluster.prefix + name, at) for name in known for at in known[name]])
        yield reader
    finally:
        await reader.stop()


async def measure(folder: Path, rates: Sequence[float], seconds: float, units: int) -> list[dict[str, Any]]:
    """Every rate, one after the other, on one installation."""
    async with staged(folder, units) as bench:
        return [await bench.rate(rate, seconds) for rate in rates]

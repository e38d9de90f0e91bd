"""Raises the alerts of a proof: a real Prometheus beside it, which scrapes every process and evaluates our rules.

    async with Scraper(folder, targets).running() as scraper:
        ...                                    # the fault
        found = await scraper.raised()

Prometheus stands on loopback at a port that the system chose, and is ended by its process id. It scrapes through a
relay of ours, so that a process which is started again at another address is the same `instance` at once. The rules are
those of `ops/alerts/` with their durations divided by `factor`.
"""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from aiohttp import web

from ops.http import served
from ops.prove.alert_rules import scaled
from schemas.errors import Code, Misconfigured

FACTOR: Final = 10.0
"""Divides the durations of the rules in a proof: a minute becomes six seconds."""
REMEDY: Final = "prometheus is not installed; alerts are then not judged: apt-get install prometheus"
SCRAPE_SECONDS: Final = 1
START_SECONDS: Final = 30.0
LISTENING: Final = re.compile(r'msg="Listening on" address=(\S+)')
FIRING: Final = 'ALERTS{alertstate="firing"}'
WHY: Final = (FIRING, "sztab_ledger_missing > 0", "sztab_standing_seconds > 1", "sztab_recipient_down_seconds > 0")
"""What is kept of a run that raised what it should not have."""
OWN_LABELS: Final = frozenset({"__name__", "alertname", "alertstate"})


@dataclass(frozen=True, slots=True)
class Target:
    """A process to scrape. `url` gives its operation address, or None while it has none; `job` is its role."""

    instance: str
    job: str
    url: Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert that fired, with its labels, from when until when (seconds since the epoch)."""

    alert: str
    labels: dict[str, str]
    from_s: float
    until_s: float


def available() -> bool:
    """Whether Prometheus is installed here; where it is not, `REMEDY` says what is left out."""
    return shutil.which("prometheus") is not None


class Scraper:
    """One Prometheus over these targets; `folder` takes its files."""

    def __init__(self, folder: Path, targets: Sequence[Target], factor: float = FACTOR) -> None:
        self._folder, self._factor = folder, factor
        self._targets = {target.instance: target for target in targets}
        self._url = ""
        self._began = time.time()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Scraper"]:
        """Scrape and evaluate while the context lasts. Misconfigured(`tool-missing`) where there is no Prometheus."""
        program = shutil.which("prometheus")
        if program is None:
            raise Misconfigured(Code.TOOL_MISSING, REMEDY)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SCRAPE_SECONDS)) as session:

            async def relayed(request: web.Request) -> web.Response:
                return await self._relayed(request.match_info["instance"], session)

            relay = web.Application()
            relay.add_routes([web.get("/{instance}", relayed)])
            async with served(relay, "127.0.0.1", 0) as url:
                arguments = await asyncio.to_thread(self._written, url)
                async with self._started(program, arguments):
                    yield self

    async def raised(self) -> list[Raised]:
        """Every alert that fired since the start, in the order of time; one that went and came again is two."""
        found = [one for series in await self.series(FIRING) for one in _spans(series["metric"], series["values"])]
        return sorted(found, key=lambda one: (one.from_s, one.alert))

    async def series(self, query: str) -> list[dict[str, Any]]:
        """What a PromQL query gives since the start, second by second: `metric` and `values` of each series."""
        asked: dict[str, str | float] = {
            "query": query,
            "start": self._began,
            "end": time.time(),
            "step": SCRAPE_SECONDS,
        }
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._url}/api/v1/query_range", params=asked, raise_for_status=True) as answer,
        ):
            told = await answer.json()
        found: list[dict[str, Any]] = told["data"]["result"]
        return found

    async def _relayed(self, instance: str, session: aiohttp.ClientSession) -> web.Response:
        target = self._targets.get(instance)
        url = target.url() if target else None
        if url is None:
            raise web.HTTPBadGateway
        try:
            async with session.get(f"{url}/metrics", raise_for_status=True) as answer:
                return web.Response(body=await answer.read(), headers={"Content-Type": answer.headers["Content-Type"]})
        except (aiohttp.ClientError, TimeoutError):
            raise web.HTTPBadGateway from None

    def _written(self, relay: str) -> list[str]:
        """Rules and configuration as files, and what the program is called with."""
        self._folder.mkdir(parents=True, exist_ok=True)
        rules, config = self._folder / "scaled.rules.yml", self._folder / "prometheus.yml"
        rules.write_text(scaled(self._factor), encoding="utf-8")
        config.write_text(yaml.safe_dump(self._configuration(rules, relay)), encoding="utf-8")
        return [
            f"--config.file={config}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--log.level=info",
        ]

    def _configuration(self, rules: Path, relay: str) -> dict[str, Any]:
        often = f"{SCRAPE_SECONDS}s"
        jobs = [
            {
                "job_name": target.instance,
                "metrics_path": f"/{target.instance}",
                "static_configs": [
                    {
                        "targets": [relay.removeprefix("http://")],
                        "labels": {"job": target.job, "instance": target.instance},
                    }
                ],
            }
            for target in self._targets.values()
        ]
        times = {"scrape_interval": often, "scrape_timeout": often, "evaluation_interval": often}
        return {"global": times, "rule_files": [str(rules)], "scrape_configs": jobs}

    @asynccontextmanager
    async def _started(self, program: str, arguments: Sequence[str]) -> AsyncIterator[None]:
        process = await asyncio.create_subprocess_exec(program, *arguments, stderr=asyncio.subprocess.PIPE)
        assert process.stderr is not None
        reading: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(START_SECONDS):
                self._url = await _address(process.stderr)
                reading = asyncio.create_task(_drained(process.stderr))
                await _ready(self._url)
            self._began = time.time()
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            if reading is not None:
                await reading
            await process.wait()


async def _address(told: asyncio.StreamReader) -> str:
    """Where it listens, as its log says. Misconfigured(`tool-missing`) when it ends before."""
    lines = []
    while line := (await told.readline()).decode(errors="replace"):
        lines.append(line.strip())
        if found := LISTENING.search(line):
            return f"http://{found[1]}"
    raise Misconfigured(Code.TOOL_MISSING, f"prometheus ended: {' '.join(lines[-2:])}")


async def _drained(told: asyncio.StreamReader) -> None:
    """Read its log to the end, so that it never waits for a reader."""
    while await told.read(65_536):
        pass


async def _ready(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{url}/-/ready") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.1)


def _spans(metric: dict[str, str], values: Sequence[tuple[float, str]]) -> list[Raised]:
    """The times without a gap in which an alert fired."""
    labels = {name: value for name, value in metric.items() if name not in OWN_LABELS}
    spans: list[list[float]] = []
    for at, _ in values:
        if spans and at - spans[-1][1] <= 2 * SCRAPE_SECONDS:
            spans[-1][1] = at
        else:
            spans.append([at, at])
    return [Raised(metric["alertname"], labels, first, last) for first, last in spans]

"""The intake role on a real broker: frozen, killed and restarted; what was answered with yes arrives, in order."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from connectors.cpr.lab import CprLab
from ops import kafka as clients
from ops import runtime
from ops.broker import EmbeddedKafka
from ops.provision_cli import provision_installation
from ops.roles import intake
from ops.settings import Settings, load
from schemas.envelope import attribute
from schemas.report import Report
from schemas.topics import EMERGENCY
from schemas.wire import payload
from tests.waiting import until

LIMIT_SECONDS = 1.5


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A broker of this module's own, because its tests freeze it."""
    embedded = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), 1)
    embedded.up()
    yield embedded
    embedded.thaw(1)
    embedded.down(0)


@pytest.fixture
def settings(own: EmbeddedKafka, prefix: str, tmp_path: Path) -> Settings:
    """A provisioned installation with one call centre."""
    file = tmp_path / "sztab.toml"
    file.write_text(
        f'[installation]\nprefix = "{prefix}"\n[kafka]\nbootstrap_servers = "{own.bootstrap_servers}"\nwide = 3\n'
        '[[sources]]\nconnector = "cpr"\nname = "cpr"\n'
    )
    told = load(file)
    runtime.prepare(told)
    provision_installation(told, dry_run=False)
    return told


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """The role in this process; gives its address."""
    role = asyncio.create_task(intake.run(settings))
    try:
        await until(lambda: role.done() or runtime.running(settings, "intake"), 20)
        yield runtime.address(settings, "intake")
    finally:
        role.cancel()
        await asyncio.gather(role, return_exceptions=True)


async def post(client: aiohttp.ClientSession, url: str, body: bytes) -> tuple[int, dict[str, Any], float]:
    """POST one form; status, answer, seconds."""
    started = time.monotonic()
    headers = {"Content-Type": "application/json"}
    async with client.post(f"{url}/v1/sources/cpr/documents", data=body, headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read()), time.monotonic() - started


async def arrived(settings: Settings) -> list[Report]:
    """Reports of the lane in the order of their partitions, repeats of an id left out."""
    found: dict[str, Report] = {}
    async for record in clients.read_all(settings, [EMERGENCY]):
        report = payload(record.headers, record.value)
        assert isinstance(report, Report)
        assert attribute(record.headers, "reportid") == report.report_id
        found.setdefault(report.report_id, report)
    return list(found.values())


async def test_a_frozen_broker_delays_no_answer(settings: Settings, own: EmbeddedKafka) -> None:
    """Broker stopped: 50 posts, all held by the journal within 1.5 s; resumed: all arrive, in order per thread."""
    lab = CprLab()
    async with running(settings) as url, aiohttp.ClientSession() as client:
        status, told, _ = await post(client, url, lab.form())
        assert (status, told["held"]) == (202, "broker")
        own.freeze(1)
        try:
            bodies = [lab.form() for _ in range(30)] + [lab.update("PL-LAB-00001") for _ in range(20)]
            answers = await asyncio.gather(*(post(client, url, body) for body in bodies))
        finally:
            own.thaw(1)
        assert {(status, told["held"]) for status, told, _ in answers} == {(202, "journal")}
        assert max(seconds for _, _, seconds in answers) < LIMIT_SECONDS
        wanted = {report for _, told, _ in answers for report in told["reports"]}

        async def all_there() -> bool:
            return wanted <= {report.report_id for report in await arrived(settings)}

        await until(all_there, 60)
        reports = await arrived(settings)
        assert len(reports) == 51
        orders = [one.revision_order for one in reports if one.far_id == "PL-LAB-00001"]
        assert orders == list(range(1, 22))


async def _role(settings: Settings, folder: Path) -> asyncio.subprocess.Process:
    environment = {**os.environ, "SZTAB_CONFIG": str(folder / "sztab.toml")}
    with (folder / "role.log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ops", "run", "intake", env=environment, stdout=log, stderr=log
        )

    def there() -> bool:
        found = runtime.running(settings, "intake")
        return found is not None and found.pid == child.pid and bool(found.url)

    await until(there, 30, (folder / "role.log").read_text())
    return child


async def test_kills_lose_nothing_answered(settings: Settings, tmp_path: Path) -> None:
    """SIGKILL at random moments of a stream of posts: every report that was answered with yes arrives, each thread in
    order.
    """
    lab, answered, sent = CprLab(), set[str](), 0
    async with aiohttp.ClientSession() as client:
        for turn in range(3):
            child = await _role(settings, tmp_path)
            url = runtime.address(settings, "intake")

            async def caller(url: str = url) -> None:
                nonlocal sent
                while True:
                    sent += 1
                    body = lab.form() if sent % 3 else lab.update("PL-LAB-00001")
                    status, told, _ = await post(client, url, body)
                    assert status == 202
                    answered.update(told["reports"])

            callers = [asyncio.create_task(caller()) for _ in range(8)]
            enough = len(answered) + 60 + 17 * turn

            def told_enough(enough: int = enough) -> bool:
                return len(answered) >= enough

            await until(told_enough, 20)
            child.send_signal(signal.SIGKILL)
            await child.wait()
            ended = await asyncio.gather(*callers, return_exceptions=True)
            assert all(isinstance(one, aiohttp.ClientError | ConnectionError) for one in ended)
        child = await _role(settings, tmp_path)

        async def all_there() -> bool:
            return answered <= {report.report_id for report in await arrived(settings)}

        await until(all_there, 60)
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), 10) == 0
    reports = await arrived(settings)
    orders = [one.document.row for one in reports if one.far_id == "PL-LAB-00001"]
    assert orders == sorted(orders)
    assert len(orders) > 20

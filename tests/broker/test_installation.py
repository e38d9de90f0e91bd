"""A whole installation on one machine: `sztab run all` in an empty folder, used, hurt, and stopped."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from ops import handbook_metrics, kafka, runtime
from ops.broker import EmbeddedKafka
from ops.roles import ROLES
from ops.settings import Settings, load
from schemas.topics import INCIDENTS_NOW
from schemas.wire import payload
from tests.waiting import until

READY_SECONDS = 90.0
CONFIGURATION = """
data_dir = "data"
[kafka]
wide = 2
[operation]
log_format = "json"
restart_seconds = 0.05
[streams]
session_seconds = 4
[[sources]]
connector = "cpr"
name = "cpr-poznan"
"""


class Installation:
    """A running `sztab run all`."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "sztab.toml"
        self.file.write_text(CONFIGURATION, encoding="utf-8")
        self.settings: Settings = load(self.file)
        self.log = folder / "log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it in a process of its own; its log goes to a file."""
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ops", "--config", str(self.file), "run", "all", stdout=out, stderr=out
            )

    def said(self) -> list[dict[str, Any]]:
        """The log events of supervisor and roles."""
        lines = self.log.read_bytes().splitlines()
        return [orjson.loads(line) for line in lines if line.startswith(b"{")]

    async def ready(self) -> bool:
        """Whether the supervisor says that every role is ready."""
        told = runtime.running(self.settings, "supervisor")
        if told is None:
            return False
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(f"{told.operation}/health/ready") as answer:
                return answer.status == 200
        return False

    async def undocumented(self) -> dict[str, set[str]]:
        """Metrics that a running role exports and the handbook does not have, or the other way round, by role."""
        wrong = {}
        async with aiohttp.ClientSession() as session:
            for one in runtime.all_running(self.settings):
                async with session.get(f"{one.operation}/metrics") as answer:
                    told = re.findall(r"^# TYPE (\S+) ", await answer.text(), re.MULTILINE)
                known = {name for name, (_, _, roles) in handbook_metrics.catalogue().items() if one.role in roles}
                if differing := {name for name in told if not name.endswith("_created")} ^ known:
                    wrong[one.role] = differing
        return wrong

    def pids(self) -> dict[str, int]:
        """Process ids of supervisor, roles and broker."""
        found = {one.role: one.pid for one in runtime.all_running(self.settings)}
        node = EmbeddedKafka(self.settings.data_dir / "broker").process_id(1)
        return {**found, **({"broker": node} if node else {})}

    async def report(self, cpr_id: str, lat: float) -> int:
        """Post one emergency call; the status of the answer."""
        body: dict[str, Any] = {
            "cpr_id": cpr_id,
            "revision": 1,
            "category": "2.1",
            "description": "Potrącenie pieszego",
        }
        body["place"] = {"locality": "Kalisz", "street": "Łódzka", "lat": lat, "lon": 18.115}
        url = runtime.address(self.settings, "intake")
        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"{url}/v1/sources/cpr-poznan/documents", json=body)
            async with answer:
                return answer.status

    async def incidents(self) -> set[str]:
        """Ids of the incidents that stand in Kafka."""
        records = kafka.read_all(self.settings, [INCIDENTS_NOW])
        told = [payload(one.headers, one.value) async for one in records if one.value is not None]
        return {getattr(one, "incident_id", "") for one in told}


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    """Ended by force whatever the test did, its broker too."""
    made = Installation(tmp_path)
    try:
        yield made
    finally:
        for pid in made.pids().values():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if made.process is not None:
            with suppress(ProcessLookupError):
                made.process.kill()
            await made.process.wait()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.timeout(240)
async def test_one_command_runs_everything_and_ends_it(installation: Installation) -> None:
    """From an empty folder to an incident in Kafka; a killed role is back and goes on; SIGTERM leaves no process.

    The stop is graceful within 10 s: that is the time after which what still runs is killed, and nothing was. How long
    a loaded machine then takes to let the processes go is not asserted.
    """
    await installation.start()
    await until(installation.ready, READY_SECONDS, "every role ready")
    before = installation.pids()
    assert set(before) == {*ROLES, "supervisor", "broker"}
    assert await installation.report("PL-1", 51.757) == 202

    async def first() -> bool:
        return len(await installation.incidents()) == 1

    await until(first, 30, "the first incident")
    assert await installation.undocumented() == {}
    os.kill(before["streams"], signal.SIGKILL)
    await until(lambda: installation.pids().get("streams") not in {None, before["streams"]}, 30, "streams again")
    assert await installation.report("PL-2", 51.80) == 202

    async def second() -> bool:
        return len(await installation.incidents()) == 2

    await until(second, 60, "an incident after the kill")
    last = installation.pids()
    assert {name: pid for name, pid in last.items() if name != "streams"} == {
        name: pid for name, pid in before.items() if name != "streams"
    }
    assert installation.process is not None
    assert installation.settings.operation.stop_seconds == 10
    installation.process.terminate()
    async with asyncio.timeout(60):
        assert await installation.process.wait() == 0
    said = installation.said()
    assert {one["role"] for one in said if one["event"] == "role_stopped"} == {*ROLES}
    assert [one for one in said if one["event"] == "role_killed"] == []
    await until(lambda: not any(_exists(pid) for pid in last.values()), 5, "no process left")
    assert runtime.all_running(installation.settings) == []


@pytest.mark.timeout(240)
async def test_roles_do_not_outlive_a_killed_supervisor(installation: Installation) -> None:
    """SIGKILL of the supervisor: its roles end by themselves, and everything can be started again at once."""
    await installation.start()
    await until(installation.ready, READY_SECONDS, "every role ready")
    pids = installation.pids()
    os.kill(pids["supervisor"], signal.SIGKILL)
    roles = [pids[role] for role in ROLES]
    await until(lambda: not any(_exists(pid) for pid in roles), 30, "the roles ended")
    assert _exists(pids["broker"])
    await installation.start()
    await until(installation.ready, READY_SECONDS, "every role ready again")

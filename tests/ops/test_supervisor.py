"""The supervisor: a dead role is started again and it is said; everything ends when told, by process id."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from ops import operating, runtime
from ops.preparing import Prepared
from ops.settings import Settings
from ops.settings_parts import OperationPart
from ops.supervisor import Supervisor, role_command
from tests.waiting import until

WAITS = "import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); [signal.pause() for _ in iter(int, 1)]"


def _settings(folder: Path, stop_seconds: float = 10.0) -> Settings:
    operation = OperationPart(restart_seconds=0.01, stop_seconds=stop_seconds, log_format="json")
    return Settings(connectors={}, data_dir=folder / "data", operation=operation)


async def _no_cluster(_: Settings) -> Prepared:
    return Prepared("127.0.0.1:1")


def _supervisor(folder: Path, programs: dict[str, str], stop_seconds: float = 10.0) -> Supervisor:
    def command(role: str) -> Sequence[str]:
        return [sys.executable, "-c", programs[role]]

    return Supervisor(_settings(folder, stop_seconds), None, tuple(programs), command, _no_cluster)


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor sets up the process's logging; not here, where the process is pytest's."""
    monkeypatch.setattr("ops.log.configure", lambda *_: None)


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_dead_role_is_started_again_alone(tmp_path: Path) -> None:
    """SIGKILL of one role: another process takes its place, the other role is left in peace, and metrics count it."""
    supervisor = _supervisor(tmp_path, {"one": WAITS, "two": WAITS})
    work = asyncio.create_task(supervisor.run())
    one, two = supervisor.children["one"], supervisor.children["two"]
    await until(lambda: one.pid and two.pid)
    first, other = one.pid, two.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: one.pid not in {None, first})
    assert two.pid == other
    assert one.restarts == 1
    told = runtime.running(_settings(tmp_path), "supervisor")
    assert told is not None
    async with aiohttp.ClientSession() as session, session.get(told.operation + "/metrics") as answer:
        assert 'sztab_restarted_roles_total{role="one"} 1.0' in await answer.text()
    supervisor.stop()
    await work
    assert one.pid is None
    assert two.pid is None


async def test_a_role_that_cannot_be_started_is_tried_again_and_the_others_live(tmp_path: Path) -> None:
    """A start that the system refuses (no memory, no process left) is said, passes, and stops nobody else."""
    programs = {"one": str(tmp_path / "not-there"), "two": sys.executable}

    def command(role: str) -> Sequence[str]:
        return [programs[role], "-c", WAITS]

    supervisor = Supervisor(_settings(tmp_path), None, tuple(programs), command, _no_cluster)
    with capture_logs() as told:
        work = asyncio.create_task(supervisor.run())
        await until(lambda: len([one for one in told if one["event"] == "role_not_started"]) > 1)
    assert {one["error"] for one in told if one["event"] == "role_not_started"} == {"ENOENT"}
    two = supervisor.children["two"].pid
    assert two is not None
    programs["one"] = sys.executable
    await until(lambda: supervisor.children["one"].pid)
    assert supervisor.children["two"].pid == two
    supervisor.stop()
    await work


async def test_a_fault_of_the_supervisor_is_no_quiet_end(tmp_path: Path) -> None:
    """What ends the keeping of a role unasked ends the whole with that error, and the roles with it."""

    def command(role: str) -> Sequence[str]:
        if role == "two":
            raise KeyError(role)
        return [sys.executable, "-c", WAITS]

    supervisor = Supervisor(_settings(tmp_path), None, ("one", "two"), command, _no_cluster)
    with pytest.raises(KeyError):
        await supervisor.run()
    assert supervisor.children["one"].pid is None


async def test_everything_ends_on_a_signal(tmp_path: Path) -> None:
    """SIGTERM to the supervisor ends its children and removes its note."""
    supervisor = _supervisor(tmp_path, {"one": WAITS})
    work = asyncio.create_task(supervisor.run())
    await until(lambda: supervisor.children["one"].pid)
    pid = supervisor.children["one"].pid
    await until(lambda: runtime.running(_settings(tmp_path), "supervisor"))
    os.kill(os.getpid(), signal.SIGTERM)
    await work
    assert pid is not None
    assert _gone(pid)
    assert runtime.running(_settings(tmp_path), "supervisor") is None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().remove_signal_handler(number)


async def test_a_role_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """The stop time holds, whatever a role does with its signal."""
    supervisor = _supervisor(tmp_path, {"one": STUBBORN}, stop_seconds=0.5)
    work = asyncio.create_task(supervisor.run())
    await until(lambda: supervisor.children["one"].pid)
    supervisor.stop()
    async with asyncio.timeout(5):
        await work
    process = supervisor.children["one"].process
    assert process is not None
    assert process.returncode in {-signal.SIGKILL, -signal.SIGTERM}


async def test_readiness_names_the_roles_that_are_not(tmp_path: Path) -> None:
    """503 names who is not up; a note of another process is no proof of life."""
    supervisor = _supervisor(tmp_path, {"one": WAITS})
    work = asyncio.create_task(supervisor.run())
    await until(lambda: runtime.running(_settings(tmp_path), "supervisor"))
    told = runtime.running(_settings(tmp_path), "supervisor")
    assert told is not None
    with runtime.announced(_settings(tmp_path), "one", operation=told.operation):
        async with aiohttp.ClientSession() as session, session.get(told.operation + "/health/ready") as answer:
            assert answer.status == 503
            assert (await answer.json())["why"] == ["one: not up yet"]
    supervisor.stop()
    await work


def test_a_role_is_started_with_the_same_configuration(tmp_path: Path) -> None:
    """A child reads what its supervisor read, and knows whose child it is."""
    command = role_command(tmp_path / "sztab.toml", "intake")
    assert command[3:5] == ["--config", str(tmp_path / "sztab.toml")]
    assert command[-2:] == ["--parent", str(os.getpid())]


async def test_a_role_ends_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    """An orphan stops: a second intake on its journal would otherwise be refused for ever."""
    work = asyncio.create_task(asyncio.Event().wait())
    await operating._watch_parent(os.getpid(), work, _settings(tmp_path))  # type: ignore[arg-type]
    with suppress(asyncio.CancelledError):
        await work
    assert work.cancelled()


BLOCKED = """
import asyncio, sys, time, types
from pathlib import Path
from ops import operating, roles
from ops.settings import Settings
from ops.settings_parts import OperationPart
stuck = types.ModuleType("stuck")
async def run(settings):
    Path(sys.argv[1], "there").touch()
    [time.sleep(1) for _ in range(60)] if sys.argv[2] == "blocked" else await asyncio.sleep(60)
stuck.run = run
sys.modules["stuck"] = stuck
roles.ROLES["tally"] = "stuck"
settings = Settings(connectors={}, data_dir=Path(sys.argv[1]), operation=OperationPart(stop_seconds=0.2))
asyncio.run(operating.run_role(settings, "tally"))
"""


@pytest.mark.parametrize(("kind", "status"), [("blocked", operating.STUCK_EXIT), ("waiting", 0)])
async def test_a_role_stops_in_time_even_when_blocked(tmp_path: Path, kind: str, status: int) -> None:
    """SIGTERM: a waiting role ends with 0; one that blocks its loop is ended by its own timer."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", BLOCKED, str(tmp_path), kind)
    await until((tmp_path / "there").exists)
    process.terminate()
    assert await process.wait() == status

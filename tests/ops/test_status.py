"""`sztab status`: who runs here, and is it ready."""

import asyncio
import os
from pathlib import Path

from click.testing import CliRunner

from ops import runtime
from ops.cli import sztab
from ops.health import Readiness
from ops.http import operation_app, served
from ops.metrics import Metrics
from ops.settings import Settings


def _file(folder: Path) -> Path:
    (folder / "sztab.toml").write_text('data_dir = "data"\n', encoding="utf-8")
    return folder / "sztab.toml"


async def test_roles_are_asked_whether_they_are_ready(tmp_path: Path) -> None:
    """0 while all are ready; 1 with the reason when one is not; the address alone for a script."""
    answers = [Readiness(ready=True), Readiness(ready=False, why=("route: stands still",))]

    async def ready() -> Readiness:
        return answers.pop(0)

    def called(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(sztab, ["--config", str(_file(tmp_path)), "status", *arguments])
        return result.exit_code, result.output

    settings = Settings(connectors={}, data_dir=tmp_path / "data")
    async with served(operation_app(Metrics().registry, ready), "127.0.0.1", 0) as url:
        with runtime.announced(settings, "intake", "http://127.0.0.1:1", url):
            status, text = await asyncio.to_thread(called)
            assert (status, f"pid {os.getpid()}" in text, "ready" in text) == (0, True, True)
            status, text = await asyncio.to_thread(called)
            assert (status, "route: stands still" in text) == (1, True)
            assert await asyncio.to_thread(called, "--url", "intake") == (0, "http://127.0.0.1:1\n")


async def test_waiting_ends_when_all_are_ready(tmp_path: Path) -> None:
    """A script waits in one call: for the first role to run, and for each to be ready; what comes too late is 1."""
    answers = [Readiness(ready=False, why=("still reading",)), Readiness(ready=True)]

    async def ready() -> Readiness:
        return answers.pop(0)

    def called(seconds: str) -> int:
        words = ["--config", str(_file(tmp_path)), "status", "--wait", seconds]
        return CliRunner().invoke(sztab, words).exit_code

    settings = Settings(connectors={}, data_dir=tmp_path / "data")
    assert await asyncio.to_thread(called, "0") == 1
    waiting = asyncio.create_task(asyncio.to_thread(called, "30"))
    async with served(operation_app(Metrics().registry, ready), "127.0.0.1", 0) as url:
        with runtime.announced(settings, "intake", operation=url):
            assert await waiting == 0
    assert answers == []


def test_nothing_running_is_no_success(tmp_path: Path) -> None:
    """A script that waits for readiness goes on waiting; the note of a dead process counts for nothing."""
    (tmp_path / "data" / "run").mkdir(parents=True)
    note = '{"role": "intake", "pid": 2147483646, "url": "http://x", "operation": "http://x"}'
    (tmp_path / "data" / "run" / "intake.json").write_text(note, encoding="utf-8")
    result = CliRunner().invoke(sztab, ["--config", str(_file(tmp_path)), "status"])
    assert result.exit_code == 1
    assert "no role runs here" in result.output
    result = CliRunner().invoke(sztab, ["--config", str(_file(tmp_path)), "status", "--url", "intake"])
    assert result.exit_code == 1
    assert "intake does not run here" in result.stderr

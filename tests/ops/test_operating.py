"""What every role has: it runs once per data folder, and tells whether it is ready."""

import asyncio
import sys
from pathlib import Path

import pytest

from ops.health import Readiness
from ops.metrics import Metrics
from ops.operating import operating
from ops.settings import Settings
from schemas.errors import Code, Misconfigured
from tests.waiting import until

HOLDER = """
import sys, time
from pathlib import Path
from ops.runtime import alone
from ops.settings import Settings
with alone(Settings(connectors={}, data_dir=Path(sys.argv[1])), "streams"):
    print("held", flush=True)
    time.sleep(60)
"""


def _settings(folder: Path) -> Settings:
    return Settings(connectors={}, data_dir=folder)


async def test_a_role_runs_once_per_data_folder(tmp_path: Path) -> None:
    """The second says who runs and refuses to start; another worker is another role; when the first ends it may."""
    settings = _settings(tmp_path)
    async with operating(settings, "streams", Metrics()):
        with pytest.raises(Misconfigured, match=r"streams runs already .* as process \d+") as refused:
            async with operating(settings, "streams", Metrics()):
                pass
        async with operating(settings, "streams-2", Metrics()):
            pass
    assert refused.value.code is Code.CONFIGURATION_INVALID
    async with operating(settings, "streams", Metrics()):
        pass


async def test_one_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    """The system frees the place of a process that is gone: a restart needs nobody to tidy up."""
    settings = _settings(tmp_path)
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLDER, str(tmp_path), stdout=pipe)
    try:
        assert holder.stdout is not None
        assert await holder.stdout.readline() == b"held\n"
        with pytest.raises(Misconfigured, match=f"as process {holder.pid}"):
            async with operating(settings, "streams", Metrics()):
                pass
    finally:
        holder.kill()
        await holder.wait()
    async with operating(settings, "streams", Metrics()):
        pass


async def test_readiness_is_a_metric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the alerts: nobody asks `/health/ready` of a role that runs alone."""
    monkeypatch.setattr("ops.operating.LOOK_SECONDS", 0.01)
    metrics, told = Metrics(), [True]

    async def ready() -> Readiness:
        return Readiness(told[0])

    def value() -> float | None:
        return metrics.registry.get_sample_value("sztab_role_ready")

    async with operating(_settings(tmp_path), "streams", metrics, ready):
        await until(lambda: value() == 1)
        told[0] = False
        await until(lambda: value() == 0)

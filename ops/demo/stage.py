"""An installation of its own in a folder: configuration written, everything started as a user would, stopped by its id.

Used by the demo and by the pipeline benchmark, so that both run the very commands that the handbook names.
"""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from schemas.errors import Code, Unavailable

ROLES: Final = ("intake", "streams", "tally", "deliver", "ledger", "console")
STOP_SECONDS: Final = 25.0
LOOK_SECONDS: Final = 0.1


def toml(name: str, *, prefix: str, sources: Sequence[str], recipients: Sequence[str], extra: str = "") -> str:
    """The text of a `sztab.toml`; `sources` and `recipients` are the bodies of their tables."""
    parts = [
        f'data_dir = "data"\nnode = "intake-1"\n{extra}',
        f'[installation]\nname = "{name}"\nprefix = "{prefix}"',
        *(f"[[sources]]\n{body}" for body in sources),
        *(f"[[recipients]]\n{body}" for body in recipients),
    ]
    return "\n\n".join(parts) + "\n"


def quoted(value: object) -> str:
    """A value as TOML."""
    return json.dumps(value)


@dataclass(slots=True)
class Stage:
    """One installation under `folder`."""

    folder: Path
    process: asyncio.subprocess.Process | None = None
    urls: dict[str, str] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Its configuration."""
        return self.folder / "sztab.toml"

    def command(self, *words: str) -> list[str]:
        """A `sztab` command for this installation."""
        return [sys.executable, "-m", "ops", "--config", str(self.config), *words]

    async def start(self, text: str, roles: Sequence[str] = ("all",)) -> None:
        """Write the configuration and run everything; output goes to `run.log` of the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text, "utf-8")
        with (self.folder / "run.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command("run", *roles), stdout=log, stderr=log, start_new_session=True
            )

    async def ready(self, session: aiohttp.ClientSession, seconds: float = 120.0) -> float:
        """Wait until every role is ready; seconds that it took. Unavailable when it ends or stays silent."""
        began = time.monotonic()
        waiting = set(ROLES)
        while waiting:
            if self.process is None or self.process.returncode is not None:
                raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"it did not start; see {self.folder / 'run.log'}")
            if time.monotonic() - began > seconds:
                missing = ", ".join(sorted(waiting))
                raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"not ready: {missing}; see {self.folder / 'run.log'}")
            for role in list(waiting):
                if await self._is_ready(session, role):
                    waiting.discard(role)
            if waiting:
                await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    async def _is_ready(self, session: aiohttp.ClientSession, role: str) -> bool:
        path = self.folder / "data" / "run" / f"{role}.json"
        try:
            told: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
            async with session.get(
                f"{told['operation']}/health/ready", timeout=aiohttp.ClientTimeout(total=3)
            ) as answer:
                ready = answer.status == 200
        except (OSError, ValueError, aiohttp.ClientError, TimeoutError):
            return False
        self.urls[role], self.pids[role] = str(told["url"]), int(told["pid"])
        return ready

    async def run(self, *words: str) -> tuple[int, str]:
        """Run a `sztab` command to its end; exit status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        printed, _ = await process.communicate()
        return process.returncode or 0, printed.decode(errors="replace")

    async def stop(self) -> int | None:
        """Ask to stop, wait, and only then kill; the exit status. Also twice."""
        process = self.process
        if process is None:
            return None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        return process.returncode

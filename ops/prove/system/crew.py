"""The processes of a proof: started, killed, stopped and woken by their ids, started again when they end unasked."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from ops.prove.system.history import Strike
from ops.prove.system.role import ENVIRONMENT, Told

TERM_SECONDS: Final = 20.0
RESTART_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 0.05


@dataclass(slots=True)
class Child:
    """One process of the field: how it is started, and whether it is started again when it ends."""

    name: str
    told: Told
    process: subprocess.Popen[bytes] | None = None
    kept: bool = True
    """Whether it is started again when it ends; also while that start is waited for."""

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None


class Crew:
    """The processes of one installation, and what was done to them."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.children: Final[dict[str, Child]] = {}
        self.exits: Final[Counter[str]] = Counter()
        self.strikes: Final[list[Strike]] = []

    def log_file(self, name: str) -> Path:
        """Where a process writes."""
        return self.folder / f"{name}.log"

    def start(self, name: str, told: Told) -> Child:
        """Start a role; it is started again when it ends by itself, then with nothing armed."""
        process = self.launched(name, "clocked" if told.clock_file else "role", told.environment())
        self.children[name] = child = Child(name, replace(told, armed=None), process)
        return child

    def launched(self, name: str, module: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """A new process of ours: a module beside this one."""
        command = [sys.executable, "-m", f"ops.prove.system.{module}"]
        with self.log_file(name).open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment)

    def beside(self, name: str, module: str, told: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        """A process that is no role, a recipient or a flood: ended with the others, and never started again."""
        process = self.launched(name, module, {ENVIRONMENT: orjson.dumps(told).decode()})
        self.children[name] = Child(name, Told("", module), process, kept=False)
        return process

    async def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send the signal; for one that ends, wait for the end. It stays down until `start` or `again`."""
        child = self.children[name]
        ends = how in {signal.SIGKILL, signal.SIGTERM}
        child.kept = child.kept and not ends
        if child.pid is not None:
            os.kill(child.pid, how)
        if ends and child.process is not None:
            try:
                await asyncio.to_thread(child.process.wait, TERM_SECONDS)
            except subprocess.TimeoutExpired:
                self.exits["hung"] += 1
                child.process.kill()
                await asyncio.to_thread(child.process.wait)
        self.struck(name, how.name)

    def again(self, name: str, **changes: Any) -> Child:
        """Start a role that was killed; `changes` of what it is told."""
        return self.start(name, replace(self.children[name].told, **changes))

    async def ended(self, name: str, seconds: float) -> bool:
        """Wait until the present process of that name is gone; False when it still runs."""
        child, deadline = self.children[name], time.monotonic() + seconds
        while self.children[name] is child and child.pid is not None:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def keep(self) -> None:
        """Start again what ended by itself, until cancelled."""
        while True:
            for name, child in list(self.children.items()):
                if child.kept and child.process is not None and child.process.poll() is not None:
                    self.exits[f"{name} {child.process.returncode}"] += 1
                    self.struck(name, f"ended {child.process.returncode}")
                    await asyncio.sleep(RESTART_SECONDS)
                    # A fault may have started it meanwhile, or wants it to stay down.
                    if self.children[name] is child and child.kept:
                        self.again(name)
            await asyncio.sleep(LOOK_SECONDS)

    def struck(self, name: str, what: str) -> None:
        """Write down what was done to whom."""
        self.strikes.append(Strike(time.time(), None, name, what))

    async def end_all(self) -> None:
        """Kill every process, stopped ones too."""
        for child in self.children.values():
            child.kept = False
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)
                os.kill(child.pid, signal.SIGCONT)
            if child.process is not None:
                await asyncio.to_thread(child.process.wait)

"""`sztab run all`: every role as a process of its own, on one machine; a dead one is started again and it is said.

    Supervisor(settings, config).run()     until SIGTERM or SIGINT

Brings up the embedded broker where no cluster is configured, and provisions the topics, before the first role starts.
Children are ended by their process id; what has not ended within `operation.stop_seconds` is killed.
"""

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp
import structlog
from prometheus_client import Counter

from ops import log as logs
from ops import runtime
from ops.health import Readiness
from ops.metrics import Metrics
from ops.operating import operating
from ops.preparing import BROKER_SHARE, Prepared, prepare, release
from ops.roles import ROLES
from ops.settings import Settings

LIVED_SECONDS: Final = 60.0
"""A role that lived so long is started again without the pauses of its earlier deaths."""
ASK_SECONDS: Final = 6.0

log: Final = structlog.get_logger("ops.supervisor")


@dataclass
class Child:
    """One supervised role."""

    role: str
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    started_at: float = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self.process.pid if self.process is not None and self.process.returncode is None else None


def role_command(config: Path | None, role: str) -> list[str]:
    """How a role is started: this Python, the same configuration, and it ends when we are gone."""
    chosen = ["--config", str(config)] if config is not None else []
    return [sys.executable, "-m", "ops", *chosen, "run", role, "--parent", str(os.getpid())]


def deaths_counter(metrics: Metrics) -> Counter:
    """`sztab_restarted_roles_total`."""
    return metrics.counter("restarted", "roles", "Roles started again after they died.", ("role",))


class Supervisor:
    """Runs the roles until it is told to stop. `command` gives a role's command line, `prepare` makes the cluster."""

    def __init__(
        self,
        settings: Settings,
        config: Path | None,
        roles: Sequence[str] = tuple(ROLES),
        command: Callable[[str], Sequence[str]] | None = None,
        prepare: Callable[[Settings], Awaitable[Prepared]] = prepare,
    ) -> None:
        self._settings = settings
        self._command = command or partial(role_command, config)
        self._prepare = prepare
        self.children: Final = {role: Child(role) for role in roles}
        self._stopping = asyncio.Event()
        metrics = Metrics()
        self._metrics = metrics
        self._deaths = deaths_counter(metrics)

    def stop(self) -> None:
        """End `run` gracefully. A second call changes nothing."""
        self._stopping.set()

    async def run(self) -> None:
        """Prepare the cluster, start the roles, keep them running, stop them all.

        Told to stop while it prepares, it ends as soon as the broker is up: half started nobody could stop it.
        """
        runtime.prepare(self._settings)
        logs.configure(self._settings.operation, "supervisor", self._settings.node)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        prepared: Prepared | None = None
        try:
            prepared = await self._prepare(self._settings)
            if not self._stopping.is_set():
                await self._keep()
        finally:
            await release(prepared, self._settings.operation.stop_seconds * BROKER_SHARE)

    async def _keep(self) -> None:
        async with operating(self._settings, "supervisor", self._metrics, self._ready):
            keepers = [asyncio.create_task(self._keep_one(child)) for child in self.children.values()]
            stopped = asyncio.create_task(self._stopping.wait())
            try:
                ended, _ = await asyncio.wait({stopped, *keepers}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._stopping.set()
                stopped.cancel()
                await self._stop_all()
                for keeper in keepers:
                    keeper.cancel()
                await asyncio.gather(stopped, *keepers, return_exceptions=True)
            for one in ended:
                # A keeper that ended unasked met a fault of ours: an end with status 0 would hide it.
                one.result()

    async def _keep_one(self, child: Child) -> None:
        """Start the role, again and again; the pause doubles with each early death and each failed start."""
        pause = self._settings.operation.restart_seconds
        while not self._stopping.is_set():
            try:
                child.process = await self._start(child.role)
            except OSError as error:
                # No memory, no process or file left: it passes, and the other roles live on meanwhile.
                why = errno.errorcode.get(error.errno or 0, type(error).__name__)
                log.error("role_not_started", child=child.role, error=why, again_in_seconds=pause)  # noqa: TRY400
            else:
                child.started_at = time.monotonic()
                status = await child.process.wait()
                if self._stopping.is_set():
                    return
                lived = time.monotonic() - child.started_at
                pause = self._settings.operation.restart_seconds if lived > LIVED_SECONDS else pause
                self._died(child, status, lived, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, self._settings.operation.restart_longest_seconds)

    def _died(self, child: Child, status: int, lived: float, pause: float) -> None:
        child.restarts += 1
        self._deaths.labels(child.role).inc()
        log.error("role_died", child=child.role, status=status, lived_seconds=round(lived, 1), again_in_seconds=pause)

    async def _start(self, role: str) -> asyncio.subprocess.Process:
        # A port of our own is ours alone; each child asks the system for one.
        environment = {**os.environ, "SZTAB_OPERATION__PORT": "0"}
        process = await asyncio.create_subprocess_exec(*self._command(role), env=environment, start_new_session=True)
        log.info("role_launched", child=role, pid=process.pid)
        return process

    async def _stop_all(self) -> None:
        """Terminate every child by its id, wait, kill what is left."""
        running = [child.process for child in self.children.values() if child.pid is not None and child.process]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        if not running:
            return
        limit = self._settings.operation.stop_seconds * (1 - BROKER_SHARE)
        waits = [asyncio.create_task(process.wait()) for process in running]
        _, late = await asyncio.wait(waits, timeout=limit)
        for process in running:
            if process.returncode is None:
                log.error("role_killed", pid=process.pid)
                with suppress(ProcessLookupError):
                    process.kill()
        if late:
            await asyncio.wait(late)

    async def _ready(self) -> Readiness:
        """Ready iff every role answers that it is."""
        timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            answers = await asyncio.gather(*(self._ask(session, child) for child in self.children.values()))
        why = tuple(answer for answer in answers if answer)
        roles = {child.role: {"pid": child.pid, "restarts": child.restarts} for child in self.children.values()}
        return Readiness(not why, why, {"roles": roles})

    async def _ask(self, session: aiohttp.ClientSession, child: Child) -> str:
        told = runtime.running(self._settings, child.role)
        if child.pid is None or told is None or told.pid != child.pid:
            return f"{child.role}: not up yet"
        try:
            async with session.get(f"{told.operation}/health/ready") as answer:
                if answer.ok:
                    return ""
                why = (await answer.json()).get("why") or ["not ready"]
                return f"{child.role}: {'; '.join(why)}"
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return f"{child.role}: does not answer ({type(error).__name__})"

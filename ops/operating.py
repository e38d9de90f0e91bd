"""What every running role has: metrics and health over HTTP, and a note of where it is found."""

import asyncio
import importlib
import os
import signal
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final

import structlog
from prometheus_client import Gauge

from ops import log as logs
from ops import runtime
from ops.health import Readiness, Ready
from ops.http import operation_app, served
from ops.loop_guard import LoopGuard
from ops.metrics import Metrics
from ops.roles import ROLES
from ops.settings import Settings
from ops.settings_checks import loopback_only
from schemas.errors import SztabError
from streams.leaving import Leaving

LOOK_SECONDS: Final = 5.0
"""How often a role looks whether it is ready, for its metrics; requests of `/health/ready` ask by themselves."""
STUCK_EXIT: Final = 70
"""Exit status of a role that did not stop in time (EX_SOFTWARE of sysexits.h)."""

log: Final = structlog.get_logger("ops.operating")


async def always_ready() -> Readiness:
    """Readiness of a role that is ready as soon as it runs."""
    return Readiness(ready=True)


@asynccontextmanager
async def operating(
    settings: Settings, role: str, metrics: Metrics, ready: Ready = always_ready, url: str = ""
) -> AsyncIterator[str]:
    """Serve metrics and health and announce the role while the context lasts; gives the operation URL.

    `url` is what the role itself serves. Every role wraps its work in this.
    """
    operation = settings.operation
    app = operation_app(metrics.registry, ready)
    guard = LoopGuard(operation.blocked_seconds, Leaving())
    async with AsyncExitStack() as stack:
        stack.enter_context(runtime.alone(settings, role))
        await stack.enter_async_context(guard.guarding())
        at = await stack.enter_async_context(served(app, operation.host, operation.port))
        stack.enter_context(runtime.announced(settings, role, url, at))
        log.info("role_started", url=url, operation=at, pid=os.getpid())
        looking = asyncio.create_task(_look(ready_gauge(metrics), ready), name="readiness")
        try:
            yield at
        finally:
            log.info("role_stopping")
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


def ready_gauge(metrics: Metrics) -> Gauge:
    """`sztab_role_ready`, in every role."""
    return metrics.gauge("role", "ready", "1 while the role is ready, as /health/ready answers.")


async def _look(gauge: Gauge, ready: Ready) -> None:
    while True:
        gauge.set(int((await ready()).ready))
        await asyncio.sleep(LOOK_SECONDS)


async def run_role(settings: Settings, role: str, parent: int | None = None, **options: Any) -> None:
    """Run one role until SIGTERM or SIGINT, or until the supervisor that started it (`parent`) is gone.

    Errors of the role pass through. `options` are handed to the role's `run`.
    """
    runtime.prepare(settings)
    logs.configure(settings.operation, role, settings.node)
    if role == "intake":
        for sentence in loopback_only(settings):
            log.warning("loopback_only", why=sentence)
    work = asyncio.create_task(_work(settings, role, options))
    watch = asyncio.create_task(_watch_parent(parent, work, settings)) if parent else None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Not the loop's own handler: a blocked loop would never run it, and the timer must start even then.
        signal.signal(number, lambda *_: stop(loop, work, settings.operation.stop_seconds))
    try:
        with suppress(asyncio.CancelledError):
            await work
    except SztabError:
        raise
    except Exception:
        # Said as a log event, not as Python does: its words might quote what came in.
        log.exception("role_failed")
        raise SystemExit(1) from None
    finally:
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
    log.info("role_stopped")


async def _work(settings: Settings, role: str, options: Mapping[str, Any]) -> None:
    await importlib.import_module(ROLES[role]).run(settings, **options)


def stop(loop: asyncio.AbstractEventLoop, work: "asyncio.Task[None]", seconds: float) -> None:
    """Tell the role to stop; if it has not by then, the process ends by itself, whatever blocks it."""
    timer = threading.Timer(seconds, os._exit, (STUCK_EXIT,))
    timer.daemon = True
    timer.start()

    def cancel() -> None:
        work.add_done_callback(lambda _: timer.cancel())
        if not work.cancelling():
            work.cancel()

    loop.call_soon_threadsafe(cancel)


async def _watch_parent(parent: int, work: "asyncio.Task[None]", settings: Settings) -> None:
    """A role never outlives its supervisor, even one that was killed: two intakes on one journal must not meet."""
    while os.getppid() == parent:  # noqa: ASYNC110 - the system tells it in no other way
        await asyncio.sleep(0.5)
    log.error("supervisor_gone")
    stop(asyncio.get_running_loop(), work, settings.operation.stop_seconds)

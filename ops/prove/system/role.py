"""One role of an installation under attack: `python -m ops.prove.system.role`, told by the JSON in SZTAB_PROVE.

It is the role as `sztab run` starts it, with what only a proof may do to it: a crash point that is armed, a rule that
is switched off, a step that raises, a loop that is blocked on SIGUSR1. No role reads any of this by itself.
"""

import asyncio
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
import structlog
import uvloop

from connectors import identity
from ops import settings as settings_module
from ops.operating import run_role
from ops.prove.worker import armed
from ops.roles import ROLES
from schemas import wire
from schemas.errors import SztabError
from streams.contract import Outcome, Processor, Record, State
from streams.shell_settings import ShellSettings, Switches

ENVIRONMENT: Final = "SZTAB_PROVE"
RAISES: Final = "proof-raise"
"""A report whose description holds this and a processor's name makes that processor's step raise."""
KNOWN: Final = "r|"
"""Keys under which the incidents processor remembers reports."""

log: Final = structlog.get_logger("ops.prove")


@dataclass(frozen=True, slots=True)
class Told:
    """What the harness tells a role. `off` are names of `CONVICTIONS` and of the shell's switches."""

    config: str
    role: str
    worker: int = 1
    armed: tuple[str, int] | None = None
    off: tuple[str, ...] = ()
    raises: bool = False
    blocked_seconds: float = 0.0
    """How long SIGUSR1 blocks the event loop."""
    images: str = ""
    """Folder for images of the journal as of its last fsync; empty: none are kept."""
    newer: bool = False
    """Writes messages of a newer schema: with a field that nobody here knows."""
    clock_file: str = ""
    """File that says what the wall clock shows (`clocked`); empty: the real one."""

    def environment(self) -> dict[str, str]:
        """For the process: its environment."""
        return {ENVIRONMENT: orjson.dumps(asdict(self)).decode()}


FSYNC: Final = "fsync"
"""A crash point of the file layer: written, and about to be synced."""
ANSWER_FIRST: Final = "journal-first"
"""Off: the answer does not wait for the journal."""
QUARANTINE: Final = "quarantine"
"""Off: a step that raises is acknowledged, as faust does."""
DEDUPLICATION: Final = "deduplication"
"""Off: the incidents processor does not know the reports that it had."""
CONVICTIONS: Final = (ANSWER_FIRST, QUARANTINE, DEDUPLICATION)


def told_by(environment: dict[str, str]) -> Told:
    """What the environment tells. KeyError when this process was not started by the harness."""
    said = orjson.loads(environment[ENVIRONMENT])
    point = said.pop("armed")
    return Told(**{**said, "off": tuple(said["off"])}, armed=(str(point[0]), int(point[1])) if point else None)


def options(told: Told) -> dict[str, Any]:
    """What is handed to the role's `run`."""
    hook = armed(*told.armed) if told.armed else None
    if told.role == "intake":
        return {"hook": hook, "answer_before_journal": ANSWER_FIRST in told.off}
    if told.role != "streams":
        return {}
    rules = tuple(name for name in told.off if name not in CONVICTIONS)

    def shell(settings: ShellSettings) -> ShellSettings:
        return replace(settings, hook=hook, switches=Switches.without(*rules))

    return {"worker": told.worker, "shell": shell, "processor": lambda one: attacked(one, told)}


def attacked(processor: Processor, told: Told) -> Processor:
    """The processor with what was done to its step."""
    step = processor.step
    if told.raises:
        step = raising(step, f"{RAISES}-{processor.name}".encode())
    if QUARANTINE in told.off:
        step = forgiving(step)
    if DEDUPLICATION in told.off and processor.name == "incidents":
        step = forgetful(step)
    if told.newer:
        step = newer(step)
    return replace(processor, step=step)


Step = Callable[[State, Record], Outcome]


def raising(step: Step, mark: bytes) -> Step:
    """Raises for records that hold the mark."""

    def raises(state: State, record: Record) -> Outcome:
        if mark in (record.value or b""):
            raise RuntimeError("a bug that the proof put in")
        return step(state, record)

    return raises


def forgiving(step: Step) -> Step:
    """Acknowledges what raised: the record is lost in silence. To be convicted."""

    def forgives(state: State, record: Record) -> Outcome:
        try:
            return step(state, record)
        except Exception:  # noqa: BLE001 - the very mistake that must be found
            return Outcome()

    return forgives


class _Forgetful:
    """A state without what it knows of reports."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, key: str, /) -> Any:
        return None if key.startswith(KNOWN) else self._state.get(key)


def forgetful(step: Step) -> Step:
    """Takes every repeat for a new report. To be convicted."""
    return lambda state, record: step(_Forgetful(state), record)


def newer(step: Step) -> Step:
    """Writes every message as a newer version might: with one field more."""

    def writes(state: State, record: Record) -> Outcome:
        outcome = step(state, record)
        return outcome._replace(outputs=tuple(one._replace(value=with_field(one.value)) for one in outcome.outputs))

    return writes


def with_field(value: bytes | None) -> bytes | None:
    """The JSON object with a field that nobody knows."""
    return NEWER + value[1:] if value and value[:1] == b"{" and value != b"{}" else value


NEWER: Final = b'{"field_of_a_newer_version":{"and":["more"]},'


def _write_newer() -> None:
    """Let the intake of this process write messages of a newer version."""

    def record(*args: Any, **more: Any) -> Any:
        value, headers = wire.record(*args, **more)
        return with_field(value), headers

    setattr(identity, "record", record)  # noqa: B010 - a patch, and meant as one


def _block(seconds: float) -> None:
    log.warning("loop_blocked", seconds=seconds)
    time.sleep(seconds)  # the very thing: a call that does not return


async def main(told: Told, imported: Callable[[], None]) -> None:
    """Run the role until SIGTERM."""
    settings = settings_module.load(Path(told.config))
    if told.blocked_seconds:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _block, told.blocked_seconds)
    if told.images and told.role == "intake":
        from ops.prove.unsynced import install

        hook = armed(*told.armed) if told.armed and told.armed[0] == FSYNC else None
        install(Path(told.images), (lambda _: hook(FSYNC)) if hook else None)
    if told.newer and told.role == "intake":
        _write_newer()
    importlib.import_module(ROLES[told.role])
    imported()
    await run_role(settings, told.role, None, **options(told))


def start(imported: Callable[[], None] = lambda: None) -> None:
    """Run the role that the environment tells; `imported` is called when its modules are there."""
    try:
        uvloop.run(main(told_by(dict(os.environ)), imported))
    except SztabError as error:
        sys.exit(f"{error.next_step}: {error}")


if __name__ == "__main__":
    start()

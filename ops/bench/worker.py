"""The reference job of the peers' benchmark through our shell: `python -m ops.bench.worker`.

Validate, normalise, de-duplicate by id, route to three topics. The environment is the contract of that benchmark:
BS (brokers), SRC (source topic), GROUP, SFX (suffix of the output topics), CLOG (changelog), TF (file that takes the
time of the first message), ST (session time-out in seconds). Ends on SIGTERM.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import orjson
import structlog
import uvloop
from pydantic import BaseModel, ConfigDict

from schemas.errors import Rejected
from streams.contract import Outcome, Output, Processor, Record, State, Step
from streams.shell import Shell
from streams.shell_settings import ShellSettings

KINDS: Final = {"call": "o-dispatch", "alarm": "o-alarm", "unit": "o-monitor"}
SEEN: Final = b"1"


class Event(BaseModel):
    """A message of the reference job; other fields are dropped."""

    model_config = ConfigDict(extra="ignore")
    id: str
    src: str
    kind: Literal["call", "alarm", "unit"]
    prio: int
    lat: float
    lon: float
    t: float
    text: str


def job(routes: Mapping[str, str], first: Callable[[], None]) -> Step:
    """The step: the first record of an id goes on, normalised, to the topic of its kind. `first`: called once."""
    parse = Event.model_validate_json
    nothing = Outcome()
    met = False

    def step(state: State, record: Record) -> Outcome:
        nonlocal met
        if not met:
            met = True
            first()
        event = parse(record.value or b"")
        if state.get(event.id) is not None:
            return nothing
        fields = event.__dict__
        route = routes[fields["kind"]]
        value = orjson.dumps({**fields, "kind": fields["kind"].upper(), "prio": max(1, min(5, fields["prio"]))})
        return Outcome((Output(route, event.id.encode(), value),), {event.id: True})

    return step


def processor(source: str, suffix: str, first: Callable[[], None]) -> Processor:
    """The reference job as the shell runs it. `first` is called at the first record."""
    routes = {kind: f"{prefix}-{suffix}" for kind, prefix in KINDS.items()}

    def set_aside(record: Record, error: Rejected) -> Output:
        return Output(routes["unit"], record.key or b"-", orjson.dumps({"rejected": error.code.value}))

    return Processor(
        name="bench",
        input=source,
        outputs=tuple(routes.values()),
        step=job(routes, first),
        encode=lambda _: SEEN,
        decode=lambda _: True,
        set_aside=set_aside,
    )


def settings(environment: Mapping[str, str]) -> ShellSettings:
    """The shell's settings from the benchmark's environment."""
    session = float(environment.get("ST", "10"))
    return ShellSettings(
        bootstrap_servers=environment["BS"],
        group=environment["GROUP"],
        changelog=environment["CLOG"],
        instance_id=f"{environment['GROUP']}-1",
        session_seconds=session,
        heartbeat_seconds=session / 4,
    )


def note_first_message(file: str | None) -> Callable[[], None]:
    """Writes the wall-clock time into the file, as the harness asks."""

    def note() -> None:
        if file:
            Path(file).write_text(str(time.time()), encoding="ascii")

    return note


async def main() -> None:
    """Run until SIGTERM."""
    env = os.environ
    shell = Shell(processor(env["SRC"], env["SFX"], note_first_message(env.get("TF"))), settings(env))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, shell.stop)
    await shell.run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    sys.exit(uvloop.run(main()))

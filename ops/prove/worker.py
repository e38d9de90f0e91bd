"""One worker under attack: `python -m ops.prove.worker`, told what to do by the JSON in SZTAB_PROVE.

bootstrap, prefix, instance (or null), session_seconds, young_seconds, member_file, off (rules switched off),
output_bytes, deleted_at, armed: [point, n] = SIGKILL itself when the point is reached for the n-th time; at a point
called `...-sent` a moment later, for what aiokafka took over is on the wire only after its sender had its turn;
freezes: true = SIGSTOP instead, until somebody lets it go on
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from ops.prove import counter
from schemas.errors import SztabError
from streams.leaving import Exit
from streams.shell import Shell
from streams.shell_settings import ShellSettings, Switches

ENVIRONMENT: Final = "SZTAB_PROVE"
ON_THE_WIRE_SECONDS: Final = 0.0015
"""Enough for the sender's turn, and less than most acknowledgements of three brokers take."""


def armed(point: str, times: int, how: signal.Signals = signal.SIGKILL) -> Callable[[str], None]:
    """A hook that kills this process at the n-th passage of a point: no clean-up runs, as when power fails."""
    left = times

    def hook(passed: str) -> None:
        nonlocal left
        if passed == point:
            left -= 1
            if left == 0 and point.endswith("-sent"):
                asyncio.get_running_loop().call_later(ON_THE_WIRE_SECONDS, os.kill, os.getpid(), how)
            elif left == 0:
                os.kill(os.getpid(), how)

    return hook


def settings(told: dict[str, Any]) -> ShellSettings:
    """The shell's settings from what the harness says."""
    session = float(told["session_seconds"])
    limit = told.get("output_bytes")
    point, times = told.get("armed") or ("", 0)
    how = signal.SIGSTOP if told.get("freezes") else signal.SIGKILL
    return ShellSettings(
        bootstrap_servers=told["bootstrap"],
        prefix=told["prefix"],
        instance_id=told.get("instance"),
        session_seconds=session,
        heartbeat_seconds=session / 4,
        output_bytes=dict.fromkeys(counter.OUTPUTS, limit) if limit else {},
        switches=Switches.without(*told.get("off", ())),
        member_file=Path(told["member_file"]) if told.get("member_file") else None,
        young_seconds=float(told.get("young_seconds", 60.0)),
        hook=armed(point, times, how) if point else None,
    )


async def main() -> int:
    """Run the counter until SIGTERM; the exit code says how it ended."""
    told = orjson.loads(os.environ[ENVIRONMENT])
    shell = Shell(counter.processor(told.get("deleted_at", counter.DELETED_AT)), settings(told))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, shell.stop)
    try:
        await shell.run()
    except SztabError as error:
        logging.getLogger(__name__).critical("stopped: %s", error)
        return int(Exit.MISCONFIGURED)
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    sys.exit(uvloop.run(main()))

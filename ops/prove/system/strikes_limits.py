"""Faults of what a process is given: its clock, files and memory, and neighbours of another version."""

import asyncio
import resource
import signal
import time
from pathlib import Path
from typing import Final

from ops.prove.system.battle import Battle

HOLD_SECONDS: Final = 5.0
SHOWN: Final = (("+3600", 12.0), ("-3600", 12.0), ("+0", 3.0), ("-90", 4.0), ("+0 x1.2", 4.0), ("+0", 2.0))
"""What the clocks show, and for how long: an hour ahead, an hour back, right, a step back, too fast, right."""
SPARE_FILES: Final = 3
SPARE_BYTES: Final = 24 * 1024 * 1024


async def clock(battle: Battle) -> None:
    """The clocks of one node and one worker jump and drift; the others' are right."""
    for shown, seconds in SHOWN:
        _set(battle, shown)
        battle.struck(f"clock {shown}")
        await asyncio.sleep(seconds)
    _set(battle, "+0")


def _set(battle: Battle, shown: str) -> None:
    Path(battle.field.clock(1)).write_text(shown, "ascii")


async def exhaustion(battle: Battle) -> None:
    """A node has no file left for a while; a worker no memory."""
    await asyncio.sleep(2)
    pid = battle.field.children["intake-1"].pid
    assert pid is not None
    began, limits = time.time(), resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (_files(pid) + SPARE_FILES, limits[1]))
    await asyncio.sleep(HOLD_SECONDS)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    battle.struck("intake-1 without files", until=time.time(), at=began)
    child = battle.field.children["streams-1"]
    assert child.pid is not None
    began, limits = time.time(), resource.prlimit(child.pid, resource.RLIMIT_AS)
    resource.prlimit(child.pid, resource.RLIMIT_AS, (_bytes(child.pid) + SPARE_BYTES, limits[1]))
    ended = await battle.field.ended("streams-1", 2 * HOLD_SECONDS)
    if not ended and child.pid is not None:
        resource.prlimit(child.pid, resource.RLIMIT_AS, limits)
    battle.notes["memory"] = "ended" if ended else "lived with it"
    battle.struck("streams-1 without memory", until=time.time(), at=began)


def _files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0]) * resource.getpagesize()


async def rolling_upgrade(battle: Battle) -> None:
    """One node and one worker write a newer schema beside old ones; then all do; then all go back."""
    for names, newer in (
        (("intake-1", "streams-1"), True),
        (("intake-2", "streams-2"), True),
        (("intake-1", "streams-1"), False),
        (("intake-2", "streams-2"), False),
    ):
        for name in names:
            await battle.field.kill(name, signal.SIGTERM)
            battle.field.again(name, newer=newer)
            battle.struck(f"{name} is {'newer' if newer else 'as before'}")
            await asyncio.sleep(2)
        await asyncio.sleep(1)

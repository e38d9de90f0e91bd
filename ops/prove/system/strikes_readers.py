"""Faults of the page's readers: five hundred that do not read, others that come and go and must miss nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import aiohttp

from ops import runtime
from ops.bench.processes import rss_mb
from ops.prove.system.battle import Battle

SLOW: Final = 500
GOOD: Final = 20
SECONDS: Final = 20.0
STORM_SECONDS: Final = 4.0
GROWTH: Final = 1.5
"""The console may grow by so much while five hundred do not read."""


async def slow_readers(battle: Battle) -> None:
    """Slow ones are dropped, the others resume without a gap, the console stays small."""
    console = runtime.running(battle.field.settings(), "console")
    assert console is not None
    before = rss_mb(console.pid)
    lines = [line for _ in range(SLOW) if (line := await _slow(console.url)) is not None]
    battle.struck(f"{len(lines)} slow readers")
    try:
        gaps = await asyncio.gather(*(_follow(console.url, number) for number in range(GOOD)))
    finally:
        for line in lines:
            line.close()
    after = rss_mb(console.pid)
    battle.notes |= {"events": sum(count for count, _ in gaps), "console_mb": (before, after)}
    if lost := sum(missing for _, missing in gaps):
        battle.missed.append(f"{lost} events were missed by readers that resumed")
    if after > GROWTH * before + 50:
        battle.missed.append(f"the console grew from {before} to {after} MB")


async def _slow(url: str) -> socket.socket | None:
    """A reader that asks and never reads."""
    host, _, port = url.removeprefix("http://").partition(":")
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)  # noqa: FBT003 - the interface of sockets
    with suppress(OSError, TimeoutError):
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(line, (host, int(port))), 2)
        line.send(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        return line
    line.close()
    return None


async def _follow(url: str, number: int) -> tuple[int, int]:
    """Read events, break off and resume again and again; how many came, and how many numbers were missing."""
    last, seen, missing = "", 0, 0
    deadline = asyncio.get_running_loop().time() + SECONDS
    async with aiohttp.ClientSession() as session:
        while asyncio.get_running_loop().time() < deadline:
            pause = min(deadline - asyncio.get_running_loop().time(), STORM_SECONDS * (1 + number % 3) / 2)
            with suppress(TimeoutError, aiohttp.ClientError):
                async with asyncio.timeout(pause):
                    async for name, event_id in _events(session, url, last):
                        missing += _between(last, event_id) if name != "reset" else 0
                        last, seen = event_id, seen + 1
    return seen, missing


async def _events(session: aiohttp.ClientSession, url: str, last: str) -> AsyncIterator[tuple[str, str]]:
    """Name and id of each event that has one."""
    headers = {"Last-Event-ID": last} if last else {}
    async with session.get(f"{url}/api/events", headers=headers) as answer:
        event_id = name = ""
        async for line in _lines(answer.content):
            if line.startswith("id: "):
                event_id = line[4:]
            elif line.startswith("event: "):
                name = line[7:]
            elif not line:
                if event_id:
                    yield name, event_id
                event_id = name = ""


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[str]:
    """Line by line, however long: the board of a storm is one line."""
    rest = b""
    async for some in content.iter_any():
        *whole, rest = (rest + some).split(b"\n")
        for line in whole:
            yield line.decode()


def _between(last: str, event_id: str) -> int:
    """Numbers that are missing between two events of one epoch."""
    epoch, _, number = event_id.rpartition("-")
    before, _, at = last.rpartition("-")
    return int(number) - int(at) - 1 if last and epoch == before else 0

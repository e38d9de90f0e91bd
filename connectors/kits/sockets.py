"""A TCP listener for peers that send short frames and wait for an answer to each, bounded against those who do harm.

One frame of a peer is handled at a time. Nothing a peer does costs more than one small buffer and one of a bounded
number of places: frames that trickle, that never end, that are too long, or peers that do not read, lose their line.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

import structlog

from schemas.errors import Code, Unavailable

log = structlog.get_logger()

Network = IPv4Network | IPv6Network
Handle = Callable[[bytes, str], Awaitable[bytes | None]]
"""Given a frame with its terminator and the peer's address: the answer, empty for none; None closes the line."""

_CLOSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one listener gives to its peers."""

    frame_bytes: int
    frame_seconds: float
    """From a frame's first byte to its last."""
    idle_seconds: float
    """Between frames."""
    write_seconds: float
    """Until a peer has taken an answer."""
    lines: int
    """Peers at once."""
    lines_per_peer: int
    """Of these from one address."""


class FrameServer:
    """Listens, cuts what comes at `end`, and gives each frame to `handle`."""

    def __init__(self, handle: Handle, end: bytes, bounds: Bounds, networks: tuple[Network, ...] = ()) -> None:
        self._handle, self._end, self._bounds, self._networks = handle, end, bounds, networks
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self._from: Counter[str] = Counter()

    async def start(self, host: str, port: int) -> int:
        """Listen; the port that it is (0 asks the system). Unavailable when the address is taken or not ours."""
        try:
            self._server = await asyncio.start_server(self._met, host, port, limit=self._bounds.frame_bytes)
        except OSError as error:
            raise Unavailable(
                Code.FAR_SIDE_UNAVAILABLE, f"cannot listen on {host} port {port}: {error.strerror}"
            ) from None
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Hang up on everybody and give the port back. Also twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
        if server is not None:
            await server.wait_closed()

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        peer = str((writer.get_extra_info("peername") or ("?",))[0])
        self._from[peer] += 1
        try:
            if self._welcome(peer):
                await self._talk(reader, writer, peer)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            # The peer hung up, was too slow or sent too much: its line ends, and it may come again.
            pass
        except asyncio.CancelledError:
            # Only `stop` cancels. Ending normally keeps asyncio's own callback from logging the cancellation.
            pass
        finally:
            self._lines.discard(task)
            self._from -= Counter((peer,))
            await _hung_up(writer)

    def _welcome(self, peer: str) -> bool:
        if self._networks and not any(ip_address(peer.partition("%")[0]) in one for one in self._networks):
            log.warning("peer_refused", peer=peer)
            return False
        if len(self._lines) > self._bounds.lines or self._from[peer] > self._bounds.lines_per_peer:
            log.warning("peer_without_place", lines=len(self._lines))
            return False
        return True

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: str) -> None:
        while True:
            async with asyncio.timeout(self._bounds.idle_seconds):
                first = await reader.readexactly(1)
            async with asyncio.timeout(self._bounds.frame_seconds):
                frame = first if first == self._end else first + await reader.readuntil(self._end)
            answer = await self._handle(frame, peer)
            if answer is None:
                return
            if answer:
                writer.write(answer)
                async with asyncio.timeout(self._bounds.write_seconds):
                    await writer.drain()


async def _hung_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError, TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await writer.wait_closed()

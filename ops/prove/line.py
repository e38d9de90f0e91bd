"""One proxied connection, and what may be done to each of its directions; `ops/prove/proxy.py` listens and decides."""

import asyncio
import math
import random
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Final

CHUNK: Final = 64 * 1024
HELD_BYTES: Final = 1024 * 1024
"""Held of one direction at most; then nothing more is read, and the sender's own window fills."""
TICK_SECONDS: Final = 0.02
"""A narrowed line carries what fits into so long at once."""
RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: a close is a reset."""
UNHURRIED: Final = struct.pack("ii", 0, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """What is done to one direction of every connection.

    `jitter_seconds`: the latency varies by as much either way; the order of bytes never changes. `stall`: bytes wait,
    and come when the line is healed, as TCP's do after a short partition. `swallow`: bytes are gone, the connection
    stays; one that has lost bytes is reset when the line is healed, for no stream goes on after a hole.
    `flip_probability`: of each byte, to come with one wrong bit. `close_seconds`: the end of a stream comes so late.
    """

    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bytes_per_second: float | None = None
    slice_bytes: int | None = None
    slice_pause_seconds: float = 0.0
    flip_probability: float = 0.0
    stall: bool = False
    swallow: bool = False
    close_seconds: float = 0.0


CLEAR: Final = Line()
BLACK_HOLE: Final = Line(swallow=True)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done: `up` from client to target, `down` back. `refuse`: nobody listens. `reset`: new ones are reset.

    `Fault()` heals. A cut one way is Fault(up=BLACK_HOLE), a full one has it both ways; present connections are reset
    by `FaultProxy.reset`.
    """

    up: Line = CLEAR
    down: Line = CLEAR
    refuse: bool = False
    reset: bool = False

    @classmethod
    def both(cls, line: Line) -> "Fault":
        """The same in both directions."""
        return cls(up=line, down=line)


@dataclass(slots=True)
class Figures:
    """What the proxy did since its start. `unreachable`: connections that the target did not take."""

    connections: int = 0
    resets: int = 0
    unreachable: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    swallowed: int = 0
    flips: int = 0


@dataclass(slots=True)
class Rule:
    """What all connections of a proxy obey. `changed` is set, and replaced, whenever the fault changes."""

    dice: random.Random
    fault: Fault = field(default_factory=Fault)
    figures: Figures = field(default_factory=Figures)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connection:
    """One client's connection and ours to the target."""

    def __init__(self, rule: Rule, near: Ends, far: Ends) -> None:
        self._rule = rule
        self._writers = near[1], far[1]
        self._directions = _Direction(rule, near[0], far[1], up=True), _Direction(rule, far[0], near[1], up=False)

    @property
    def holed(self) -> bool:
        """Whether a direction has lost bytes and is healed, so that it must not go on."""
        return any(one.lost and not one.line.swallow for one in self._directions)

    def reset(self) -> None:
        """Break it off on both sides."""
        self._rule.figures.resets += 1
        for writer in self._writers:
            abort(writer)

    async def run(self) -> None:
        """Carry both directions to their ends; whatever breaks one side breaks the other."""
        try:
            async with asyncio.TaskGroup() as group:
                for one in self._directions:
                    group.create_task(one.read())
                    group.create_task(one.write())
        except* (OSError, EOFError):
            pass
        else:
            for writer in self._writers:
                _linger(writer, UNHURRIED)
                writer.close()
        finally:
            for writer in self._writers:
                if not writer.is_closing():
                    abort(writer)


@dataclass(slots=True)
class _Piece:
    """Bytes that came at this time of the loop; None is the end of the stream. `chance`: its part of the jitter."""

    at: float
    chance: float
    data: bytes | None


@dataclass(slots=True)
class _Direction:
    """One way of a connection: what was read waits here until it is written."""

    rule: Rule
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    up: bool
    lost: int = 0
    _waiting: deque[_Piece] = field(default_factory=deque)
    _held: int = 0
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _until_flip: int = -1

    @property
    def line(self) -> Line:
        """What is done to this direction now."""
        return self.rule.fault.up if self.up else self.rule.fault.down

    async def read(self) -> None:
        """Take in what comes, as long as there is room."""
        loop, dice = asyncio.get_running_loop(), self.rule.dice
        data: bytes | None = b""
        while data is not None:
            data = await self.reader.read(CHUNK) or None
            self._waiting.append(_Piece(loop.time(), dice.uniform(-1, 1), data))
            self._held += len(data or b"")
            self._moved.set()
            while self._held > HELD_BYTES:
                self._moved.clear()
                await self._moved.wait()

    async def write(self) -> None:
        """Give out what waits, as the line allows, to the end of the stream."""
        while True:
            while not self._waiting:
                self._moved.clear()
                await self._moved.wait()
            piece = self._waiting.popleft()
            await self._due(piece)
            if piece.data is None:
                break
            await self._give(piece.data)
            self._held -= len(piece.data)
            self._moved.set()
        if self.writer.can_write_eof() and not self.writer.is_closing():
            self.writer.write_eof()

    async def _due(self, piece: _Piece) -> None:
        """Wait until a piece may go; a change of the line meanwhile counts at once."""
        loop = asyncio.get_running_loop()
        while True:
            line = self.line
            held = line.stall or (line.swallow and piece.data is None)
            due = piece.at + max(0.0, line.latency_seconds + line.jitter_seconds * piece.chance)
            if piece.data is None:
                due += line.close_seconds
            if not held and due <= loop.time():
                return
            await self._pause(None if held else due - loop.time())

    async def _give(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            line = self.line
            if line.stall:
                await self._pause(None)
                continue
            size = len(rest) if line.slice_bytes is None else line.slice_bytes
            if line.bytes_per_second is not None:
                size = min(size, max(1, int(line.bytes_per_second * TICK_SECONDS)))
            piece, rest = rest[:size], rest[size:]
            if line.swallow or self.lost:
                self.lost += len(piece)
                self.rule.figures.swallowed += len(piece)
                continue
            self.writer.write(self._flipped(piece, line.flip_probability))
            await self.writer.drain()
            self._count(len(piece))
            pause = line.slice_pause_seconds if rest else 0.0
            if line.bytes_per_second is not None:
                pause = max(pause, len(piece) / line.bytes_per_second)
            if pause:
                await self._pause(pause)

    async def _pause(self, seconds: float | None) -> None:
        """Wait so long, or until the fault changes."""
        try:
            async with asyncio.timeout(seconds):
                await self.rule.changed.wait()
        except TimeoutError:
            pass

    def _flipped(self, piece: memoryview, probability: float) -> memoryview | bytearray:
        """The piece, perhaps with wrong bits; how far it is to the next one is drawn, not each byte."""
        if probability <= 0:
            return piece
        wrong, at = bytearray(piece), self._until_flip
        if at < 0:
            at = self._distance(probability)
        while at < len(wrong):
            wrong[at] ^= 1 << self.rule.dice.randrange(8)
            self.rule.figures.flips += 1
            at += 1 + self._distance(probability)
        self._until_flip = at - len(wrong)
        return wrong

    def _distance(self, probability: float) -> int:
        if probability >= 1:
            return 0
        return int(math.log(1 - self.rule.dice.random()) / math.log1p(-probability))

    def _count(self, size: int) -> None:
        if self.up:
            self.rule.figures.bytes_up += size
        else:
            self.rule.figures.bytes_down += size


def abort(writer: asyncio.StreamWriter) -> None:
    """Close with RST: what is unsent is thrown away, and the far side sees a reset, not an end."""
    _linger(writer, RESET)
    writer.transport.abort()


def _linger(writer: asyncio.StreamWriter, how: bytes) -> None:
    near = writer.get_extra_info("socket")
    if near is not None and not writer.is_closing():
        near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)

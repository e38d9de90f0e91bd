"""Listens for alarm panels; answers each message once the journal holds it."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Final, TypeVar

import structlog

from connectors.contract import Accepted, Batch, Document, Refused, Settled
from connectors.kits.sockets import Bounds, FrameServer
from connectors.sia_dc09.frame import CR, LF, Frame, ack, duh, nak, read
from connectors.sia_dc09.settings import SiaSettings
from connectors.sia_dc09.translate import MET_AT, trusted_stamp
from schemas.errors import Code, Rejected

log = structlog.get_logger()

K = TypeVar("K")
V = TypeVar("V")

BATCH: Final = 64
WRITE_SECONDS: Final = 10.0
REMEMBERED: Final = 20_000
"""Messages and accounts remembered for telling repeats; the oldest are forgotten."""
NOISE: Final = 20
"""Frames on one line that are none of ours in a row; then the line is closed."""


@dataclass(slots=True)
class _Waiting:
    document: Document
    frame: Frame | None
    answer: "asyncio.Future[Settled]"


@dataclass(frozen=True, slots=True)
class _Met:
    """When a message was met first, and what tells it from an equal one of another event."""

    at: datetime
    occurrence: str


class SiaSource:
    """A listener as a source: `read` gives what panels sent, `settle` answers them.

    A panel without an answer sends again. So: no answer while the document is not kept, and none to a damaged message.
    """

    def __init__(self, settings: SiaSettings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings, self._now = settings, now
        self._server: FrameServer | None = None
        self._arrived: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._taken: dict[int, _Waiting] = {}
        self._met: OrderedDict[bytes, _Met] = OrderedDict()
        self._told_time: OrderedDict[str, datetime] = OrderedDict()
        self._noise: dict[str, int] = {}
        self.port = 0
        """Where it listens, after `connect`."""

    async def connect(self) -> None:
        """Listen. Unavailable when the address is taken."""
        await self.close()
        told = self._settings
        bounds = Bounds(
            frame_bytes=told.max_bytes + len(LF + CR),
            frame_seconds=told.frame_seconds,
            idle_seconds=told.idle_seconds,
            write_seconds=WRITE_SECONDS,
            lines=told.lines,
            lines_per_peer=told.lines_per_peer,
        )
        networks = tuple(ip_network(one) for one in told.allowed_networks)
        self._server = FrameServer(self._handle, CR, bounds, networks)
        # Once found, a port stays ours over outages: panels are configured with it.
        self.port = await self._server.start(told.host, told.port or self.port)
        log.info("panels_listening", source=told.name, host=told.host, port=self.port, guarded=bool(networks))

    async def read(self, cursor: str | None) -> Batch:  # noqa: ARG002 - panels keep what was not acknowledged
        """Wait for messages of panels."""
        waiting = [await self._arrived.get()]
        while len(waiting) < BATCH and not self._arrived.empty():
            waiting.append(self._arrived.get_nowait())
        self._taken = {id(one.document): one for one in waiting}
        return Batch(tuple(one.document for one in waiting), settle=self._settle)

    async def close(self) -> None:
        """Hang up; panels call again."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()
        self._arrived, self._taken = asyncio.Queue(), {}

    async def _settle(self, document: Document, settled: Settled) -> None:
        waiting = self._taken.pop(id(document), None)
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(settled)

    async def _handle(self, raw: bytes, peer: str) -> bytes | None:
        """One frame of a panel: hand it over, wait until its fate is known, answer."""
        body = raw.removesuffix(CR).rpartition(LF)[2]
        if not body.strip():
            return b""
        try:
            frame = read(body)
        except Rejected as error:
            frame = None
            if error.code is Code.FRAME_INVALID:
                return self._noisy(peer)
        self._noise.pop(peer, None)
        met = self._first_met(body, frame, self._now())
        context = {MET_AT: met.at.isoformat()}
        document = Document(body, "application/sia-dc09", met.occurrence, None, context)
        waiting = _Waiting(document, frame, asyncio.get_running_loop().create_future())
        self._arrived.put_nowait(waiting)
        return self._answer(frame, await waiting.answer, met.at)

    def _noisy(self, peer: str) -> bytes | None:
        """Not a frame of this protocol at all: not kept, not answered; a line of nothing else is closed."""
        self._noise[peer] = self._noise.pop(peer, 0) + 1
        if len(self._noise) > REMEMBERED:
            del self._noise[next(iter(self._noise))]
        log.info("panel_noise", source=self._settings.name)
        return None if self._noise[peer] % NOISE == 0 else b""

    def _answer(self, frame: Frame | None, settled: Settled, met_at: datetime) -> bytes:
        """ACK, NAK or DUH; none to a message that is damaged (5.5.1.2) or not kept."""
        if frame is None or (isinstance(settled, Refused) and settled.document_id is None):
            return b""
        if frame.encrypted or isinstance(settled, Refused):
            return duh(frame)
        assert isinstance(settled, Accepted)
        if self._must_tell_time(frame, met_at):
            return nak(self._now())
        return ack(frame)

    def _must_tell_time(self, frame: Frame, met_at: datetime) -> bool:
        if frame.stamped_at is None or trusted_stamp(frame, met_at, self._settings):
            return False
        told = self._told_time.get(frame.account)
        pause = timedelta(seconds=self._settings.nak_again_seconds)
        if self._settings.stamp_failed == "ack" or (told is not None and met_at - told < pause):
            return False
        _remember(self._told_time, frame.account, met_at)
        return True

    def _first_met(self, body: bytes, frame: Frame | None, now: datetime) -> _Met:
        """Tells a message sent again from an equal one of another event.

        Equal bytes within `repeat_seconds` are one message, and stay what they were when they came first: a time stamp
        that was near our time then is not doubted because the panel had to send it again. Later the bytes themselves
        tell where their time stamp is near our time. A link test is always a new one: each shows that the panel is
        there now.
        """
        if frame is not None and frame.kind == "NULL":
            return _Met(now, now.isoformat())
        met = self._met.get(body)
        if met is None or now - met.at > timedelta(seconds=self._settings.repeat_seconds):
            trusted = frame is not None and trusted_stamp(frame, now, self._settings)
            met = _Met(now, "" if trusted else now.isoformat())
            _remember(self._met, body, met)
        return met


def _remember(where: OrderedDict[K, V], what: K, found: V) -> None:
    where[what] = found
    where.move_to_end(what)
    while len(where) > REMEMBERED:
        where.popitem(last=False)

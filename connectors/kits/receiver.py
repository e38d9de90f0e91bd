"""A far side that takes webhooks, for labs: it really verifies, ignores repeats by their id, and can misbehave."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from aiohttp import web

from connectors.kits.signatures import Verifier, verify
from schemas.errors import Denied

LARGE: Final = 1_000_000


class Mood(StrEnum):
    """How the receiver answers a genuine message."""

    GOOD = "good"
    DOWN = "down"
    """503, nothing kept."""
    BUSY = "busy"
    """429 with Retry-After, nothing kept."""
    REFUSE = "refuse"
    """422: this one is not wanted."""
    GONE = "gone"
    """410: nothing is wanted any more."""
    MOVED = "moved"
    """301 to another path of its own, which would keep the message."""
    LOSE = "lose"
    """Keeps the message, answers 500: the sender cannot know."""
    CUT = "cut"
    """Keeps the message, breaks the connection inside the answer."""
    BABBLE = "babble"
    """Keeps the message, answers 200 with a megabyte of garbage."""
    SILENT = "silent"
    """Keeps the message, never answers."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One message with effect: its id, the parsed body, and when it came (seconds, monotonic)."""

    id: str
    body: dict[str, Any]
    at: float


@dataclass
class Receiver:
    """Listens on the loopback at a port of the system's choice. `moods` are used up first, then `mood` holds.

    `kept` are messages with effect, each id once; `requests` counts genuine attempts; `forged` those not verified;
    `delay_seconds` slows every answer.
    """

    verifiers: tuple[Verifier, ...]
    mood: Mood = Mood.GOOD
    delay_seconds: float = 0.0
    moods: deque[Mood] = field(default_factory=deque)
    kept: dict[str, Kept] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    requests: int = 0
    forged: int = 0
    redirected: int = 0
    _runner: web.AppRunner | None = None
    _port: int = 0
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where to POST, once started."""
        return f"http://127.0.0.1:{self._port}/hook"

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self._port

    def routes(self) -> list[web.RouteDef]:
        """What it serves beside the hook, for those who add to it."""
        return []

    def answered(self, mark: str, body: bytes, status: int, *, kept: bool) -> None:
        """A genuine request of that id is about to be answered so (status 0: not rightly), for those who record."""

    def next_moods(self, moods: Iterable[Mood]) -> None:
        """Answer the next messages so, one each."""
        self.moods.extend(moods)

    async def start(self) -> None:
        """Listen; again after a stop on the same port, with what was kept."""
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/hook", self._take)
        app.router.add_route("*", "/elsewhere", self._elsewhere)
        app.router.add_routes(self.routes())
        self._over.clear()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening. Also twice."""
        self._over.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _elsewhere(self, _: web.Request) -> web.Response:
        self.redirected += 1
        return web.Response(status=204)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        try:
            mark = verify(self.verifiers, {k.lower(): v for k, v in request.headers.items()}, body, time.time())
        except Denied:
            self.forged += 1
            return web.Response(status=401)
        self.requests += 1
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        mood = self.moods.popleft() if self.moods else self.mood
        refusal = _REFUSALS.get(mood)
        if refusal is not None:
            status, headers = refusal
            self.answered(mark, body, status, kept=False)
            return web.Response(status=status, headers=headers)
        self.answered(mark, body, _STATUS.get(mood, 0), kept=True)
        self._keep(mark, body)
        return await self._odd(request, mood) or web.json_response({"reference": f"far-{mark[:8]}"})

    def _keep(self, id: str, body: bytes) -> None:
        if id not in self.kept:
            self.kept[id] = Kept(id, json.loads(body), time.monotonic())
            self.order.append(id)

    async def _odd(self, request: web.Request, mood: Mood) -> web.StreamResponse | None:
        """The answers of a far side that has the message and does not say so well."""
        if mood is Mood.LOSE:
            return web.Response(status=500)
        if mood is Mood.BABBLE:
            return web.Response(body=b"\xff\x00{" * (LARGE // 3))
        if mood is Mood.SILENT:
            await self._over.wait()
        if mood is Mood.CUT:
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"{")
            if request.transport is not None:
                request.transport.abort()
            return response
        return None


_STATUS: Final = {Mood.GOOD: 200, Mood.LOSE: 500, Mood.BABBLE: 200}
"""What is answered by a far side that has the message; no right answer for the others."""
_REFUSALS: Final[dict[Mood, tuple[int, dict[str, str]]]] = {
    Mood.DOWN: (503, {}),
    Mood.BUSY: (429, {"Retry-After": "1"}),
    Mood.REFUSE: (422, {}),
    Mood.GONE: (410, {}),
    Mood.MOVED: (301, {"Location": "/elsewhere"}),
}

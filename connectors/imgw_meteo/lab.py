"""IMGW's feed for tests and the demo: a small server that shows the warnings it is given, with the feed's habits."""

import asyncio
import hashlib
import random
from typing import Any

import orjson
from aiohttp import web

from connectors.imgw_meteo.settings import ImgwSettings

PATH = "/api/data/warningsmeteo"
NOTHING = {"status": False, "message": "No products were found"}


class ImgwLab:
    """The far side. `warnings` may be changed at any time; rows and codes come shuffled at each poll, as in life.

    `status` other than 200 makes an outage; `body` replaces the whole answer.
    """

    content_type = "application/json"

    def __init__(self) -> None:
        self.warnings: list[dict[str, Any]] = []
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.etags = True
        self.polls = 0
        self.unchanged = 0
        self._polled = asyncio.Event()
        self._random = random.Random(7)  # noqa: S311 - shuffles rows, guards nothing
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a port of the loopback."""
        application = web.Application()
        application.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}{PATH}"

    async def stop(self) -> None:
        """Give the port back. Also twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def settings(self, name: str = "imgw-meteo", **changes: Any) -> ImgwSettings:
        """The source as our installation would configure it, polling quickly. Call after `start`."""
        return ImgwSettings(name=name, url=self.url, **{"poll_seconds": 0.02, "timeout_seconds": 5.0, **changes})

    def warn(self, far_id: str, **changes: Any) -> dict[str, Any]:
        """Put one more warning in force and return it."""
        warning = {
            "id": far_id,
            "nazwa_zdarzenia": "Silny wiatr",
            "stopien": "2",
            "prawdopodobienstwo": "80",
            "obowiazuje_od": "2026-02-14 18:00:00",
            "obowiazuje_do": "2026-02-15 06:00:00",
            "opublikowano": "2026-02-14 12:41:00",
            "tresc": "Prognozuje się wystąpienie silnego wiatru, w porywach do 100 km/h.",
            "komentarz": "Brak.",
            "biuro": "Laboratorium",
            "teryt": ["3061", "3007", "3017"],
            **changes,
        }
        self.warnings.append(warning)
        return warning

    async def tell(self, number: int) -> None:
        """One more warning is in force."""
        self.warn(f"Lab{number:05d}")

    async def revise(self, number: int) -> None:
        """The feed itself is the matter: its picture changes."""
        await self.tell(number)

    async def garble(self) -> None:
        """The next answer is a page for people, the ones after it are as before."""
        self.body = b"<html>przerwa techniczna</html>"
        self._polled.clear()
        await self._polled.wait()
        self.body = None

    async def go_down(self) -> None:
        """Answer with failures."""
        self.status = 503

    async def come_back(self) -> None:
        """Answer again."""
        self.status = 200

    async def deny(self) -> None:
        """Turn us away."""
        self.status = 401

    def shown(self) -> tuple[int, bytes]:
        """Status and body of the next answer."""
        if self.body is not None or self.status != 200:
            return self.status, self.body or b""
        if not self.warnings:
            return 404, orjson.dumps(NOTHING)
        rows = [dict(one) for one in self.warnings]
        self._random.shuffle(rows)
        for row in rows:
            if isinstance(row.get("teryt"), list):
                row["teryt"] = self._random.sample(row["teryt"], len(row["teryt"]))
        return 200, orjson.dumps(rows)

    async def _answer(self, request: web.Request) -> web.Response:
        self.polls += 1
        status, body = self.shown()
        self._polled.set()
        tag = '"' + hashlib.sha256(orjson.dumps([status, self.warnings]) + (self.body or b"")).hexdigest()[:16] + '"'
        if self.etags and status == 200 and request.headers.get("If-None-Match") == tag:
            self.unchanged += 1
            return web.Response(status=304)
        headers = {"ETag": tag} if self.etags else {}
        return web.Response(
            status=status, body=body, content_type=self.content_type, headers={**headers, **self.headers}
        )

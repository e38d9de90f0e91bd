"""A console with its board, and the system's browser that looks at it."""

import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import ConsoleMessage, Page, async_playwright, expect

from ops.console.app import Parts, build
from ops.console.board import Board
from ops.console.hub import Hub
from ops.console.people import authenticator
from schemas.incident import IncidentOpened
from tests.ops.test_console_app import Intake, nothing_known
from tests.ops.test_console_board import fact
from tests.schemas.samples import normalised

SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def chromium() -> str:
    """The system's browser."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium on this machine; install it: apt-get install chromium")
    return found


class Post:
    """A console with its board, hub and far end, and a browser that looks at it."""

    def __init__(self, page: Page, board: Board, hub: Hub, intake: Intake, said: list[str], url: str) -> None:
        self.page, self.board, self.hub, self.intake, self.said, self.url = page, board, hub, intake, said, url

    def apply(self, payload: Any) -> None:
        """Something happened: fold it and tell the browser, as the console does."""
        for name, view in self.board.apply(payload):
            self.hub.publish(name, view)


@pytest.fixture
async def post(chromium: str) -> AsyncIterator[Post]:
    """One open incident on the page."""
    board, intake = Board(), Intake()
    board.apply(fact(IncidentOpened(report=normalised())))
    hub = Hub("e", board.snapshot)
    titles = {"traffic.collision": {"pl": "Kolizja drogowa", "en": "Traffic collision"}}
    parts = Parts("Test", "real", board, hub, intake, nothing_known, titles, authenticator([]))
    async with TestServer(build(parts)) as server, async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=list(SWITCHES))
        page = await browser.new_page(viewport={"width": 1500, "height": 850}, locale="pl-PL")
        said: list[str] = []

        def hear(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                said.append(message.text)

        page.on("console", hear)
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(str(server.make_url("/")))
        await expect(page.locator("#rows tr")).to_have_count(1)
        yield Post(page, board, hub, intake, said, str(server.make_url("/")))
        await browser.close()
        assert said == [], "the browser's console was not silent"

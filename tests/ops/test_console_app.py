"""The page over HTTP: who gets in, what is forwarded, what is never cached or framed."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from ops.console.app import Parts, Visitor, build
from ops.console.board import Board
from ops.console.hub import Hub
from ops.console.people import authenticator, forwarder
from ops.settings_parts import Account
from schemas.incident import IncidentOpened
from tests.ops.test_console_board import fact
from tests.schemas.samples import normalised
from tests.waiting import until

TOKEN = "made-up-token"
ACCOUNTS = [Account(name="dyzurny", token_sha256=hashlib.sha256(TOKEN.encode()).hexdigest(), roles=("officer",))]
PAGE = {"X-Sztab-Page": "1"}


class Intake:
    """Remembers what was forwarded."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any], Visitor]] = []

    async def __call__(self, path: str, body: Mapping[str, Any], visitor: Visitor) -> tuple[int, bytes]:
        """Answer as the intake does to a good report."""
        self.asked.append((path, body, visitor))
        return 202, b'{"id":"d-1","held":"broker"}'


async def nothing_known(_: str) -> dict[str, Any] | None:
    """No trace of anything."""
    return None


@pytest.fixture
def intake() -> Intake:
    """The far end of the forwarded forms."""
    return Intake()


@pytest.fixture
async def page(intake: Intake) -> AsyncIterator[TestClient[Any, Any]]:
    """The page with one open incident, for everybody on loopback."""
    board = Board()
    board.apply(fact(IncidentOpened(report=normalised())))
    hub = Hub("e", board.snapshot)
    titles = {"traffic.collision": {"pl": "Kolizja", "en": "Collision"}}
    parts = Parts("Test", "real", board, hub, intake, nothing_known, titles, authenticator([]))
    async with TestClient(TestServer(build(parts))) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/", "/static/page.js", "/static/style.css", "/print", "/api/about", "/api/incidents"]
)
async def test_every_page_is_there_and_protected(page: TestClient[Any, Any], path: str) -> None:
    """No foreign script runs, nothing is framed or kept by caches."""
    answer = await page.get(path)
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


async def test_the_printed_list_names_open_incidents_and_no_person(page: TestClient[Any, Any]) -> None:
    """Paper is the fallback of the post: kind, place and number, no caller."""
    text = await (await page.get("/print")).text()
    assert "Śródmiejska 12, Kalisz" in text
    assert "PILNE" in text
    assert "<td>nowe</td>" in text
    assert "Przykładowa" not in text


async def test_the_list_is_printed_in_english_too(page: TestClient[Any, Any]) -> None:
    """As the page was read; another language is Polish."""
    text = await (await page.get("/print?language=en")).text()
    assert '<html lang="en">' in text
    assert "<td>new</td>" in text
    assert "<td>Collision</td>" in text
    assert "Otwarte zdarzenia" in await (await page.get("/print?language=xx")).text()


async def test_a_command_goes_to_the_intake(page: TestClient[Any, Any], intake: Intake) -> None:
    """The button's request reaches the one place that decides, with its answer."""
    answer = await page.post("/api/incidents/i-1/commands", json={"verb": "accept"}, headers=PAGE)
    assert (answer.status, (await answer.json())["id"]) == (202, "d-1")
    assert intake.asked[0][:2] == ("/v1/incidents/i-1/commands", {"verb": "accept"})


async def test_empty_fields_of_the_desk_form_are_left_out(page: TestClient[Any, Any], intake: Intake) -> None:
    """Nothing typed is nothing told."""
    await page.post("/api/desk", json={"entry_id": "1", "street": "", "description": "x"}, headers=PAGE)
    assert intake.asked[0][1] == {"entry_id": "1", "description": "x"}


async def test_another_site_cannot_press_our_buttons(page: TestClient[Any, Any], intake: Intake) -> None:
    """A request without the page's header changes nothing."""
    assert (await page.post("/api/desk", json={"description": "x"})).status == 403
    assert intake.asked == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
async def test_rubbish_is_refused(page: TestClient[Any, Any], body: bytes) -> None:
    """A wrong body has a code, and is not forwarded."""
    assert (await page.post("/api/desk", data=body, headers=PAGE)).status == 400


async def test_the_stream_begins_with_everything(page: TestClient[Any, Any]) -> None:
    """A browser that connects has the whole picture in its first event."""
    async with page.get("/api/events") as stream:
        first = await stream.content.readuntil(b"\n\n")
    data = orjson.loads(first.split(b"data: ")[1])
    assert [incident["id"] for incident in data["incidents"]] == ["i-1"]


async def test_a_browser_that_never_reads_is_left(intake: Intake, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes little room while it is waited for, and its line is cut: no queue fills for it, no file stays open."""
    monkeypatch.setattr("ops.console.app.WRITE_SECONDS", 0.05)
    hub = Hub("e", lambda: {"board": "x" * 20_000_000})
    parts = Parts("T", "real", Board(), hub, intake, nothing_known, {}, authenticator([]))
    async with TestServer(build(parts)) as server:
        _, line = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
        line.write(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: hub.dropped)
        assert (hub.dropped, hub.readers) == (1, set())
        await until(lambda: not parts.streams)
        line.transport.abort()


async def test_what_is_not_there_is_not_found(page: TestClient[Any, Any]) -> None:
    """Unknown ids and files are 404, also outside the folder of the page."""
    for path in ("/api/incidents/none", "/trace/none", "/static/app.py", "/static/..%2fapp.py"):
        assert (await page.get(path)).status == 404


@pytest.mark.parametrize(
    ("name", "token", "status"),
    [("dyzurny", TOKEN, 200), ("dyzurny", "wrong", 401), ("other", TOKEN, 401), ("", "", 401)],
)
async def test_with_accounts_only_they_get_in(intake: Intake, name: str, token: str, status: int) -> None:
    """Name and token are both needed."""
    board = Board()
    parts = Parts("T", "real", board, Hub("e", board.snapshot), intake, nothing_known, {}, authenticator(ACCOUNTS))
    basic = "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()
    async with TestClient(TestServer(build(parts))) as client:
        assert (await client.get("/", headers={"Authorization": basic})).status == status
        assert (await client.get("/")).status == 401


async def test_an_absent_intake_is_said() -> None:
    """The officer learns that the post's own intake does not answer."""
    async with aiohttp.ClientSession() as session:
        status, body = await forwarder(session, lambda: None)("/v1/x", {}, Visitor("local"))
    assert (status, orjson.loads(body)["code"]) == (503, "far-side-unavailable")

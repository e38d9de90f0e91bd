"""Where console, `sztab command` and `sztab status` find the intake: at the configured address, else by its note."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner

from ops import runtime
from ops.cli import sztab
from ops.command_cli import ask
from ops.console.app import Visitor
from ops.console.board import Board
from ops.console.hub import Hub
from ops.http import served
from ops.mistakes import ConfigurationMistakes
from ops.roles.console import parts
from ops.settings import Settings, load
from ops.settings_parts import IntakePart

NOBODY = "http://127.0.0.1:1"


def settings(folder: Path, url: str) -> Settings:
    """An installation whose intake is elsewhere, at `url`; empty: nothing is configured."""
    return Settings(connectors={}, data_dir=folder, intake=IntakePart(url=url))


@asynccontextmanager
async def intake(port: int = 0) -> AsyncIterator[tuple[str, list[str]]]:
    """An intake that takes everything, at its address, and the paths that were asked."""
    asked: list[str] = []

    async def take(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"id": "d-1"}, status=202)

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    async with served(app, "127.0.0.1", port) as url:
        yield url, asked


async def forwarded(told: Settings, path: str) -> int:
    """Status of what the page of such an installation forwards."""
    board = Board()
    async with aiohttp.ClientSession() as session:
        made = parts(told, board, Hub("e", board.snapshot), session)
        status, _ = await made.forward(path, {}, Visitor("local"))
    return status


async def test_the_page_forwards_to_the_configured_address(tmp_path: Path) -> None:
    """A note of some other process in the same data folder changes nothing: the process id in it may be anybody's."""
    async with intake() as (url, asked):
        told = settings(tmp_path, url)
        with runtime.announced(told, "intake", NOBODY):
            assert await forwarded(told, "/v1/sources/desk/documents") == 202
    assert asked == ["/v1/sources/desk/documents"]


async def test_the_page_outlives_the_intake(tmp_path: Path) -> None:
    """While the intake is away it is said; when it is back at its address, the same page reaches it again."""
    async with intake() as (url, _):
        told = settings(tmp_path, url)
    assert await forwarded(told, "/v1/x") == 503
    async with intake(int(url.rpartition(":")[2])):
        assert await forwarded(told, "/v1/x") == 202


async def test_without_an_address_the_note_tells(tmp_path: Path) -> None:
    """On one machine nothing need be configured."""
    told = settings(tmp_path, "")
    assert await forwarded(told, "/v1/x") == 503
    async with intake() as (url, _):
        with runtime.announced(told, "intake", url):
            assert await forwarded(told, "/v1/x") == 202


async def test_a_command_goes_to_the_configured_address(tmp_path: Path) -> None:
    """`sztab command` works from a machine or container on which no intake runs."""
    async with intake() as (url, asked):
        assert await ask(settings(tmp_path, url), "i-1", {"verb": "accept"}) == (202, {"id": "d-1"})
    assert asked == ["/v1/incidents/i-1/commands"]


def test_status_tells_the_configured_address(tmp_path: Path) -> None:
    """A script gets the address that the page uses; other roles are still found by their notes."""
    (tmp_path / "sztab.toml").write_text('[intake]\nurl = "http://intake:8080"\n', encoding="utf-8")
    status = [f"--config={tmp_path / 'sztab.toml'}", "status", "--url"]
    assert CliRunner().invoke(sztab, [*status, "intake"]).output == "http://intake:8080\n"
    assert CliRunner().invoke(sztab, [*status, "console"]).exit_code == 1


@pytest.mark.parametrize("url", ["intake:8080", "http://intake:8080/", "http://intake/x", "ftp://intake", "http://"])
def test_an_address_is_scheme_host_and_port(tmp_path: Path, url: str) -> None:
    """Anything else is a mistake before something starts, not a page whose buttons do nothing."""
    (tmp_path / "sztab.toml").write_text(f'[intake]\nurl = "{url}"\n', encoding="utf-8")
    with pytest.raises(ConfigurationMistakes, match=r"intake\.url"):
        load(tmp_path / "sztab.toml")

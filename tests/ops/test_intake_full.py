"""No room, over HTTP: the alarm, refusals with 503 and Retry-After, the last fifth for emergencies, and recovery."""

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from connectors.cpr.lab import CprLab
from connectors.cpr.settings import CprSettings
from connectors.journal_store import Limits
from ops.intake_app import _told
from ops.prove import unsynced
from tests.connectors.broker_double import FakeBroker
from tests.ops.intake_node import OFFICER, TOKEN, IntakeNode, intake_node
from tests.waiting import until

LAB = CprLab()
ORDINARY = CprSettings(name="civil", emergency=False)
PADDING = "x" * 6_000


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers do not wait a second each for the broker that is away; room is looked for more often."""
    monkeypatch.setattr("connectors.runner.BROKER_SECONDS", 0.01)
    monkeypatch.setattr("connectors.journal._TRIM_EVERY_SECONDS", 0.05)


@asynccontextmanager
async def served(folder: Path, broker: FakeBroker, limits: Limits) -> AsyncIterator[IntakeNode]:
    """A node with an ordinary source beside the others."""
    async with intake_node(folder, broker, limits=limits, more=[ORDINARY]) as node:
        yield node


def form() -> bytes:
    """A form of some six kilobytes."""
    told = orjson.loads(LAB.form())
    return orjson.dumps({**told, "description": PADDING})


async def post(node: IntakeNode, source: str, body: bytes | None = None) -> tuple[int, dict[str, Any], str | None]:
    """Status, answer, and what Retry-After says."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {TOKEN}"} if source == "cpr" else {})
    url = f"{node.url}/v1/sources/{source}/documents"
    async with node.client.post(url, data=body or form(), headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read()), answer.headers.get("Retry-After")


async def ask(node: IntakeNode, key: str) -> tuple[int, dict[str, Any], str | None]:
    """An officer's command."""
    body = {"verb": "accept", "unit": "kmp-kalisz", "idempotency_key": key}
    url = f"{node.url}/v1/incidents/0b0d7a4e-0000-5000-8000-000000000001/commands"
    headers = {"Authorization": f"Bearer {OFFICER}", "Content-Type": "application/json"}
    async with node.client.post(url, data=orjson.dumps(body), headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read()), answer.headers.get("Retry-After")


async def until_refused(node: IntakeNode, source: str) -> tuple[list[str], dict[str, Any], str | None]:
    """Post forms until one is refused: ids of those taken, the refusal, its Retry-After."""
    kept: list[str] = []
    while True:
        status, told, retry = await post(node, source)
        if status != 202:
            assert status == 503
            return kept, told, retry
        kept.append(told["id"])


async def in_journal(node: IntakeNode) -> set[str]:
    """Documents that the journal holds."""
    return {one.document_id for one in await node.runner.journal.ids(0, 10_000)}


async def test_the_last_fifth_is_for_emergencies_and_room_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alarm from 70 %, ordinary sources refused from 80, emergency ones and officers from 95; then taken again."""
    monkeypatch.setattr("ops.commands.WAIT_SECONDS", 0.05)
    broker = FakeBroker(reachable=False)
    with capture_logs() as logs:
        async with served(tmp_path, broker, Limits(max_bytes=1 << 20)) as node:
            kept, refused, retry = await until_refused(node, "civil")
            assert (refused["code"], retry) == ("journal-full", "5")
            assert 0.75 < node.runner.journal.fill <= 0.80
            assert node.runner.journal.alarm
            await until(lambda: any(line["event"] == "journal_filling" for line in logs))
            assert (await ask(node, "while ordinary ones are refused"))[0] == 202
            urgent, refused, retry = await until_refused(node, "cpr")
            assert len(urgent) > 10
            assert (refused["code"], retry) == ("journal-full", "5")
            assert 0.90 < node.runner.journal.fill <= 0.95
            status, told, retry = await post(node, "civil")
            assert (status, told["code"], retry) == (503, "journal-full", "5")
            while (asked := await ask(node, f"{node.runner.journal.last_row}"))[0] == 202:
                pass
            assert (asked[0], asked[1]["code"], asked[2]) == (503, "journal-full", "5")
            assert {*kept, *urgent} <= await in_journal(node)
            broker.reachable = True
            await until(lambda: node.runner.publisher.backlog == 0 and node.runner.journal.fill < 0.8, 30)
            assert (await post(node, "civil"))[0] == 202
            assert (await post(node, "cpr"))[0] == 202
            assert (await ask(node, "afterwards"))[0] == 202
            await until(
                lambda: any(line["event"] == "journal_room_again" for line in logs) or node.runner.journal.alarm
            )
            assert await node.runner.journal.verify() == []


async def test_a_file_that_may_not_grow_refuses_and_recovers(tmp_path: Path) -> None:
    """SQLite itself out of pages: 503 with Retry-After, nothing half accepted, and taken again once rows have left."""
    broker = FakeBroker(reachable=False)
    async with served(tmp_path, broker, Limits(max_bytes=200 * 4096, refuse=9.0, ordinary=9.0)) as node:
        kept, refused, retry = await until_refused(node, "cpr")
        assert (refused["code"], retry) == ("journal-full", "5")
        assert await in_journal(node) == set(kept)
        assert len(kept) > 30
        broker.reachable = True

        async def taken() -> bool:
            return (await post(node, "cpr"))[0] == 202

        await until(taken, 30)
        assert await node.runner.journal.verify() == []


@pytest.mark.skipif(bool(unsynced.why_not()), reason=unsynced.why_not() or "reachable")
@pytest.mark.parametrize(
    ("how", "code"), [(unsynced.FULL_DISK, "journal-full"), (unsynced.NO_SYNC, "journal-unavailable")]
)
async def test_a_full_disk_refuses_and_recovers(tmp_path: Path, how: str, code: str) -> None:
    """ENOSPC, or an fsync that fails: every answer is 503 with Retry-After; what was not taken is not there."""
    images = tmp_path / "images"
    with unsynced.installed(images):
        async with served(tmp_path / "data", FakeBroker(), Limits()) as node:
            kept = [(await post(node, "cpr"))[1]["id"] for _ in range(3)]
            await until(lambda: node.runner.publisher.backlog == 0)
            unsynced.fill_disk(images, how)
            _, refused, retry = await until_refused(node, "cpr")
            assert (refused["code"], retry) == (code, "5")
            for source in ("cpr", "civil"):
                status, told, retry = await post(node, source)
                assert (status, told["code"], retry) == (503, code, "5")
            status, told, retry = await ask(node, "one")
            assert (status, told["code"], retry) == (503, code, "5")
            unsynced.free_disk(images)
            status, told, _ = await post(node, "cpr")
            assert status == 202
            found = await in_journal(node)
            assert set(kept) | {told["id"]} <= found
            assert len(found) == node.runner.journal.last_row
            assert await node.runner.journal.verify() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no right to mount a tmpfs: fault row 10 is unproven on a really full file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_really_full_file_system_refuses_and_recovers(small_disk: Path) -> None:
    """A megabyte filled up: 503 with Retry-After, what was answered with yes is there; with room it goes on."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(300_000))
    async with served(small_disk / "data", FakeBroker(reachable=False), Limits()) as node:
        kept, refused, retry = await until_refused(node, "cpr")
        assert refused["code"] in {"journal-full", "journal-unavailable"}
        assert retry == "5"
        assert len(kept) > 5
        assert set(kept) <= await in_journal(node)
        ballast.unlink()
        status, told, _ = await post(node, "cpr")
        assert (status, told.get("held")) == (202, "journal")
        assert {*kept, told["id"]} == await in_journal(node)
        assert await node.runner.journal.verify() == []


@pytest.mark.parametrize(("status", "wait"), [(503, "5"), (429, "1"), (409, None), (200, None)])
def test_whatever_may_be_asked_again_says_when(status: int, wait: str | None) -> None:
    """Also what a command was answered before, and is told again."""
    assert _told((status, {})).headers.get("Retry-After") == wait

"""The moments at which the fault harness may end an intake: each comes, in its place, and only a test can hear it."""

import inspect
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from connectors import crash_points
from connectors.contract import Accepted, Document, Held
from connectors.cpr.lab import CprLab
from connectors.crash_points import BEFORE_JOURNAL, BEFORE_REPLY, POINTS, PRODUCED, SYNCED, WRITTEN
from connectors.journal import Journal
from connectors.journal_reader import JournalReader
from ops.roles import intake
from tests.connectors.broker_double import FakeBroker
from tests.connectors.intake_stage import node
from tests.connectors.journal_stage import KEY, entry

CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.connectors.broker_double import FakeBroker
from tests.connectors.intake_stage import node
from connectors.cpr.lab import CprLab

def die(point):
    if point == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with node(Path(sys.argv[1]), FakeBroker(), hook=die) as one:
        settled = await one.post(CprLab().form())
        print("answered", settled.document_id, flush=True)

asyncio.run(main())
"""


async def test_every_point_comes_once_and_in_order(tmp_path: Path) -> None:
    """A document passes all five points in the order of `POINTS`; from `synced` on its row can be read."""
    seen: list[tuple[str, int]] = []
    with sqlite3.connect(tmp_path / "journal.db") as empty:
        empty.execute("PRAGMA journal_mode = WAL")
    empty.close()

    def hook(point: str) -> None:
        reader = JournalReader(tmp_path / "journal.db")
        try:
            seen.append((point, reader.last_row()))
        finally:
            reader.close()

    async with node(tmp_path, FakeBroker(), hook=hook) as one:
        assert isinstance(await one.post(CprLab().form()), Accepted)
        assert [point for point, _ in seen] == list(POINTS)
        assert dict(seen) == {BEFORE_JOURNAL: 0, WRITTEN: 0, SYNCED: 1, PRODUCED: 1, BEFORE_REPLY: 1}


@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_there_answered_nothing(tmp_path: Path, point: str) -> None:
    """Whoever sent the document hears nothing; its row is there from `synced` on, and not before."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), point], capture_output=True, text=True, timeout=60, check=False
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert "answered" not in child.stdout
    reader = JournalReader(tmp_path / "journal.db", KEY)
    try:
        assert reader.last_row() == (0 if POINTS.index(point) < POINTS.index(SYNCED) else 1)
        assert list(reader.verify()) == []
    finally:
        reader.close()


async def test_notes_alone_pass_no_point(tmp_path: Path) -> None:
    """Marks and cursors are written all the time: a kill armed at `written` shall hit a document."""
    seen: list[str] = []
    journal = Journal(tmp_path / "j.db", KEY, hook=seen.append)
    await journal.start()
    try:
        await journal.note(("s", "1"))
        assert seen == []
        await journal.append(entry("1"))
        assert seen == [WRITTEN, SYNCED]
    finally:
        await journal.close()


async def test_the_build_to_convict_answers_before_the_journal(tmp_path: Path) -> None:
    """With the safety taken out the yes comes while the row is not there; the same ids come with the row afterwards."""
    answered: list[bool] = []
    told: list[Accepted] = []

    def hook(point: str) -> None:
        if point == WRITTEN:
            answered.append(bool(told))

    async with node(tmp_path, FakeBroker(), hook=hook, answer_before_journal=True) as one:
        body = CprLab().form()
        settled = await one.post(body)
        assert isinstance(settled, Accepted)
        told.append(settled)
        assert settled.held is Held.JOURNAL
        assert await one.journal.document(settled.document_id) is None
        one.runner._answer_first = False
        again = await one.runner.accept("cpr", Document(body, "application/json"))
        assert isinstance(again, Accepted)
        assert (again.document_id, again.report_ids) == (settled.document_id, settled.report_ids)
    assert answered == [True]


def test_nothing_that_runs_in_production_passes_them() -> None:
    """The switches are parameters with a harmless default; no setting, no variable of the environment, no command."""
    for part in (intake.run, intake.running):
        parameters = inspect.signature(part).parameters
        assert parameters["hook"].default is None
        assert parameters["answer_before_journal"].default is False
    tree = Path(crash_points.__file__).parents[1]
    naming = {
        str(file.relative_to(tree))
        for folder in ("connectors", "ops", "schemas", "streams")
        for file in (tree / folder).rglob("*.py")
        if "answer_before_journal" in file.read_text(encoding="utf-8") and "prove" not in file.parts
    }
    assert naming == {"connectors/runner.py", "ops/roles/intake.py"}

"""Restoring a backup: a new epoch that publishes nothing of the old one by itself, and names what is not in it."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from connectors.journal_epochs import ROWS
from connectors.journal_rows import GAP_CODE, HELD_CODE
from ops import runtime
from ops.backup import back_up, faults
from ops.cli import sztab
from ops.restore import restore
from schemas.errors import Misconfigured
from tests.connectors.broker_double import FakeBroker
from tests.ops.restore_stage import disaster, intake, settings_in, yes
from tests.waiting import until


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers do not wait a second each for the broker that is away."""
    monkeypatch.setattr("connectors.runner.BROKER_SECONDS", 0.05)


async def test_nothing_of_the_old_epoch_leaves_by_itself(tmp_path: Path) -> None:
    """Rows not marked as published go to quarantine, not to the lane; the gap is there as an item of its own."""
    lost = await disaster(tmp_path)
    with capture_logs() as logs:
        found = restore(lost.settings, lost.copy)
    assert found.held == 3
    (line,) = [one for one in logs if one["event"] == "journal_restored"]
    assert (line["held"], line["epoch"], line["gap_from"]) == (3, 2, found.made_at.isoformat())
    async with intake(lost.settings, FakeBroker()) as node:
        await until(lambda: len(node.aside()) == 4 and node.runner.publisher.backlog == 0)
        assert node.sent() == []
        held = [one for one in node.aside() if one.code is HELD_CODE]
        assert {one.document_id for one in held} == {one.document_id for one in lost.waiting}
        (gap,) = [one for one in node.aside() if one.code is GAP_CODE]
        assert found.made_at.isoformat(timespec="seconds") in gap.detail
        assert found.restored_at.isoformat(timespec="seconds") in gap.detail
        assert gap.document_id
        row = await node.runner.journal.document(gap.document_id)
        assert row is not None
        assert orjson.loads(row.body or b"")["held"] == 3
        assert await node.runner.journal.verify() == []


async def test_the_chain_goes_on_and_row_numbers_do_not_return(tmp_path: Path) -> None:
    """Rows of the new epoch stand behind the old ones in one chain, under numbers that the lost rows never had."""
    lost = await disaster(tmp_path)
    found = restore(lost.settings, lost.copy).epochs["journal.db"]
    assert (found.number, found.previous_row, found.row) == (2, 4, ROWS + 1)
    async with intake(lost.settings, FakeBroker()) as node:
        await yes(node, lost.later[0])
        assert node.runner.journal.last_row == ROWS + 2
        assert await node.runner.journal.verify() == []
        (gap,) = await node.runner.journal.gaps()
        assert gap == (round(found.gap_from.timestamp() * 1000), round(found.gap_to.timestamp() * 1000))
        await until(lambda: node.runner.publisher.backlog == 0)
        await asyncio.to_thread(back_up, lost.settings, tmp_path / "second")
    assert faults(tmp_path / "second") == []
    shutil.rmtree(lost.settings.data_dir / "journal")
    again = restore(lost.settings, tmp_path / "second").epochs["journal.db"]
    assert (again.number, again.row) == (3, 2 * ROWS + 1)
    async with intake(lost.settings, FakeBroker()) as node:
        assert await node.runner.journal.verify() == []


async def test_an_epoch_that_is_cut_out_is_found(tmp_path: Path) -> None:
    """The row that begins an epoch is in the chain: without it the journal is not whole."""
    lost = await disaster(tmp_path)
    restore(lost.settings, lost.copy)
    async with intake(lost.settings, FakeBroker()) as node:
        await yes(node, lost.later[0])
        store = node.runner.journal._store
        assert store._db is not None
        store._db.execute("DELETE FROM documents WHERE row = ?", (ROWS + 1,))
        assert [one.row for one in await node.runner.journal.verify()] == [ROWS + 1]


async def test_restore_refuses_what_it_could_destroy(tmp_path: Path) -> None:
    """A journal that is there, another key, another node's backup, a damaged or an old one: nothing is changed."""
    lost = await disaster(tmp_path)
    journal = runtime.journal_file(lost.settings)
    journal.parent.mkdir()
    journal.with_name("journal.db-wal").write_bytes(b"x")
    with pytest.raises(Misconfigured, match="there is a journal already"):
        restore(lost.settings, lost.copy)
    journal.with_name("journal.db-wal").unlink()
    key = runtime.key_file(lost.settings)
    own = key.read_bytes()
    key.write_bytes(bytes(32))
    with pytest.raises(Misconfigured, match="another key"):
        restore(lost.settings, lost.copy)
    key.write_bytes(own)
    with pytest.raises(Misconfigured, match="is of node intake-1, this is other"):
        restore(lost.settings.model_copy(update={"node": "other"}), lost.copy)
    manifest = orjson.loads((lost.copy / "manifest.json").read_bytes())
    old = {**manifest, "made_at": (datetime.now(UTC) - timedelta(days=20)).isoformat()}
    (lost.copy / "manifest.json").write_bytes(orjson.dumps(old))
    with pytest.raises(Misconfigured, match="20 days old"):
        restore(lost.settings, lost.copy)
    (lost.copy / "manifest.json").write_bytes(orjson.dumps(manifest))
    assert not journal.exists()
    (lost.copy / "extra").mkdir()
    raw = bytearray((lost.copy / "journal.db").read_bytes())
    raw[-1] ^= 1
    (lost.copy / "journal.db").write_bytes(raw)
    with pytest.raises(Misconfigured, match="damaged"):
        restore(lost.settings, lost.copy)
    assert not journal.exists()
    assert restore(lost.settings, lost.copy, damaged=True, old=True).damage == ("journal.db: is not what was copied",)
    assert not (lost.settings.data_dir / "restore.partial").exists()


async def test_restore_refuses_while_an_intake_runs(tmp_path: Path) -> None:
    """Its journal's file was deleted under it, but it still writes there."""
    lost = await disaster(tmp_path)
    async with intake(lost.settings, FakeBroker()):
        runtime.journal_file(lost.settings).unlink()
        for one in runtime.journal_file(lost.settings).parent.glob("*.db-*"):
            one.unlink()
        with pytest.raises(Misconfigured, match="is running"):
            restore(lost.settings, lost.copy)


async def test_an_interrupted_restore_is_called_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed at any of its renames it leaves no journal behind that an intake would start on."""
    lost = await disaster(tmp_path)
    journal = runtime.journal_file(lost.settings)
    monkeypatch.setattr("ops.restore.shutil.rmtree", lambda *_, **__: None)
    monkeypatch.setattr(Path, "replace", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore(lost.settings, lost.copy)
    monkeypatch.undo()
    assert not journal.exists()
    assert (lost.settings.data_dir / "restore.partial").exists()
    assert restore(lost.settings, lost.copy).held == 3
    assert journal.exists()


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


async def test_the_cursor_of_a_pulled_source_is_the_backups(tmp_path: Path) -> None:
    """It goes on from there: what it brings again has the ids that it had."""
    settings = settings_in(tmp_path)
    async with intake(settings, FakeBroker()) as node:
        await node.runner.journal.note(("feed", "page 7"))
        await asyncio.to_thread(back_up, settings, tmp_path / "copy")
        await node.runner.journal.note(("feed", "page 9"))
    shutil.rmtree(settings.data_dir / "journal")
    restore(settings, tmp_path / "copy")
    async with intake(settings, FakeBroker()) as node:
        assert await node.runner.journal.cursor("feed") == "page 7"


async def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sztab restore` puts the configuration back too and names the gap; `sztab journal held` lists and decides."""
    monkeypatch.chdir(tmp_path)
    lost = await disaster(tmp_path)
    (lost.copy / "sztab.toml").write_text('data_dir = "data"\n', encoding="utf-8")

    def call(*words: str) -> tuple[int, str]:
        told = CliRunner().invoke(sztab, words, catch_exceptions=False)
        return told.exit_code, told.output

    status, said = await asyncio.to_thread(call, "restore", str(lost.copy))
    assert status == 0, said
    assert "GAP: what was received from" in said
    assert "3 rows are held" in said
    assert (tmp_path / "sztab.toml").exists()
    status, said = await asyncio.to_thread(call, "journal", "held", "--json")
    rows = [one["row"] for one in orjson.loads(said)["rows"]]
    assert (status, len(rows)) == (0, 3)
    status, said = await asyncio.to_thread(call, "journal", "held", "--discard", str(rows[0]))
    assert (status, "reason-missing" in said) == (1, True)
    status, said = await asyncio.to_thread(call, "journal", "held", "--release", str(rows[0]))
    assert (status, said) == (0, "1 rows let go\n")
    status, said = await asyncio.to_thread(call, "journal", "held", "--discard-all", "--reason", "an exercise")
    assert (status, said) == (0, "2 rows discarded\n")
    async with intake(lost.settings, FakeBroker()) as node:
        await until(lambda: node.runner.publisher.backlog == 0)
        assert len(node.sent()) == 1
        assert len(node.aside()) == 3
        assert await node.runner.holding.rows() == []

"""`sztab journal verify`: whole is 0, damage is 1, and each damaged row is named."""

import sqlite3
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from connectors.journal import Journal
from connectors.journal_rows import Stored
from ops import runtime
from ops.cli import sztab
from ops.settings import Settings
from schemas.privacy import installation_key
from tests.connectors.journal_stage import entry


def call(*words: str) -> Result:
    """A command to its end."""
    return CliRunner().invoke(sztab, words, catch_exceptions=False)


@pytest.fixture
async def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Stored]:
    """An installation here, whose journal has five rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sztab.toml").write_text('data_dir = "data"\n', encoding="utf-8")
    settings = Settings(connectors={}, data_dir=tmp_path / "data")
    runtime.prepare(settings)
    journal = Journal(runtime.journal_file(settings), installation_key(runtime.key_file(settings)))
    await journal.start()
    kept = [await journal.append(entry(str(number))) for number in range(5)]
    await journal.close()
    return kept


def test_a_whole_journal_is_said_to_be_whole(kept: list[Stored]) -> None:
    """Exit status 0."""
    told = call("journal", "verify")
    assert (told.exit_code, told.output.strip().endswith("journal.db: whole")) == (0, True)
    told = call("journal", "verify", "--json")
    assert list(orjson.loads(told.output)["files"].values()) == [[]]


def test_each_damaged_row_is_named(kept: list[Stored]) -> None:
    """Exit status 1; row number, document id and what is wrong, for people and for programs, also for a named file."""
    file = Path("data/journal/journal.db")
    db = sqlite3.connect(file)
    db.execute("UPDATE bodies SET body = zeroblob(50) WHERE row = 2")
    db.execute("UPDATE documents SET chain = zeroblob(32) WHERE row = 4")
    db.commit()
    db.close()
    told = call("journal", "verify")
    assert told.exit_code == 1
    assert f"row 2, document {kept[1].document_id}: the checksum of the sealed bytes is wrong" in told.output
    assert f"row 4, document {kept[3].document_id}: the chain is broken in this row" in told.output
    assert "2 faults" in told.output
    told = call("journal", "verify", "--json", str(file))
    assert told.exit_code == 1
    assert [(one["row"], one["document_id"]) for one in orjson.loads(told.output)["files"][str(file)]] == [
        (2, kept[1].document_id),
        (4, kept[3].document_id),
    ]


def test_without_a_journal_nothing_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty installation gives no good news."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sztab.toml").write_text('data_dir = "data"\n', encoding="utf-8")
    told = call("journal", "verify")
    assert (told.exit_code, "there is no journal" in told.output) == (1, True)

"""Backups: taken while the journal is written, whole, checked, and honest about damage."""

import asyncio
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from connectors.journal import Journal
from connectors.journal_reader import JournalReader
from connectors.journal_rows import Entry
from ops import runtime
from ops.backup import back_up, faults
from ops.cli import sztab
from ops.settings import Settings
from schemas.errors import Misconfigured, Unavailable
from schemas.privacy import installation_key


def _settings(folder: Path) -> Settings:
    return Settings(connectors={}, data_dir=folder / "data")


async def _journal(settings: Settings, name: str = "journal.db") -> Journal:
    runtime.prepare(settings)
    journal = Journal(runtime.journal_file(settings).with_name(name), installation_key(runtime.key_file(settings)))
    await journal.start()
    return journal


def _entry(number: int) -> Entry:
    return Entry("cpr", "cpr", b"call %d" % number, "text/plain")


async def test_a_backup_taken_while_writing_opens_and_verifies(tmp_path: Path) -> None:
    """Everything answered before the copy began is in it, and can be read with the key beside it."""
    settings = _settings(tmp_path)
    journal = await _journal(settings)
    try:
        first = [await journal.append(_entry(number)) for number in range(20)]
        writing = asyncio.create_task(journal.append_all([_entry(number) for number in range(100, 400)]))
        manifest = await asyncio.to_thread(back_up, settings, tmp_path / "copy")
        await writing
    finally:
        await journal.close()
    assert faults(tmp_path / "copy") == []
    assert manifest.last_rows["journal.db"] >= first[-1].row
    reader = JournalReader(tmp_path / "copy" / "journal.db", installation_key(tmp_path / "copy" / "installation.key"))
    try:
        kept = reader.document(first[7].document_id)
    finally:
        reader.close()
    assert kept is not None
    assert kept.document().body == b"call 7"
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0


async def test_damage_is_found(tmp_path: Path) -> None:
    """One changed byte, a missing file, another key: the check says which."""
    settings = _settings(tmp_path)
    journal = await _journal(settings)
    await journal.append(_entry(1))
    await journal.close()
    back_up(settings, tmp_path / "copy")
    file = tmp_path / "copy" / "journal.db"
    raw = bytearray(file.read_bytes())
    raw[-1] ^= 1
    file.write_bytes(raw)
    assert faults(tmp_path / "copy") == ["journal.db: is not what was copied"]
    (tmp_path / "copy" / "installation.key").unlink()
    assert "installation.key: is missing" in faults(tmp_path / "copy")


async def test_the_journals_of_feeds_are_copied_and_checked_too(tmp_path: Path) -> None:
    """A feed's documents and the keys that seal its persons are in its own journal alone; also without an intake's."""
    settings = _settings(tmp_path)
    last_rows = []
    for name in ("feed-old.db", "journal.db"):
        journal = await _journal(settings, name)
        await journal.append(_entry(1))
        await journal.close()
        last_rows.append(back_up(settings, tmp_path / f"with {name}").last_rows)
    assert last_rows == [{"feed-old.db": 1}, {"feed-old.db": 1, "journal.db": 1}]
    assert faults(tmp_path / "with feed-old.db") == faults(tmp_path / "with journal.db") == []
    told = tmp_path / "with journal.db" / "manifest.json"
    told.write_bytes(told.read_bytes().replace(b'"feed-old.db": 1', b'"feed-old.db": 2'))
    assert faults(tmp_path / "with journal.db") == ["feed-old.db ends with row 1, the manifest says 2"]


async def test_a_backup_of_an_earlier_version_can_be_checked(tmp_path: Path) -> None:
    """Its manifest says the one journal's last row alone."""
    settings = _settings(tmp_path)
    journal = await _journal(settings)
    await journal.append(_entry(1))
    await journal.close()
    back_up(settings, tmp_path / "copy")
    file = tmp_path / "copy" / "manifest.json"
    told = orjson.loads(file.read_bytes())
    del told["last_rows"]
    file.write_bytes(orjson.dumps({**told, "last_row": 1}))
    assert faults(tmp_path / "copy") == []
    file.write_bytes(orjson.dumps({**told, "last_row": 2}))
    assert faults(tmp_path / "copy") == ["journal.db ends with row 1, the manifest says 2"]


async def test_a_backup_never_writes_over_another(tmp_path: Path) -> None:
    """The one good copy is not lost to a mistake in a path."""
    settings = _settings(tmp_path)
    journal = await _journal(settings)
    await journal.close()
    back_up(settings, tmp_path / "copy")
    with pytest.raises(Misconfigured, match="exists already"):
        back_up(settings, tmp_path / "copy")


def test_nothing_to_copy_is_said(tmp_path: Path) -> None:
    """An empty installation gives no empty backup that looks like one."""
    with pytest.raises(Unavailable, match="no journal"):
        back_up(_settings(tmp_path), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_the_command_copies_configuration_too_and_checks(tmp_path: Path) -> None:
    """`sztab backup DIR` ends with 0 for a whole copy, `--check` with 1 for a damaged one."""
    (tmp_path / "sztab.toml").write_text('data_dir = "data"\n', encoding="utf-8")
    journal = await _journal(_settings(tmp_path))
    await journal.append(_entry(1))
    await journal.close()
    arguments = ["--config", str(tmp_path / "sztab.toml"), "backup", str(tmp_path / "copy")]
    result = CliRunner().invoke(sztab, arguments)
    assert result.exit_code == 0, result.output
    assert "the copy is whole" in result.output
    (tmp_path / "copy" / "sztab.toml").write_text("other", encoding="utf-8")
    result = CliRunner().invoke(sztab, [*arguments, "--check", "--json"])
    assert result.exit_code == 1
    assert "sztab.toml: is not what was copied" in result.output

"""What the journal let go of leaves no bytes in any of its files, and the chain goes on over it."""

import os
import sqlite3
from pathlib import Path

import pytest

from connectors.journal import Journal
from connectors.journal_reader import JournalReader
from connectors.journal_rows import Mark, RowState, Stored
from connectors.journal_store import Limits
from tests.connectors.journal_stage import KEY, entry
from tests.waiting import until

LIMITS = Limits(keep_longest_seconds=60.0)


def found(folder: Path, parts: list[bytes]) -> int:
    """How many of the parts stand in some file of the folder."""
    files = [file.read_bytes() for file in folder.iterdir()]
    return sum(any(part in raw for raw in files) for part in parts)


def sealed(path: Path) -> list[bytes]:
    """A piece from the middle of each row's sealed bytes, as they stand on the disk."""
    db = sqlite3.connect(path)
    rows = [body[len(body) // 2 :][:40] for (body,) in db.execute("SELECT body FROM bodies ORDER BY row")]
    db.close()
    return rows


async def filled(path: Path, now: list[float]) -> tuple[Journal, list[Stored]]:
    """Sixty published rows of small, middling and large bodies, and one that is not published."""
    journal = Journal(path, KEY, LIMITS, clock=lambda: now[0])
    await journal.start()
    kept = [await journal.append(entry(os.urandom(size).hex())) for size in (40, 900, 9_000) * 20]
    await journal.note(*(Mark(one.row, RowState.PUBLISHED) for one in kept))
    await journal.append(entry("kept " + "x" * 200))
    return journal, kept


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.journal._TRIM_EVERY_SECONDS", 0.05)


@pytest.fixture
def now() -> list[float]:
    """A clock that the test moves."""
    return [1_000.0]


async def test_erased_rows_leave_no_bytes(tmp_path: Path, now: list[float]) -> None:
    """Neither in pages, nor in free ones, nor in the write-ahead log, while the journal runs; the chain holds."""
    path = tmp_path / "j.db"
    journal, kept = await filled(path, now)
    parts = sealed(path)
    assert found(tmp_path, parts) == len(kept) + 1
    now[0] += 61
    await until(lambda: found(tmp_path, parts[:-1]) == 0)
    assert found(tmp_path, parts[-1:]) == 1
    assert await journal.verify() == []
    await journal.append(entry("later"))
    assert await journal.verify() == []
    await journal.close()


async def test_a_reader_in_the_way_only_delays_it(tmp_path: Path, now: list[float]) -> None:
    """A long reading holds the log; appends do not wait for it, and once it ends the bytes go."""
    path = tmp_path / "j.db"
    journal, kept = await filled(path, now)
    parts = sealed(path)
    reader = JournalReader(path, KEY)
    reader._db.execute("BEGIN")
    reader._db.execute("SELECT COUNT(*) FROM documents").fetchone()
    now[0] += 61

    async def bodies_gone() -> bool:
        row = await journal.row(kept[0].row)
        return row is not None and row.body is None

    await until(bodies_gone)
    assert (await journal.append(entry("meanwhile"))).row == len(kept) + 2
    assert found(tmp_path, parts[:-1]) > 0
    reader._db.execute("ROLLBACK")
    reader.close()
    await until(lambda: found(tmp_path, parts[:-1]) == 0)
    await journal.close()

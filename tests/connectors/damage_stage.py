"""Journals to damage, and what is left of them."""

import os
import random
import sqlite3
from pathlib import Path

from connectors.journal import Journal
from connectors.journal_check import Fault
from connectors.journal_reader import JournalReader
from connectors.journal_rows import Mark, RowState, Stored
from schemas.delivery import Quarantined
from schemas.report import Report
from tests.connectors.broker_double import FakeBroker
from tests.connectors.intake_stage import LANE
from tests.connectors.journal_stage import KEY, entry

PAGE = 4096
ROWS = 250


def checked(path: Path) -> list[Fault]:
    """What the check says of a file."""
    reader = JournalReader(path, KEY)
    try:
        return list(reader.verify())
    finally:
        reader.close()


async def filled(path: Path, rows: int = ROWS) -> list[Stored]:
    """A closed journal of so many rows: a third published, the sizes of their bytes between 1 and 9,000."""
    size = random.Random(5)
    journal = Journal(path, KEY)
    await journal.start()
    kept = [await journal.append(entry(os.urandom(size.choice((20, 300, 4_500))).hex())) for _ in range(rows)]
    await journal.note(*(Mark(one.row, RowState.PUBLISHED) for one in kept[::3]))
    await journal.close()
    return kept


def of_row(path: Path, column: str, row: int) -> bytes:
    """The stored bytes of one value."""
    table = "bodies" if column == "body" else "documents"
    db = sqlite3.connect(path)
    (value,) = db.execute(f"SELECT {column} FROM {table} WHERE row = ?", (row,)).fetchone()  # noqa: S608
    db.close()
    return value.encode() if isinstance(value, str) else bytes(value)


def leaf_with(path: Path, marker: bytes) -> int:
    """Number (from 0) of the first page that holds the bytes."""
    at = path.read_bytes().find(marker)
    assert at > 0
    return at // PAGE


def garble(path: Path, page: int) -> None:
    """Make a page unreadable for SQLite."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xff" * 64)


def published(broker: FakeBroker) -> set[int]:
    """Journal rows of the reports that went out."""
    return {message.document.row for kept in broker.of(LANE) if isinstance(message := kept.message(), Report)}


def set_aside(broker: FakeBroker) -> list[Quarantined]:
    """What went to quarantine."""
    messages = [kept.message() for kept in broker.of("t.quarantine")]
    return [message for message in messages if isinstance(message, Quarantined)]

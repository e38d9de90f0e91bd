"""Takes everything that can be read of a journal that cannot be written any more into a new file. Blocking.

A row goes in behind the newest; where that page is damaged, or an index's, nothing could be accepted any more. So the
damaged file is set aside under another name for a person, and the journal goes on from what it still tells: same rows,
same ids, same chain.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from connectors.journal_scan import UNSETTLED, is_damage, known_rows, read_rows
from connectors.journal_sql import prepare
from schemas.errors import Code

log = structlog.get_logger()

_SMALL: Final = ("keys", "cursors", "anchor", "epochs", "decisions", "lost")
_ON_TIME: Final = 1_000


def salvage(path: Path) -> Path:
    """Put a new journal in the place of the damaged one; where that went. What could not be taken over is in its table
    `lost`, is told in the log, and goes to quarantine unless it was surely published.

    Nobody else may have the file open for writing. Interrupted, it leaves the damaged file in its place. sqlite3.Error
    when nothing of it can be read.
    """
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
    made = path.with_name(f"{path.name}.salvaged")
    for old in path.parent.glob(f"{made.name}*"):
        old.unlink()
    source = sqlite3.connect(path, isolation_level=None)
    target = sqlite3.connect(made, isolation_level=None)
    try:
        # The write-ahead log must not survive beside another file: its pages go into the damaged one first.
        source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        lost = _copy(source, target)
    finally:
        source.close()
        target.close()
    shutil.copyfile(path, aside)
    for one in (aside, made):
        _sync(one)
    for left in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + left).unlink()
    made.replace(path)
    _sync(path.parent)
    log.error("journal_salvaged", code=Code.RECORD_INVALID.value, kept_as=aside.name, rows_lost=len(lost))
    return aside


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> dict[int, str]:
    """Copy what can be read; rows that could not, with the document ids that are still known."""
    prepare(target)
    target.execute("PRAGMA synchronous = OFF")  # synced once, before it takes its place
    target.execute("BEGIN")
    for table in _SMALL:
        _insert(target, table, _rowids(source, table))
    rows = known_rows(source)
    lost: dict[int, str] = {}
    kept: set[int] = set()
    columns = _columns(source, "documents")
    select = f"SELECT row, {', '.join(columns[1:])} FROM documents"  # noqa: S608 - names of our own columns
    for read in read_rows(source, select, rows):
        if read.values is not None and _insert(target, "documents", [read.values], columns) == 1:
            kept.add(read.row)
        else:
            lost[read.row] = read.document_id
    bodies: list[tuple[Any, ...]] = []
    for read in read_rows(source, "SELECT row, body FROM bodies", rows):
        if read.values is not None and read.row in kept:
            bodies.append(read.values)
        if len(bodies) >= _ON_TIME:
            _insert(target, "bodies", bodies)
            bodies = []
    _insert(target, "bodies", bodies)
    _note_lost(source, target, lost)
    target.execute("COMMIT")
    return lost


def _note_lost(source: sqlite3.Connection, target: sqlite3.Connection, lost: dict[int, str]) -> None:
    """Rows that were surely published before need no person; of the others one is told."""
    try:
        open_ones = {row for (row,) in source.execute(UNSETTLED, (0,))}
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        open_ones = set(lost)
    rows = [(row, document, int(row not in open_ones)) for row, document in sorted(lost.items())]
    _insert(target, "lost", rows, ["row", "document_id", "told"])


def _insert(
    target: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]], columns: list[str] | None = None
) -> int:
    """Insert what fits the table; how many did. Damage may have made a value of another type of it."""
    names = f" ({', '.join(columns)})" if columns else ""
    done = 0
    for values in rows:
        marks = ", ".join("?" * len(values))
        with suppress(sqlite3.IntegrityError):
            target.execute(f"INSERT INTO {table}{names} VALUES ({marks})", values)  # noqa: S608 - our own names
            done += 1
    return done


def _columns(source: sqlite3.Connection, table: str) -> list[str]:
    return [name for _, name, *_ in source.execute(f"PRAGMA table_info({table})")]


def _rowids(source: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """The rows of a small table as far as it can be read, from both ends."""
    if not _columns(source, table):
        return []
    found: dict[int, tuple[Any, ...]] = {}
    for order in ("", " DESC"):
        try:
            for rowid, *values in source.execute(f"SELECT rowid, * FROM {table} NOT INDEXED ORDER BY rowid{order}"):  # noqa: S608
                found[rowid] = tuple(values)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
        else:
            break
    return [found[rowid] for rowid in sorted(found)]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

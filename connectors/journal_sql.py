"""The statements of the journal: schema, insert in blocks, look-up of known documents, notes. Blocking; no asyncio."""

import hashlib
import sqlite3
from collections.abc import Sequence
from typing import Final

from connectors.journal_rows import (
    HELD_CODE,
    Decision,
    Entry,
    Mark,
    RowState,
    Stored,
    StoredKey,
    Verdict,
    checksum,
    context_text,
    reports_text,
)

Note = Mark | StoredKey | Decision | tuple[str, str]
"""What may be written beside rows: what became of a row, a thread's key, a decision, (source, cursor)."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS documents (
  row INTEGER PRIMARY KEY, document_id TEXT NOT NULL UNIQUE, source TEXT NOT NULL, far_system TEXT NOT NULL,
  thread TEXT, received_ms INTEGER NOT NULL, sha256 BLOB NOT NULL, chain BLOB NOT NULL, checksum INTEGER NOT NULL,
  state INTEGER NOT NULL, occurrence TEXT NOT NULL, content_type TEXT, context TEXT, reports TEXT, verdict TEXT,
  held INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE IF NOT EXISTS bodies (row INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS cursors (source TEXT PRIMARY KEY, cursor TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS keys (
  thread_id TEXT PRIMARY KEY, key_id TEXT NOT NULL, nonce BLOB NOT NULL, wrapped BLOB NOT NULL,
  published INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS anchor (
  one INTEGER PRIMARY KEY CHECK (one = 1), row INTEGER NOT NULL, chain BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS epochs (
  epoch INTEGER PRIMARY KEY, row INTEGER NOT NULL, previous_row INTEGER NOT NULL, gap_from_ms INTEGER NOT NULL,
  gap_to_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS lost (
  row INTEGER PRIMARY KEY, document_id TEXT NOT NULL, told INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS decisions (
  row INTEGER NOT NULL, released INTEGER NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT;
"""
"""`held` of a document: its bytes are still in `bodies`. `lost`: rows that damage took, and whether a person was told;
their numbers are given to no other."""
_DISCARDED: Final = "SELECT row FROM decisions WHERE released = 0"
HELD_ROWS: Final = f"(state = 4 OR (state = 2 AND verdict LIKE '[\"{HELD_CODE}\"%' AND row NOT IN ({_DISCARDED})))"
"""Rows that a person must decide on: their quarantine record is out, or on its way."""
_INDEXES: Final = """
CREATE INDEX IF NOT EXISTS unsettled ON documents (row) WHERE state IN (0, 2);
CREATE INDEX IF NOT EXISTS held_published ON documents (received_ms, row) WHERE state = 1 AND held = 1;
CREATE INDEX IF NOT EXISTS held_quarantined ON documents (received_ms, row) WHERE state = 3 AND held = 1;
CREATE INDEX IF NOT EXISTS held_for_a_person ON documents (row) WHERE state = 4;
"""
_HELD: Final = (
    "SELECT row, received_ms, length(body) FROM documents JOIN bodies USING (row)"
    " WHERE state = {state:d} AND held = 1 ORDER BY received_ms, row LIMIT ?"
)
"""The state stands in the text: only so does SQLite see that the index answers it."""
_DOCUMENTS: Final = (
    "documents (row, document_id, source, far_system, received_ms, sha256, chain, checksum, state, occurrence,"
    " content_type, context)"
)
_BODIES: Final = "bodies (row, body)"
_KNOWN: Final = "row, document_id, sha256, received_ms, state, verdict"
_BLOCK: Final = 64
BUSY_MS: Final = 5_000
"""How long the writer waits for another process that has the file."""


def prepare(db: sqlite3.Connection) -> None:
    """Make what is missing of tables and indexes; an older file gets the column that it has not."""
    db.executescript(_TABLES)
    if "held" not in {name for _, name, *_ in db.execute("PRAGMA table_info(documents)")}:
        db.executescript(
            "BEGIN IMMEDIATE; ALTER TABLE documents ADD COLUMN held INTEGER NOT NULL DEFAULT 1;"
            "UPDATE documents SET held = 0 WHERE row NOT IN (SELECT row FROM bodies); COMMIT"
        )
    db.executescript(_INDEXES)


def held(db: sqlite3.Connection, state: RowState, limit: int) -> sqlite3.Cursor:
    """Row, time of receipt (epoch ms) and size of the oldest settled rows whose bytes are still here."""
    return db.execute(_HELD.format(state=state), (limit,))


def leaving(db: sqlite3.Connection, state: RowState, before_ms: int, room: int, most: int) -> list[int]:
    """Rows of that state whose bytes go, oldest first: those received before, and more until so many bytes are free."""
    gone: list[int] = []
    for row, received_ms, size in held(db, state, most):
        if received_ms >= before_ms and room <= 0:
            break
        gone.append(row)
        room -= size
    return gone


def let_go(db: sqlite3.Connection, rows: Sequence[int]) -> None:
    """Delete the bytes of rows; belongs to the transaction that is open."""
    named = [(row,) for row in rows]
    db.executemany("DELETE FROM bodies WHERE row = ?", named)
    db.executemany("UPDATE documents SET held = 0 WHERE row = ?", named)


def emptied(db: sqlite3.Connection) -> bool:
    """Fold the write-ahead log into the file and cut it to nothing, where deleted bytes still stand; whether it was.

    Not at once when a reader is in the way, and never waiting for one.
    """
    db.execute("PRAGMA busy_timeout = 0")
    try:
        busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return not busy


def digest_of(body: bytes) -> bytes:
    """SHA-256 of a document's bytes."""
    return hashlib.sha256(body).digest()


def row_values(
    row: int, document: str, digest: bytes, entry: Entry, received_ms: int, chain: bytes, sealed: bytes
) -> tuple[object, ...]:
    """The columns of a new row of `documents`, in the order of the insert."""
    return (
        row,
        document,
        entry.source,
        entry.far_system,
        received_ms,
        digest,
        chain,
        checksum(sealed),
        int(RowState.RECEIVED),
        entry.occurrence,
        entry.content_type,
        context_text(entry.context),
    )


def insert(
    db: sqlite3.Connection, documents: Sequence[tuple[object, ...]], bodies: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows and their sealed bodies; they belong to the transaction that is open."""
    _insert(db, _DOCUMENTS, documents)
    _insert(db, _BODIES, bodies)


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert in blocks of 64, 32, ... rows: few statements, and few texts to prepare."""
    block, start = _BLOCK, 0
    while start < len(rows):
        while block > len(rows) - start:
            block //= 2
        some = rows[start : start + block]
        one = "(" + ",".join("?" * len(some[0])) + ")"
        text = f"INSERT INTO {table} VALUES {','.join([one] * block)}"  # noqa: S608 - constants only
        db.execute(text, [value for row in some for value in row])
        start += block


def known(db: sqlite3.Connection, documents: list[str]) -> dict[str, Stored]:
    """Rows that hold these documents already, by document id."""
    found: dict[str, Stored] = {}
    for start in range(0, len(documents), _BLOCK):
        some = documents[start : start + _BLOCK]
        some += some[-1:] * (_BLOCK - len(some)) if len(some) > 1 else []
        marks = ",".join("?" * len(some))
        text = f"SELECT {_KNOWN} FROM documents WHERE document_id IN ({marks})"  # noqa: S608 - constants only
        for row, document, digest, received_ms, state, verdict in db.execute(text, some):
            kept = Verdict.from_json(verdict) if verdict else None
            found[document] = Stored(row, document, digest.hex(), received_ms, RowState(state), kept, repeated=True)
    return found


def note(db: sqlite3.Connection, item: Note) -> None:
    """Write one note; belongs to the transaction that is open."""
    if isinstance(item, Mark):
        _mark(db, item)
    elif isinstance(item, StoredKey):
        db.execute(
            "INSERT INTO keys (thread_id, key_id, nonce, wrapped, published) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (thread_id) DO UPDATE SET published = MAX(published, excluded.published)",
            (item.thread_id, item.key_id, item.nonce, item.wrapped, int(item.published)),
        )
    elif isinstance(item, Decision):
        _decide(db, item)
    else:
        db.execute("INSERT OR REPLACE INTO cursors (source, cursor) VALUES (?, ?)", item)


def _mark(db: sqlite3.Connection, item: Mark) -> None:
    """What became of a row."""
    values = (reports_text(item.reports), item.thread, item.verdict.to_json() if item.verdict else None, item.row)
    if item.state is RowState.HELD:
        # Its quarantine record is out. Meanwhile somebody may have decided: a released row is left alone.
        db.execute(
            f"UPDATE documents SET state = CASE WHEN row IN ({_DISCARDED}) THEN 3 ELSE 4 END,"  # noqa: S608 - constants
            " reports = ?, thread = ?, verdict = COALESCE(?, verdict) WHERE row = ? AND state IN (2, 4)",
            values,
        )
        return
    changed = db.execute(
        # Replayed out of quarantine a row is as any other: on its way it has no verdict any more.
        "UPDATE documents SET state = ?5, reports = ?1, thread = ?2,"
        " verdict = CASE WHEN ?5 IN (0, 1) THEN NULL ELSE COALESCE(?3, verdict) END WHERE row = ?4",
        (*values, int(item.state)),
    )
    if not changed.rowcount:
        db.execute("UPDATE lost SET told = 1 WHERE row = ?", (item.row,))


def _decide(db: sqlite3.Connection, item: Decision) -> None:
    """Released: as if it had just come. Discarded: quarantined like any other. A row that is not held stays as it is.

    A discarded row whose quarantine record is still to be sent keeps its state until then.
    """
    change = "0, verdict = NULL" if item.released else "CASE state WHEN 4 THEN 3 ELSE state END"
    text = f"UPDATE documents SET state = {change} WHERE row = ? AND {HELD_ROWS}"  # noqa: S608 - constants only
    if db.execute(text, (item.row,)).rowcount:
        db.execute("INSERT INTO decisions (row, released, by, reason, at_ms) VALUES (?, ?, ?, ?, ?)", item)

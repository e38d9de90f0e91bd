"""The journal's file as readers see it: rows, ids, keys, cursors, the chain's check, a copy. Blocking, read-only.

Any process may read while the intake writes: trace, ledger and quarantine do.
"""

import sqlite3
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.journal_check import Fault as Fault
from connectors.journal_check import Keys, check
from connectors.journal_rows import (
    Gap,
    JournalRow,
    RowState,
    Stored,
    StoredKey,
    Verdict,
    loaded,
    open_body,
)
from connectors.journal_scan import is_damage, known_rows, named, read_rows, unsettled_rows
from connectors.journal_sql import HELD_ROWS
from schemas.errors import Code, Rejected, Unavailable
from schemas.privacy import derive

_ROW: Final = (
    "SELECT row, document_id, sha256, received_ms, state, verdict, source, far_system, content_type, occurrence,"
    " context, thread, reports, body FROM documents LEFT JOIN bodies USING (row)"
)


_LOST: Final = "SELECT row, document_id FROM lost WHERE told = 0"
DAMAGED: Final = "the journal's row is on a page that is damaged"


class RowIds(NamedTuple):
    """What the ledger counts: a row's document, state, what it became, and when it was received (epoch ms)."""

    row: int
    document_id: str
    state: RowState
    reports: tuple[tuple[str, str], ...]
    received_ms: int
    source: str


class HeldRow(NamedTuple):
    """A row that waits for a person since a restore, by its ids."""

    row: int
    document_id: str
    source: str
    received_ms: int


class JournalReader:
    """One read-only connection to a journal file; used by one thread at a time.

    `installation` is the installation's key; without it everything but bodies can be read.
    Unavailable(`journal-unavailable`) when the file cannot be read; Rejected(`record-invalid`) when a page that was
    asked for is damaged, and nothing else can be told.
    """

    def __init__(self, path: Path, installation: bytes | None = None) -> None:
        self._cipher = AESGCM(derive(installation, "journal")) if installation else None
        self._keys = Keys(self._cipher, derive(installation, "ids")) if installation and self._cipher else None
        try:
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            self._db.execute("PRAGMA busy_timeout = 5000")
        except sqlite3.Error as error:
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"the journal {path} cannot be read") from error

    def close(self) -> None:
        """Give the file back; also twice."""
        self._db.close()

    def document(self, document_id: str) -> JournalRow | None:
        """The row that holds a document, with its bytes; None when this journal does not have it."""
        rows = self._query(f"{_ROW} WHERE document_id = ?", document_id)
        return self._row(rows[0]) if rows else None

    def unpublished(self, after_row: int, limit: int) -> list[JournalRow]:
        """Rows that still have to reach the broker, in row order, with their bytes.

        Over damaged pages: a row that cannot be read comes with a verdict and what is still known of it.
        """
        text = f"{_ROW} WHERE state IN (0, 2) AND row > ? ORDER BY row LIMIT ?"
        try:
            found = [self._row(one) for one in self._query(text, after_row, limit)]
        except Rejected:
            found = self._over_damage(after_row, limit)
        lost = [_unreadable(*one) for one in self._query(f"{_LOST} AND row > ? LIMIT ?", after_row, limit)]
        return sorted([*found, *lost], key=lambda one: one.stored.row)[:limit] if lost else found

    def ids(self, after_row: int, limit: int) -> list[RowIds]:
        """Ids of all rows after one, in row order. A held row counts as quarantined: it waits there for a person."""
        text = (
            "SELECT row, document_id, state, reports, received_ms, source FROM documents"
            " WHERE row > ? ORDER BY row LIMIT ?"
        )
        try:
            found = self._query(text, after_row, limit)
        except Rejected:
            found = self._readable(text.split(" WHERE", maxsplit=1)[0], after_row, limit)
        return [
            RowIds(row, document, _counted(state), _reports(reports), received_ms, source)
            for row, document, state, reports, received_ms, source in found
        ]

    def last_row(self) -> int:
        """The newest row's number, though it may have been trimmed since; 0 when there never was one."""
        kept = "SELECT COALESCE(MAX(row), 0) FROM (SELECT row FROM documents UNION ALL SELECT row FROM anchor)"
        try:
            return int(self._query(kept)[0][0])
        except Rejected:
            return max(known_rows(self._db), default=0)

    def backlog(self) -> int:
        """How many rows still have to reach the broker."""
        try:
            count = int(self._query("SELECT COUNT(*) FROM documents WHERE state IN (0, 2)")[0][0])
        except Rejected:
            count = len(unsettled_rows(self._db, 0, -1))
        return count + len(self._query(_LOST))

    def held(self) -> list[HeldRow]:
        """Rows that a person must decide on since a restore, in row order."""
        text = f"SELECT row, document_id, source, received_ms FROM documents WHERE {HELD_ROWS} ORDER BY row"  # noqa: S608
        return [HeldRow(*found) for found in self._query(text)] if self._has("decisions") else []

    def row(self, row: int) -> JournalRow | None:
        """The row of that number, with its bytes; None when there is none."""
        rows = self._query(f"{_ROW} WHERE row = ?", row)
        return self._row(rows[0]) if rows else None

    def gaps(self) -> tuple[Gap, ...]:
        """The times of which the journal does not know what this node took: each restore leaves one."""
        if not self._has("epochs"):
            return ()
        return tuple(self._query("SELECT gap_from_ms, gap_to_ms FROM epochs ORDER BY epoch"))

    def cursor(self, source: str) -> str | None:
        """Where a source goes on."""
        rows = self._query("SELECT cursor FROM cursors WHERE source = ?", source)
        return str(rows[0][0]) if rows else None

    def key(self, thread_id: str) -> StoredKey | None:
        """A thread's wrapped key."""
        text = "SELECT thread_id, key_id, nonce, wrapped, published FROM keys WHERE thread_id = ?"
        rows = self._query(text, thread_id)
        if not rows:
            return None
        thread, key_id, nonce, wrapped, published = rows[0]
        return StoredKey(thread, key_id, nonce, wrapped, bool(published))

    def verify(self) -> Iterator[Fault]:
        """Every fault of the file (see `journal_check`), as it stood at one moment."""
        try:
            self._db.execute("BEGIN")
            try:
                yield from check(self._db, self._keys)
            finally:
                self._db.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, "the journal cannot be read") from error

    def backup(self, target: Path) -> None:
        """Copy the journal as it stands to a new file, while the intake goes on writing."""
        copy = sqlite3.connect(target)
        try:
            self._db.backup(copy)
        finally:
            copy.close()

    def _has(self, table: str) -> bool:
        """Whether the file has the table: one of an earlier version may not."""
        return bool(self._query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table))

    def _query(self, text: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(text, values).fetchall()
        except sqlite3.Error as error:
            if is_damage(error):
                raise Rejected(Code.RECORD_INVALID, DAMAGED) from error
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, "the journal cannot be read") from error

    def _over_damage(self, after_row: int, limit: int) -> list[JournalRow]:
        """The same as `unpublished`, row by row."""
        found: list[JournalRow] = []
        for read in read_rows(self._db, _ROW, unsettled_rows(self._db, after_row, limit)):
            if read.error:
                found.append(_unreadable(read.row, read.document_id or named(self._db, read.row)))
            elif read.values is not None and read.values[4] in (RowState.RECEIVED, RowState.QUARANTINE_PENDING):
                found.append(self._row(read.values))
            if len(found) == limit:
                break
        return found

    def _readable(self, select: str, after_row: int, limit: int) -> list[tuple[Any, ...]]:
        rows = {row: known for row, known in known_rows(self._db).items() if row > after_row}
        values = (read.values for read in read_rows(self._db, select, rows))
        return list(islice((one for one in values if one is not None), limit))

    def _row(self, found: tuple[Any, ...]) -> JournalRow:
        row, document, digest, received_ms, state, verdict, *rest = found
        source, far_system, content_type, occurrence, context, thread, reports, body = rest
        kept = Verdict.from_json(verdict) if verdict else None
        return JournalRow(
            stored=Stored(row, document, digest.hex(), received_ms, RowState(state), kept, repeated=True),
            source=source,
            far_system=far_system,
            content_type=content_type,
            occurrence=occurrence,
            context=loaded(context, {}),
            thread=thread,
            reports=_reports(reports),
            body=self._opened(document, body),
        )

    def _opened(self, document: str, body: bytes | None) -> bytes | None:
        """The plain bytes; None when trimmed, without a key, or damaged: a damaged row spares its neighbours."""
        if body is None or self._cipher is None:
            return None
        try:
            return open_body(self._cipher, document, body)
        except Rejected:
            return None


def _unreadable(row: int, document_id: str) -> JournalRow:
    """What is left of a row whose page is damaged; when it came is not known either."""
    verdict = Verdict(Code.RECORD_INVALID, DAMAGED)
    stored = Stored(row, document_id, "", round(time.time() * 1000), RowState.RECEIVED, verdict, repeated=True)
    return JournalRow(stored, "", "", None, "", {}, None, (), None)


def _counted(state: int) -> RowState:
    return RowState.QUARANTINED if state == RowState.HELD else RowState(state)


def _reports(text: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((report, kind) for report, kind in loaded(text, ()))

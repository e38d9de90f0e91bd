"""The journal's file as readers see it: rows, ids, keys, cursors, the chain's check, a copy. Blocking, read-only.

Any process may read while the intake writes: trace, ledger and quarantine do.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.journal_rows import (
    FIRST_LINK,
    JournalRow,
    RowState,
    Stored,
    StoredKey,
    Verdict,
    checksum,
    link,
    loaded,
    open_body,
)
from connectors.journal_sql import HELD_ROWS, digest_of
from schemas.errors import Code, Rejected, Unavailable
from schemas.privacy import derive

_ROW: Final = (
    "SELECT row, document_id, sha256, received_ms, state, verdict, source, far_system, content_type, occurrence,"
    " context, thread, reports, body FROM documents LEFT JOIN bodies USING (row)"
)


class Fault(NamedTuple):
    """Something that the check of the journal found: which row, which document, what."""

    row: int
    document_id: str
    what: str


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
    Unavailable(`journal-unavailable`) when the file cannot be read.
    """

    def __init__(self, path: Path, installation: bytes | None = None) -> None:
        self._cipher = AESGCM(derive(installation, "journal")) if installation else None
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
        """Rows that still have to reach the broker, in row order, with their bytes."""
        text = f"{_ROW} WHERE state IN (0, 2) AND row > ? ORDER BY row LIMIT ?"
        return [self._row(found) for found in self._query(text, after_row, limit)]

    def ids(self, after_row: int, limit: int) -> list[RowIds]:
        """Ids of all rows after one, in row order. A held row counts as quarantined: it waits there for a person."""
        text = (
            "SELECT row, document_id, state, reports, received_ms, source FROM documents"
            " WHERE row > ? ORDER BY row LIMIT ?"
        )
        return [
            RowIds(row, document, _counted(state), _reports(reports), received_ms, source)
            for row, document, state, reports, received_ms, source in self._query(text, after_row, limit)
        ]

    def last_row(self) -> int:
        """The newest row's number, though it may have been trimmed since; 0 when there never was one."""
        kept = "SELECT COALESCE(MAX(row), 0) FROM (SELECT row FROM documents UNION ALL SELECT row FROM anchor)"
        return int(self._query(kept)[0][0])

    def backlog(self) -> int:
        """How many rows still have to reach the broker."""
        return int(self._query("SELECT COUNT(*) FROM documents WHERE state IN (0, 2)")[0][0])

    def held(self) -> list[HeldRow]:
        """Rows that a person must decide on since a restore, in row order."""
        text = f"SELECT row, document_id, source, received_ms FROM documents WHERE {HELD_ROWS} ORDER BY row"  # noqa: S608
        return [HeldRow(*found) for found in self._query(text)] if self._has("decisions") else []

    def row(self, row: int) -> JournalRow | None:
        """The row of that number, with its bytes; None when there is none."""
        rows = self._query(f"{_ROW} WHERE row = ?", row)
        return self._row(rows[0]) if rows else None

    def whole_since_ms(self) -> int:
        """Since when the journal knows all that this node took; 0: from the beginning. A restore leaves a gap."""
        if not self._has("epochs"):
            return 0
        return int(self._query("SELECT COALESCE(MAX(gap_to_ms), 0) FROM epochs")[0][0])

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
        """Walk the chain: checksum of each sealed body, digest of each opened one, link of each row to the last."""
        begins = dict(self._query("SELECT row, previous_row FROM epochs")) if self._has("epochs") else {}
        anchor = self._query("SELECT row, chain FROM anchor")
        expected, chain = anchor[0] if anchor else (0, FIRST_LINK)
        text = (
            "SELECT row, document_id, received_ms, sha256, chain, checksum, body FROM documents"
            " LEFT JOIN bodies USING (row) ORDER BY row"
        )
        for row, document, received_ms, digest, stored_chain, stored_sum, body in self._db.execute(text):
            expected = row if begins.get(row) == expected else expected + 1
            if row != expected:
                yield Fault(row, document, f"rows {expected} to {row - 1} are missing")
                expected = row
            if link(chain, row, document, digest, received_ms) != stored_chain:
                yield Fault(row, document, "the chain is broken before or in this row")
            chain = stored_chain
            what = None if body is None else self._body_fault(document, body, digest, stored_sum)
            if what:
                yield Fault(row, document, what)

    def backup(self, target: Path) -> None:
        """Copy the journal as it stands to a new file, while the intake goes on writing."""
        copy = sqlite3.connect(target)
        try:
            self._db.backup(copy)
        finally:
            copy.close()

    def _body_fault(self, document: str, body: bytes, digest: bytes, stored_sum: int) -> str | None:
        if checksum(body) != stored_sum:
            return "the checksum of the sealed bytes is wrong"
        if self._cipher is None:
            return None
        try:
            opened = open_body(self._cipher, document, body)
        except Rejected:
            return "the sealed bytes do not open"
        return None if digest_of(opened) == digest else "the bytes are not those of the digest"

    def _has(self, table: str) -> bool:
        """Whether the file has the table: one of an earlier version may not."""
        return bool(self._query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table))

    def _query(self, text: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, "the journal cannot be read") from error

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


def _counted(state: int) -> RowState:
    return RowState.QUARANTINED if state == RowState.HELD else RowState(state)


def _reports(text: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((report, kind) for report, kind in loaded(text, ()))

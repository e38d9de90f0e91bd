"""The journal's file as its one writer thread sees it: schema, group commit, room, trimming. Blocking; no asyncio.

SQLite in WAL mode with `synchronous=FULL`: a commit returns after fsync of the write-ahead log. Rows of one
commit go in as few statements as possible, because each statement gives up and takes back the interpreter's lock.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.crash_points import SYNCED, WRITTEN, Hook
from connectors.journal_lock import locked
from connectors.journal_rows import FIRST_LINK, Entry, RowState, Stored, link, seal_body
from connectors.journal_salvage import salvage
from connectors.journal_scan import is_damage
from connectors.journal_sql import BUSY_MS, Note, emptied, insert, leaving, let_go, note, prepare, row_values
from connectors.journal_sql import known as known_rows
from schemas.errors import Code, Misconfigured, Rejected, SztabError, Unavailable

_ROW_OVERHEAD: Final = 420
"""Bytes a row takes beside its body, in table and index: between two measurements only."""
_PAGE_BYTES: Final = 4096
_MEASURE_BYTES: Final = 1 << 20
_TRIM_ROWS: Final = 5000
"""Rows looked at by one trimming: a bound on how long the writer is kept."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the journal may hold, and what may leave when room is needed. Unpublished rows never leave.

    From the share `alarm` on published bytes older than `keep_seconds` leave. From `crowded` on the oldest published
    bytes leave whatever their age, until there is that much room again: Kafka has them, and nobody is refused for their
    sake. It is below `ordinary`, from where on ordinary sources are refused. `keep_longest_seconds`: published bytes
    older than this leave anyway; their row, without bytes, stays as long again, so that ids and chain can be checked.
    """

    max_bytes: int = 2 * 1024**3
    alarm: float = 0.70
    crowded: float = 0.75
    ordinary: float = 0.80
    refuse: float = 0.95
    keep_seconds: float = 72 * 3600.0
    keep_longest_seconds: float = 14 * 86400.0


Synchronous = Literal["FULL", "OFF"]
"""`OFF` is a build that does not wait for the disk: for tests alone, which must convict it."""

Named = tuple[str, bytes, Entry]
"""Document id, SHA-256 digest, entry."""


class _New:
    """Rows that one transaction adds, and where the chain stands after them."""

    def __init__(self, row: int, chain: bytes, received_ms: int) -> None:
        self.row, self.chain, self.received_ms = row, chain, received_ms
        self.bytes = 0
        self.documents: list[tuple[object, ...]] = []
        self.bodies: list[tuple[object, ...]] = []

    def add(self, document: str, digest: bytes, entry: Entry, sealed: bytes) -> Stored:
        self.row += 1
        self.chain = link(self.chain, self.row, document, digest, self.received_ms)
        values = row_values(self.row, document, digest, entry, self.received_ms, self.chain, sealed)
        self.documents.append(values)
        self.bodies.append((self.row, sealed))
        self.bytes += len(sealed) + _ROW_OVERHEAD
        return Stored(self.row, document, digest.hex(), self.received_ms, RowState.RECEIVED, None, repeated=False)


class JournalStore:
    """The writer's end of one journal file. Used by one thread only; a second process is refused."""

    def __init__(
        self,
        path: Path,
        body_key: bytes,
        limits: Limits,
        clock: Callable[[], float] = time.time,
        hook: Hook | None = None,
        synchronous: Synchronous = "FULL",
    ) -> None:
        self._path, self._limits, self._clock, self._hook = path, limits, clock, hook
        self._synchronous = synchronous
        self._cipher = AESGCM(body_key)
        self._lock = locked(path)
        self._db: sqlite3.Connection | None = None
        self._chain = FIRST_LINK
        self._since_measured = 0
        self._measured = 0
        self._erasing = False  # whether deleted bytes may still stand in the write-ahead log
        self.last_row = 0
        """The newest durable row's number; moves only after its commit."""
        self.broken = False
        """Whether the newest row cannot be read: nothing can be taken any more until a start mends the file."""
        try:
            self._open_sound()
        except sqlite3.Error as error:
            os.close(self._lock)
            raise Misconfigured(Code.CONFIGURATION_INVALID, f"{path} is no journal of this version: {error}") from None

    @property
    def fill(self) -> float:
        """Used share of the room, 0 to 1."""
        return (self._measured + self._since_measured) / self._limits.max_bytes

    def commit(self, groups: Sequence[Sequence[Named]], notes: Sequence[Note]) -> list[list[Stored | SztabError]]:
        """Append groups of named entries and write the notes beside, all in one durable transaction.

        Gives one answer per entry, in order. After the first refused entry of a group the rest of the group is refused
        too, so that a cursor never passes what was not kept. Unavailable when the disk failed, Rejected when it meets
        a damaged page: then nothing of it is answered with yes.
        """
        try:
            db = self._db or self._open()
            self._allow(db, documents=any(groups))
            db.execute("BEGIN IMMEDIATE")
            new = _New(self.last_row, self._chain, _ms(self._clock()))
            answers = self._append(db, groups, new)
            for item in notes:
                note(db, item)
            self._pass(WRITTEN, new)
            db.execute("COMMIT")
            self._pass(SYNCED, new)
            self.last_row, self._chain = new.row, new.chain
            self._since_measured += new.bytes
        except sqlite3.Error as error:
            self._drop()
            if is_damage(error):
                raise Rejected(Code.RECORD_INVALID, "a page of the journal that this needs is damaged") from error
            full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
            code = Code.JOURNAL_FULL if full else Code.JOURNAL_UNAVAILABLE
            raise Unavailable(code, "the journal cannot be written") from error
        except BaseException:
            self._drop()
            raise
        if self._since_measured >= min(_MEASURE_BYTES, self._limits.max_bytes // 100):
            try:
                self._measure(db)
            except sqlite3.Error:
                # What was committed is durable all the same; the file is opened and measured anew for the next.
                self._drop()
        return answers

    def _pass(self, point: str, new: _New) -> None:
        if self._hook is not None and new.documents:
            self._hook(point)

    def close(self) -> None:
        """Fold the write-ahead log in and give the file back."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._drop()
        os.close(self._lock)

    def trim(self) -> int:
        """Let go of settled bytes that are old enough (older still while there is room); how many rows changed.

        Quarantined bytes always stay the longer time: a person may want to read them.
        """
        now = self._clock()
        longest = _ms(now - self._limits.keep_longest_seconds)
        aged = _ms(now - self._limits.keep_seconds) if self.fill >= self._limits.alarm else longest
        room = round((self.fill - self._limits.crowded) * self._limits.max_bytes)
        try:
            # Opened anew after a refusal, too: a full journal whose callers do not wait must still be emptied.
            db = self._db or self._open()
            db.execute("BEGIN IMMEDIATE")
            gone = leaving(db, RowState.PUBLISHED, aged, room, _TRIM_ROWS) + leaving(
                db, RowState.QUARANTINED, longest, 0, _TRIM_ROWS
            )
            let_go(db, gone)
            changed = len(gone) + self._forget(db, _ms(now - 2 * self._limits.keep_longest_seconds))
            db.execute("COMMIT")
            self._erasing = self._erasing or bool(changed)
            if self._erasing:
                self._erasing = not emptied(db)
                self._measure(db)
        except sqlite3.Error:
            self._drop()
            return 0
        return changed

    def _forget(self, db: sqlite3.Connection, before_ms: int) -> int:
        """Delete the oldest rows without bytes, up to the first that must stay; the anchor carries the chain on."""
        rows = db.execute(
            "SELECT row, chain, body IS NULL, received_ms FROM documents LEFT JOIN bodies USING (row)"
            " ORDER BY row LIMIT ?",
            (_TRIM_ROWS,),
        )
        last: tuple[int, bytes] | None = None
        for row, chain, empty, received_ms in rows:
            if not empty or received_ms >= before_ms:
                break
            last = (row, chain)
        if last is None:
            return 0
        db.execute("INSERT OR REPLACE INTO anchor (one, row, chain) VALUES (1, ?, ?)", last)
        return db.execute("DELETE FROM documents WHERE row <= ?", (last[0],)).rowcount

    def _open_sound(self) -> None:
        """Open the file; one whose newest row cannot be read goes on in a new file, with what can be."""
        try:
            self._open()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            salvage(self._path)
            self._open()

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, cached_statements=256, check_same_thread=False)
        try:
            db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"PRAGMA synchronous = {self._synchronous}")
            db.execute("PRAGMA wal_autocheckpoint = 500")
            # What is deleted is overwritten with zeros, on whatever build of SQLite.
            db.execute("PRAGMA secure_delete = ON")
            db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            prepare(db)
            last = db.execute("SELECT row, chain FROM documents ORDER BY row DESC LIMIT 1").fetchone()
            last = last or db.execute("SELECT row, chain FROM anchor").fetchone()
            lost = db.execute("SELECT COALESCE(MAX(row), 0) FROM lost").fetchone()[0]
            row, self._chain = last or (0, FIRST_LINK)
            self.last_row = max(row, lost)
            self._measure(db)
        except sqlite3.Error as error:
            db.close()
            self.broken = is_damage(error)
            raise
        self._db, self.broken = db, False
        return db

    def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _allow(self, db: sqlite3.Connection, *, documents: bool) -> None:
        """How large the file may grow. Without the reserve a full journal could not be emptied: a key must be durable
        before the report that it seals leaves.
        """
        pages = max(64, self._limits.max_bytes // _PAGE_BYTES)
        db.execute(f"PRAGMA max_page_count = {pages if documents else pages + max(64, pages // 20)}")

    def _measure(self, db: sqlite3.Connection) -> None:
        pages = db.execute("PRAGMA page_count").fetchone()[0] - db.execute("PRAGMA freelist_count").fetchone()[0]
        self._measured = pages * db.execute("PRAGMA page_size").fetchone()[0]
        self._since_measured = 0

    def _append(
        self, db: sqlite3.Connection, groups: Sequence[Sequence[Named]], new: _New
    ) -> list[list[Stored | SztabError]]:
        known = known_rows(db, [document for group in groups for document, _, _ in group])
        answers: list[list[Stored | SztabError]] = []
        for group in groups:
            given: list[Stored | SztabError] = []
            refused: Unavailable | None = None
            for document, digest, entry in group:
                found = known.get(document)
                refused = refused or (None if found else self._refusal(len(entry.body) + new.bytes, entry.emergency))
                if refused:
                    given.append(refused)
                    continue
                if found is None:
                    found = new.add(document, digest, entry, seal_body(self._cipher, document, entry.body))
                    known[document] = found._replace(repeated=True)
                given.append(found)
                if entry.cursor is not None:
                    note(db, (entry.source, entry.cursor))
            answers.append(given)
        insert(db, new.documents, new.bodies)
        return answers

    def _refusal(self, size: int, emergency: bool) -> Unavailable | None:  # noqa: FBT001 - private, one caller
        limit = self._limits.refuse if emergency else self._limits.ordinary
        if self._measured + self._since_measured + size <= limit * self._limits.max_bytes:
            return None
        return Unavailable(Code.JOURNAL_FULL, "the journal has no room for this source")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)

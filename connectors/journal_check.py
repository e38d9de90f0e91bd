"""The check of a journal: which rows are damaged, and how. Pure but for reading; goes on over what cannot be read."""

import re
import sqlite3
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.journal_rows import FIRST_LINK, checksum, document_id, link, open_body
from connectors.journal_scan import Read, is_damage, known_rows, read_rows
from connectors.journal_sql import digest_of
from schemas.errors import Rejected

_DOCUMENTS: Final = (
    "SELECT row, document_id, received_ms, sha256, chain, checksum, far_system, occurrence, {held} FROM documents"
)
_BODIES: Final = "SELECT row, body FROM bodies"
# SQLite's check ends after a hundred lines if not told otherwise; one wrong key in an index hides half of its rows.
_LINES: Final = 1_000_000_000
_OF_ROW: Final = re.compile(r"row (\d+) (missing from index \w+)$")


class Fault(NamedTuple):
    """Something that the check of the journal found: which row, which document, what.

    `row` 0: not of one row but of the file. `document_id` is empty where nothing tells it any more.
    """

    row: int
    document_id: str
    what: str


class Keys(NamedTuple):
    """What opens bodies and makes document ids; without them chain and checksums alone are checked."""

    bodies: AESGCM
    ids: bytes


def check(db: sqlite3.Connection, keys: Keys | None) -> Iterator[Fault]:
    """Every fault, rows in order, then those of the file: torn or misplaced pages, indexes that do not fit."""
    held = "held" if _has_column(db, "documents", "held") else "0"
    walk = _Walk(*_beginning(db))
    rows = known_rows(db)
    bodies = _Bodies(read_rows(db, _BODIES, rows))
    for read in read_rows(db, _DOCUMENTS.format(held=held), rows):
        fault = walk.step(read)
        if fault is not None:
            yield fault
        body = bodies.of(read.row)
        if read.values is not None:
            what = _body_fault(read.values, body, keys)
            if what:
                yield Fault(read.row, _text(read.values[1]) or read.document_id, what)
    yield from _file_faults(db)


class _Walk:
    """Goes along the chain. A row is held against every value that the one before may have had."""

    def __init__(self, last: int, chain: bytes, begins: dict[int, int]) -> None:
        self._expected, self._begins = last, begins
        self._before: tuple[bytes, ...] = (chain,)

    def step(self, read: Read) -> Fault | None:
        """What is wrong with the row, or with the numbers before it."""
        row, expected = read.row, self._expected + 1
        self._expected = row
        if row != expected and self._begins.get(row) != expected - 1:
            self._go_on(read)
            return Fault(expected, "", f"rows {expected} to {row - 1} are missing")
        if read.values is None:
            self._before = ()
            what = "the row cannot be read: its page is damaged" if read.error else "the row is missing"
            return Fault(row, read.document_id, what)
        return self._go_on(read)

    def _go_on(self, read: Read) -> Fault | None:
        if read.values is None:
            self._before = ()
            return None
        row, document, received_ms, digest, stored, *_ = read.values
        try:
            own = tuple(link(before, row, document, digest, received_ms) for before in self._before)
        except (TypeError, ValueError, OverflowError, AttributeError):
            self._before = (stored,) if isinstance(stored, bytes) else ()
            return Fault(row, read.document_id, "the row's values are damaged")
        sound = not own or stored in own
        # Either the row's own chain value is wrong, or what it stands on: the next row tells which.
        self._before = (stored,) if sound else (stored, *own)
        return None if sound else Fault(row, _text(document) or read.document_id, "the chain is broken in this row")


class _Bodies:
    """Bodies in row order beside the documents in row order."""

    def __init__(self, reads: Iterator[Read]) -> None:
        self._reads, self._next = reads, next(reads, None)

    def of(self, row: int) -> Read | None:
        """The body's reading of that row; rows are asked for in order."""
        while self._next is not None and self._next.row < row:
            self._next = next(self._reads, None)
        return self._next if self._next is not None and self._next.row == row else None


def _body_fault(values: tuple[Any, ...], body: Read | None, keys: Keys | None) -> str | None:
    _, document, _, digest, _, stored_sum, far_system, occurrence, held = values
    if keys is not None and _named(keys.ids, far_system, digest, occurrence) != document:
        return "the document id is not that of its far system, digest and occurrence"
    if body is not None and body.error:
        return "the sealed bytes cannot be read: their page is damaged"
    sealed = body.values[1] if body is not None and body.values is not None else None
    if sealed is None:
        return "the sealed bytes are missing" if held == 1 else None
    if checksum(sealed) != stored_sum:
        return "the checksum of the sealed bytes is wrong"
    if keys is None:
        return None
    try:
        opened = open_body(keys.bodies, document, sealed)
    except Rejected:
        return "the sealed bytes do not open"
    return None if digest_of(opened) == digest else "the bytes are not those of the digest"


def _named(ids: bytes, far_system: Any, digest: Any, occurrence: Any) -> str:
    try:
        return document_id(ids, far_system, digest.hex(), occurrence)
    except (TypeError, ValueError, AttributeError):
        return ""


def _beginning(db: sqlite3.Connection) -> tuple[int, bytes, dict[int, int]]:
    """Row and chain value before the first row, and where epochs begin: row -> row before it."""
    begins: dict[int, int] = {}
    try:
        if _has_column(db, "epochs", "row"):
            begins = dict(db.execute("SELECT row, previous_row FROM epochs"))
        anchor = db.execute("SELECT row, chain FROM anchor").fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        anchor = None
    row, chain = anchor or (0, FIRST_LINK)
    return row, chain, begins


def _file_faults(db: sqlite3.Connection) -> Iterator[Fault]:
    """SQLite's own check of pages, trees and indexes. Its lines name pages and rows, never values."""
    try:
        for (line,) in db.execute(f"PRAGMA integrity_check({_LINES})"):
            yield from (_file_fault(db, part) for part in str(line).split("\n") if part != "ok")
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        yield _file_fault(db, str(error))


def _file_fault(db: sqlite3.Connection, line: str) -> Fault:
    """A line of SQLite's check; one about a row's entry in an index is that row's."""
    found = _OF_ROW.match(line)
    if found is None:
        return Fault(0, "", f"the file: {line}")
    row = int(found[1])
    (read,) = read_rows(db, "SELECT row, document_id FROM documents", {row: ""})
    return Fault(row, _text(read.values[1]) if read.values else "", f"the row is {found[2]}")


def _has_column(db: sqlite3.Connection, table: str, column: str) -> bool:
    return any(name == column for _, name, *_ in db.execute(f"PRAGMA table_info({table})"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

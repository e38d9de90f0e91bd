"""A new epoch of a journal: what a restored copy begins with, before anything is published from it. Blocking.

The topics know more than yesterday's journal. What the copy does not mark as published may have been published and
dispatched long ago, so nothing of it leaves by itself: it is held, in quarantine, for a person. The epoch is a row of
its own: the chain says where it begins, and its quarantine record names the gap to whoever looks there.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.journal_rows import (
    FIRST_LINK,
    GAP_CODE,
    HELD_CODE,
    Entry,
    Mark,
    RowState,
    Verdict,
    document_id,
    link,
    seal_body,
)
from connectors.journal_sql import digest_of, insert, note, prepare, row_values
from schemas.errors import Code, Unavailable
from schemas.privacy import derive

SOURCE: Final = "restore"
"""What the journal calls the source of the row that begins an epoch."""
FAR_SYSTEM: Final = "sztab"
ROWS: Final = 10**9
"""Row numbers of an epoch begin at a multiple of this, one more, so that no number names two documents of a node."""
_MARGIN: Final = 10**8
HELD_DETAIL: Final = "not marked as published when the backup was made; it may have been, and dispatched"


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch that begins: its number and row, the last row of the old one, how many rows are held, and the gap.

    What the far sides were answered in the gap is not in this journal, though the topics may have it.
    """

    number: int
    row: int
    previous_row: int
    held: int
    gap_from: datetime
    gap_to: datetime


def begin_epoch(path: Path, installation: bytes, gap_from: datetime, gap_to: datetime) -> Epoch:
    """Begin a new epoch in a journal file that no intake has open; all of it in one durable transaction.

    Unavailable when the file cannot be written, Rejected when the key is not its own.
    """
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL")
        prepare(db)
        db.execute("BEGIN IMMEDIATE")
        epoch, chain = _next(db, gap_from, gap_to)
        _hold(db)
        _begin(db, installation, epoch, chain)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"no epoch can begin in {path}: {error}") from error
    finally:
        db.close()
    return epoch


def _next(db: sqlite3.Connection, gap_from: datetime, gap_to: datetime) -> tuple[Epoch, bytes]:
    last = db.execute("SELECT row, chain FROM documents ORDER BY row DESC LIMIT 1").fetchone()
    last = last or db.execute("SELECT row, chain FROM anchor").fetchone() or (0, FIRST_LINK)
    number = int(db.execute("SELECT COALESCE(MAX(epoch), 1) FROM epochs").fetchone()[0]) + 1
    waiting = int(db.execute("SELECT COUNT(*) FROM documents WHERE state = 0").fetchone()[0])
    row = ((last[0] + _MARGIN) // ROWS + 1) * ROWS + 1
    return Epoch(number, row, last[0], waiting, gap_from.astimezone(UTC), gap_to.astimezone(UTC)), last[1]


def _hold(db: sqlite3.Connection) -> None:
    """Rows that still had to be published go to quarantine instead; their ids stay what they are."""
    verdict = Verdict(HELD_CODE, HELD_DETAIL).to_json()
    pending, received = int(RowState.QUARANTINE_PENDING), int(RowState.RECEIVED)
    db.execute("UPDATE documents SET state = ?, verdict = ? WHERE state = ?", (pending, verdict, received))


def _begin(db: sqlite3.Connection, installation: bytes, epoch: Epoch, chain: bytes) -> None:
    """The row of the epoch: a document of our own, sealed and chained as any other, set aside with the gap's times."""
    told = {
        "epoch": epoch.number,
        "previous_row": epoch.previous_row,
        "gap_from": epoch.gap_from.isoformat(),
        "gap_to": epoch.gap_to.isoformat(),
        "held": epoch.held,
    }
    body = orjson.dumps(told)
    digest = digest_of(body)
    entry = Entry(SOURCE, FAR_SYSTEM, body, "application/json", f"epoch {epoch.number}")
    document = document_id(derive(installation, "ids"), entry.far_system, digest.hex(), entry.occurrence)
    sealed = seal_body(AESGCM(derive(installation, "journal")), document, body)
    at_ms = round(epoch.gap_to.timestamp() * 1000)
    linked = link(chain, epoch.row, document, digest, at_ms)
    insert(db, [row_values(epoch.row, document, digest, entry, at_ms, linked, sealed)], [(epoch.row, sealed)])
    note(db, Mark(epoch.row, RowState.QUARANTINE_PENDING, verdict=Verdict(GAP_CODE, _gap(epoch))))
    db.execute(
        "INSERT INTO epochs (epoch, row, previous_row, gap_from_ms, gap_to_ms) VALUES (?, ?, ?, ?, ?)",
        (epoch.number, epoch.row, epoch.previous_row, round(epoch.gap_from.timestamp() * 1000), at_ms),
    )


def _gap(epoch: Epoch) -> str:
    return (
        f"epoch {epoch.number} was restored from a backup: what was received from"
        f" {epoch.gap_from.isoformat(timespec='seconds')} to {epoch.gap_to.isoformat(timespec='seconds')} is not in"
        f" this journal; {epoch.held} older rows are held"
    )

"""Reads a journal over pages that cannot be read: row by row, from whichever of its b-trees still answers. Blocking.

SQLite refuses a whole statement when it meets a damaged page ("database disk image is malformed"). A row stands in the
table, its number and document id in an index beside, its bytes in a second table: what one tree lost another may know.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

_CHUNK: Final = 500
_FILLED: Final = 100_000
"""A gap of more numbers than this is not probed number by number."""
_TABLE: Final = "SELECT row, document_id FROM documents NOT INDEXED ORDER BY row"
_BODIES: Final = "SELECT row, NULL FROM bodies ORDER BY row"
_INDEX: Final = "SELECT row, document_id FROM documents INDEXED BY sqlite_autoindex_documents_1 ORDER BY document_id"
UNSETTLED: Final = "SELECT row FROM documents INDEXED BY unsettled WHERE state IN (0, 2) AND row > ? ORDER BY row"


class Read(NamedTuple):
    """A row number and its values: None when no such row is there, and `error` when it cannot be read.

    `document_id` is what any tree says of it; empty when none does.
    """

    row: int
    document_id: str
    values: tuple[Any, ...] | None
    error: bool = False


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is damaged, and not busy, full or gone: others of its rows may be readable."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "decode to UTF-8" in str(error)


def known_rows(db: sqlite3.Connection) -> dict[int, str]:
    """Every row number that the file may hold, in order, with the document id where one is known.

    A tree that breaks off is read from its other end too; then the index is asked, and the numbers between two known
    ones are added.
    """
    found: dict[int, str] = {}
    whole = [_collect(db, tree, found) or _backwards(db, tree, found) for tree in (_TABLE, _BODIES)]
    broken = not all(whole) or not found
    if broken:
        for tree in (_INDEX, f"{_INDEX} DESC"):
            _collect(db, tree, found)
    for one, other in pairwise(sorted(found)) if broken else ():
        if other - one <= _FILLED:
            found |= dict.fromkeys(range(one + 1, other), "")
    return dict(sorted(found.items()))


def read_rows(db: sqlite3.Connection, select: str, rows: dict[int, str]) -> Iterator[Read]:
    """The values of `select` (a statement whose first column is `row`, without WHERE) for the given rows, in order.

    In blocks; what is left of a block that breaks off goes row by row.
    """
    numbers = list(rows)
    for start in range(0, len(numbers), _CHUNK):
        some = numbers[start : start + _CHUNK]
        done = 0
        try:
            for found in db.execute(f"{select} WHERE row BETWEEN ? AND ? ORDER BY row", (some[0], some[-1])):
                while done < len(some) and some[done] < found[0]:
                    yield Read(some[done], rows[some[done]], None)
                    done += 1
                if done < len(some) and some[done] == found[0]:
                    yield Read(some[done], rows[some[done]], tuple(found))
                    done += 1
            yield from (Read(row, rows[row], None) for row in some[done:])
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            yield from (_one(db, select, row, rows[row]) for row in some[done:])


def unsettled_rows(db: sqlite3.Connection, after_row: int, limit: int) -> dict[int, str]:
    """Numbers of rows that may still have to be published: those of their index, or all when that is damaged."""
    try:
        rows = [row for (row,) in db.execute(f"{UNSETTLED} LIMIT ?", (after_row, limit))]
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return {row: known for row, known in known_rows(db).items() if row > after_row}
    return dict.fromkeys(rows, "")


def named(db: sqlite3.Connection, row: int) -> str:
    """The document id of a row whose table page is damaged, from the index; empty when that does not tell."""
    found: dict[int, str] = {}
    for tree in (_INDEX, f"{_INDEX} DESC"):
        _collect(db, tree, found)
    return found.get(row, "")


def _collect(db: sqlite3.Connection, tree: str, found: dict[int, str]) -> bool:
    """Take in what the tree tells until it breaks off; whether it was read to its end."""
    try:
        for row, document in db.execute(tree):
            if isinstance(row, int):
                found[row] = document if isinstance(document, str) else found.get(row, "")
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return False
    return True


def _backwards(db: sqlite3.Connection, tree: str, found: dict[int, str]) -> bool:
    _collect(db, f"{tree} DESC", found)
    return False


def _one(db: sqlite3.Connection, select: str, row: int, document_id: str) -> Read:
    try:
        found: Sequence[Any] | None = db.execute(f"{select} WHERE row = ?", (row,)).fetchone()
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return Read(row, document_id, None, error=True)
    return Read(row, document_id, None if found is None else tuple(found))

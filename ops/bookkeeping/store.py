"""The ledger's own database: a projection that may be deleted at any time and is then built anew from the topics.

One file of SQLite, one writer. What is open, what is settled, and how far each source was read are saved in one
transaction, so after any crash they fit together. Blocking.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import orjson

from ops.bookkeeping.book import Book, Part, decision, placed
from ops.ledger_rows import AsideRow, FactRow
from schemas.errors import Code, Unavailable

_TABLES: Final = """
CREATE TABLE told (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE open (kind INTEGER NOT NULL, id TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (kind, id))
  STRICT, WITHOUT ROWID;
CREATE TABLE settled (component INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
CREATE TABLE names (id TEXT PRIMARY KEY, component INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE aside (item TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, data BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE acts (act TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, about TEXT NOT NULL, data BLOB NOT NULL)
  STRICT, WITHOUT ROWID;
CREATE INDEX acts_about ON acts (about);
"""
VERSION: Final = 2
"""Of what stands in the tables; to be raised with every change of their meaning."""
BLOCK: Final = 500
PRUNED: Final = 5_000
_KINDS: Final = ("rows", "facts", "decisions", "receipts")


@dataclass
class Saving:
    """What one transaction saves beside the touched part of the book."""

    told: dict[str, Any]
    """Offsets, places in journals, counts: everything by its name."""
    settled: list[Part] = field(default_factory=list)
    aside: dict[str, tuple[int, AsideRow]] = field(default_factory=dict)
    acts: dict[str, tuple[int, str, Any]] = field(default_factory=dict)


class Store:
    """The open file. `of` says whose ledger it is: another installation's, or an older version's, is built anew.

    Unavailable(`journal-unavailable`) when the disk fails.
    """

    def __init__(self, path: Path, of: str) -> None:
        self.path = path
        self._mark = hashlib.sha256(f"{VERSION}|{_TABLES}|{of}".encode()).hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = self._opened()

    @property
    def empty(self) -> bool:
        """Whether nothing was saved yet."""
        return "offsets" not in self.told()

    def close(self) -> None:
        """Give the file back. Also twice."""
        self._db.close()

    def clear(self) -> None:
        """Forget everything: it is built anew."""
        self._db.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        self._db = self._opened()

    def told(self) -> dict[str, Any]:
        """What was saved by name."""
        return {name: orjson.loads(value) for name, value in self._db.execute("SELECT name, value FROM told")}

    def load(self, book: Book, now_ms: int) -> None:
        """Put back what was open, and what stands in quarantine."""
        part = Part()
        for kind, name, data in self._db.execute("SELECT kind, id, data FROM open"):
            value = orjson.loads(data)
            if kind == 0:
                part.rows[name] = placed(value)
            elif kind == 1:
                part.facts[name] = FactRow(*value)
            elif kind == 2:
                part.decisions[name] = decision(value)
            else:
                part.receipts[name] = (frozenset(value[0]), value[1])
        book.add(part, now_ms)
        for item, data in self._db.execute("SELECT item, data FROM aside"):
            book.aside.add(item, AsideRow(*orjson.loads(data)))

    def settled_with(self, names: Iterable[str]) -> list[Part]:
        """The settled components that speak of one of the names; they leave the file with the next `save`."""
        components = {component for _, component in _chosen(self._db, "id, component", "names", "id", names)}
        found = _chosen(self._db, "component, data", "settled", "component", components)
        parts = [Part.of(orjson.loads(data)) for _, data in found]
        self._db.executemany("DELETE FROM settled WHERE component = ?", [(one,) for one in components])
        self._db.executemany("DELETE FROM names WHERE id = ?", [(one,) for part in parts for one in part.names()])
        return parts

    def save(self, book: Book, saving: Saving, now_ms: int) -> None:
        """Everything that changed, in one transaction."""
        try:
            self._save(book, saving, now_ms)
            self._db.commit()
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._db.rollback()
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"the ledger's file cannot be written ({error})") from error

    def _save(self, book: Book, saving: Saving, now_ms: int) -> None:
        db, dumps = self._db, _dumps
        for part in saving.settled:
            at = db.execute("INSERT INTO settled (at_ms, data) VALUES (?, ?)", (now_ms, dumps(part.data())))
            named = [(name, at.lastrowid) for name in set(part.names())]
            db.executemany("INSERT OR REPLACE INTO names VALUES (?, ?)", named)
            gone = [(kind, one) for kind, its in enumerate(_KINDS) for one in getattr(part, its)]
            db.executemany("DELETE FROM open WHERE kind = ? AND id = ?", gone)
        changed = [
            (kind, name, dumps(_plain(getattr(book, its)[name])))
            for kind, its in enumerate(_KINDS)
            for name in book.touched
            if name in getattr(book, its)
        ]
        db.executemany("INSERT OR REPLACE INTO open VALUES (?, ?, ?)", changed)
        aside = [(item, at_ms, dumps(row)) for item, (at_ms, row) in saving.aside.items()]
        db.executemany("INSERT OR REPLACE INTO aside VALUES (?, ?, ?)", aside)
        acts = [(act, at_ms, about, dumps(data)) for act, (at_ms, about, data) in saving.acts.items()]
        db.executemany("INSERT OR REPLACE INTO acts VALUES (?, ?, ?, ?)", acts)
        told = [(name, dumps(value)) for name, value in saving.told.items()]
        db.executemany("INSERT OR REPLACE INTO told VALUES (?, ?)", told)

    def acts(self) -> list[dict[str, Any]]:
        """What the reconciler did."""
        return [orjson.loads(data) for (data,) in self._db.execute("SELECT data FROM acts ORDER BY at_ms")]

    def prune(self, before_ms: int, keep: int) -> int:
        """Let settled components go that are older, or more than so many: at most 5,000 at once. How many went."""
        newest = self._db.execute("SELECT COALESCE(MAX(component), 0) FROM settled").fetchone()[0]
        text = "SELECT component, data FROM settled WHERE at_ms < ? OR component <= ? ORDER BY component LIMIT ?"
        found = self._db.execute(text, (before_ms, newest - keep, PRUNED)).fetchall()
        for component, data in found:
            names = [(name, component) for name in Part.of(orjson.loads(data)).names()]
            self._db.executemany("DELETE FROM names WHERE id = ? AND component = ?", names)
        self._db.executemany("DELETE FROM settled WHERE component = ?", [(component,) for component, _ in found])
        for table in ("aside", "acts"):
            self._db.execute(f"DELETE FROM {table} WHERE at_ms < ?", (before_ms,))  # noqa: S608 - two names of ours
        self._db.commit()
        return len(found)

    def _opened(self) -> sqlite3.Connection:
        try:
            return self._fitting()
        except sqlite3.DatabaseError:
            # Not ours, damaged, or of another version: nothing is lost by building it anew.
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
            return self._fitting()

    def _fitting(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA cache_size = -16384")
            if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                db.executescript(_TABLES)
                db.execute("INSERT INTO told VALUES ('mark', ?)", (orjson.dumps(self._mark),))
                db.commit()
            fits = db.execute("SELECT 1 FROM told WHERE name = 'mark' AND value = ?", (orjson.dumps(self._mark),))
            if not fits.fetchone():
                _foreign()
        except BaseException:
            db.close()
            raise
        return db


class Looking:
    """The file as others read it while the role writes: `sztab ledger show`, the page. Unavailable without a file."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            self._db.execute("PRAGMA busy_timeout = 5000")
            self._db.execute("SELECT 1 FROM told")
        except sqlite3.Error:
            detail = f"no ledger is kept here ({path}); start it: sztab run ledger"
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, detail) from None

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def told(self, name: str) -> Any:
        """What was saved under a name; None when nothing was."""
        found = self._db.execute("SELECT value FROM told WHERE name = ?", (name,)).fetchone()
        return orjson.loads(found[0]) if found else None

    def settled(self, name: str) -> tuple[int, Part] | None:
        """The settled component that speaks of an id, and when it was settled (epoch ms)."""
        text = "SELECT at_ms, data FROM names JOIN settled USING (component) WHERE id = ?"
        found = self._db.execute(text, (name,)).fetchone()
        return (found[0], Part.of(orjson.loads(found[1]))) if found else None

    def open(self) -> Book:
        """Everything open, with what stands in quarantine."""
        book = Book()
        Store.load(self, book, 0)  # type: ignore[arg-type]
        return book

    def acts(self, names: Iterable[str] | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """What the reconciler did: about these ids, or the last so many."""
        if names is None:
            found = self._db.execute("SELECT at_ms, data FROM acts ORDER BY at_ms DESC LIMIT ?", (limit,)).fetchall()
        else:
            found = list(_chosen(self._db, "at_ms, data", "acts", "about", names))
        return [orjson.loads(data) for _, data in sorted(found)]


def read_only(path: Path) -> closing[Looking]:
    """The file for a `with` statement."""
    return closing(Looking(path))


def _chosen(
    db: sqlite3.Connection, columns: str, table: str, by: str, values: Iterable[str | int]
) -> Iterator[tuple[Any, ...]]:
    wanted = list(values)
    for start in range(0, len(wanted), BLOCK):
        block = wanted[start : start + BLOCK]
        marks = ",".join("?" * len(block))
        yield from db.execute(f"SELECT {columns} FROM {table} WHERE {by} IN ({marks})", block)  # noqa: S608 - as above


def _foreign() -> NoReturn:
    raise sqlite3.DatabaseError("of another version or installation")


def _dumps(value: Any) -> bytes:
    """JSON; rows are named tuples, which orjson leaves to us."""
    return orjson.dumps(value, default=list)


def _plain(value: Any) -> Any:
    """A value of the book for JSON."""
    if isinstance(value, tuple) and value and isinstance(value[0], frozenset):
        return sorted(value[0]), value[1]
    return value


def offsets_of(told: Mapping[str, Any]) -> dict[tuple[str, int], int]:
    """Topic and partition -> next offset, of what `told` keeps under `offsets`."""
    return {(topic, int(part)): at for topic, parts in told.get("offsets", {}).items() for part, at in parts.items()}

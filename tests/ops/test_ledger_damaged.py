"""A journal with a damaged page: the ledger reads what can be read, says what it does not know, and ends nothing."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ops.bookkeeping.journals import Tail, _File
from ops.ledger_sources import _from_file
from tests.connectors.damage_stage import ROWS, filled, garble


async def damaged_in(folder: Path, tree: str) -> Path:
    """A journal whose table or index of that name has lost its root page."""
    path = folder / "journal.db"
    await filled(path)
    shutil.copyfile(path, folder / "sound.db")
    with closing(sqlite3.connect(path)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (tree,)).fetchone()
    garble(path, root - 1)
    return path


async def test_a_damaged_index_hides_no_row(tmp_path: Path) -> None:
    """The table has them all, and the number of the newest."""
    path = await damaged_in(tmp_path, "sqlite_autoindex_documents_1")
    tail = Tail("n1")
    with closing(_File("n1", path)) as file:
        await tail.read(file.ask)
    assert tail.told() is not None
    assert len(tail.handed()) == ROWS
    whole = _from_file(path)
    assert whole is not None
    assert len(list(whole.rows)) == ROWS


@pytest.mark.parametrize("tree", ["epochs", "anchor"])
async def test_a_journal_that_cannot_say_what_it_lacks_is_unknown(tmp_path: Path, tree: str) -> None:
    """Nothing of it is called missing; the node counts as one that cannot be read, until it can."""
    path = await damaged_in(tmp_path, tree)
    tail = Tail("n1")
    with closing(_File("n1", path)) as file:
        await tail.read(file.ask)
    assert (tail.told() is None) == (tree == "epochs")
    assert (_from_file(path) is None) == (tree == "epochs")
    shutil.copyfile(tmp_path / "sound.db", path)
    with closing(_File("n1", path)) as file:
        await tail.read(file.ask)
    assert tail.told() is not None
    assert len(tail.handed()) == ROWS

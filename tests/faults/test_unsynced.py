"""Power loss: what was answered comes back though every unsynced write is gone; without syncs it does not."""

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.journal import Journal
from connectors.journal_reader import JournalReader
from connectors.journal_store import JournalStore
from ops.prove import unsynced
from ops.prove.unsynced import Lost
from schemas.errors import Unavailable
from tests.connectors.journal_stage import KEY, entry
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(bool(unsynced.why_not()), reason=unsynced.why_not() or "reachable")
ENOUGH = 30


class Machine:
    """A folder with a journal, its images, and what a child on it was answered."""

    def __init__(self, folder: Path, synchronous: str = "FULL") -> None:
        self.journal, self.images, self.synchronous = folder / "journal", folder / "images", synchronous
        self.answered: dict[str, int] = {}
        self.first = 0

    def until_killed(self, after_answers: int, at_sync: int = -1) -> None:
        """Run a child, kill it after so many answers (or at its n-th sync), take in all that it was answered."""
        command = [sys.executable, "-m", "tests.faults.unsynced_child", str(self.journal), str(self.images)]
        told = self.journal.with_name("answers")
        with told.open("wb") as out:
            child = subprocess.Popen([*command, str(self.first), self.synchronous, str(at_sync)], stdout=out)
            try:
                wait_until(
                    lambda: child.poll() is not None or told.read_bytes().count(b"\n") >= after_answers, 60, "answers"
                )
            finally:
                child.kill()
                child.wait()
        lines = told.read_text().split("\n")[:-1]
        self.answered |= {line.split()[2]: int(line.split()[1]) for line in lines}
        self.first += 1_000_000

    def lose_power(self, some: random.Random | None = None) -> Lost:
        """Everything unsynced is gone."""
        return unsynced.lose_power(self.journal, self.images, some)

    def missing(self) -> list[str]:
        """What was answered and is not there; also fails on any damage to what is."""
        if not (self.journal / "journal.db").exists():
            return list(self.answered)
        try:
            reader = JournalReader(self.journal / "journal.db", KEY)
            try:
                assert list(reader.verify()) == []
                kept = {one.document_id: one.row for one in reader.ids(0, 1_000_000)}
            finally:
                reader.close()
        except (sqlite3.Error, Unavailable):
            kept = {}
        return [document for document, row in self.answered.items() if kept.get(document) != row]


@pytest.mark.parametrize("torn", [False, True], ids=["all is lost", "sectors stay by chance"])
def test_what_was_answered_survives_power_loss(tmp_path: Path, torn: bool) -> None:
    """Six kills on one journal, with checkpoints and trimming between: every answered row is there, the chain holds."""
    chance, machine, lost = random.Random(7), Machine(tmp_path), 0
    for turn in range(6):
        at_sync = chance.randint(20, 120) if turn % 2 else -1
        machine.until_killed(chance.randint(ENOUGH, 10 * ENOUGH) if at_sync < 0 else 10**6, at_sync)
        lost += machine.lose_power(chance if torn else None).writes
        assert machine.missing() == []
    assert lost > 0, "no write was unsynced: this run proves nothing"
    assert len(machine.answered) > 6 * ENOUGH


def test_a_build_that_does_not_sync_is_convicted(tmp_path: Path) -> None:
    """The same with `synchronous=OFF`: answered rows are gone."""
    machine = Machine(tmp_path, "OFF")
    machine.until_killed(ENOUGH)
    lost = machine.lose_power()
    assert lost.writes > 0
    assert lost.bytes > ENOUGH * 3_000
    assert len(machine.missing()) >= ENOUGH


async def test_a_journal_closed_in_peace_is_whole(tmp_path: Path) -> None:
    """After a clean end nothing but bookkeeping of SQLite is unsynced, and the journal opens from its images."""
    with unsynced.installed(tmp_path / "images"):
        journal = Journal(tmp_path / "journal" / "journal.db", KEY)
        await journal.start()
        for number in range(40):
            await journal.append(entry(f"{number} " + "x" * 20_000))
        await journal.close()
    unsynced.lose_power(tmp_path / "journal", tmp_path / "images")
    store = JournalStore(tmp_path / "journal" / "journal.db", KEY, journal.limits)
    assert store.last_row == 40
    store.close()


def test_a_write_without_sync_is_lost_and_counted(tmp_path: Path) -> None:
    """The layer itself: what was synced stays byte for byte, what was not is gone, a new file never synced too."""
    folder = tmp_path / "data"
    folder.mkdir()
    with unsynced.installed(tmp_path / "images"):
        db = sqlite3.connect(folder / "one.db", isolation_level=None)
        db.execute("CREATE TABLE t (x)")
        before = (folder / "one.db").read_bytes()
        db.execute("PRAGMA synchronous = OFF")
        db.execute("INSERT INTO t VALUES (zeroblob(20000))")
        never = sqlite3.connect(folder / "never.db", isolation_level=None)
        never.execute("PRAGMA synchronous = OFF")
        never.execute("CREATE TABLE t (x)")
        db.close()
        never.close()
    lost = unsynced.lose_power(folder, tmp_path / "images")
    assert (folder / "one.db").read_bytes() == before
    assert not (folder / "never.db").exists()
    assert (lost.files, lost.writes > 3, lost.bytes > 20_000) == (4, True, True), (
        "two files and their rollback journals"
    )
    assert unsynced.lose_power(folder, tmp_path / "images").writes == 0


def test_a_full_disk_of_the_layer_refuses_growth_and_recovers(tmp_path: Path) -> None:
    """`fill_disk` makes SQLite say that the disk is full, `NO_SYNC` that it cannot be synced; `free_disk` ends both."""
    images = tmp_path / "images"
    with unsynced.installed(images):
        db = sqlite3.connect(tmp_path / "one.db", isolation_level=None)
        db.execute("CREATE TABLE t (x)")
        for how, name in ((unsynced.FULL_DISK, "SQLITE_FULL"), (unsynced.NO_SYNC, "SQLITE_IOERR_FSYNC")):
            unsynced.fill_disk(images, how)
            with pytest.raises(sqlite3.OperationalError) as refused:
                db.execute("INSERT INTO t VALUES (zeroblob(20000))")
            assert refused.value.sqlite_errorname == name
            unsynced.free_disk(images)
            db.execute("INSERT INTO t VALUES (zeroblob(20000))")
        assert db.execute("SELECT count(*) FROM t").fetchone() == (2,)
        db.close()

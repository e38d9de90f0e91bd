"""The journal: nothing is answered with yes that is not durable, and nothing kept is lost, changed or doubled."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.journal import Journal
from connectors.journal_reader import JournalReader
from connectors.journal_rows import Mark, RowState, StoredKey, Verdict
from schemas.errors import Code, Misconfigured
from tests.connectors.journal_stage import KEY, entry


async def test_durable_before_the_answer(journal: Journal, tmp_path: Path) -> None:
    """When append returns, another process can read the row, and its bytes are untouched."""
    stored = await journal.append(entry("Zażółć\0 \xff", content_type="text/plain", context={"peer": "x"}))
    reader = JournalReader(tmp_path / "journal.db", KEY)
    row = reader.document(stored.document_id)
    reader.close()
    assert row is not None
    assert row.body == "Zażółć\0 \xff".encode()
    assert (row.content_type, row.context, row.stored.row) == ("text/plain", {"peer": "x"}, stored.row)


async def test_sealed_on_disk(journal: Journal, tmp_path: Path) -> None:
    """No file of the journal shows what a document says."""
    await journal.append(entry("a very secret sentence"))
    assert all(b"secret sentence" not in file.read_bytes() for file in tmp_path.iterdir())  # noqa: ASYNC240


async def test_same_document_same_row(journal: Journal) -> None:
    """Equal bytes of one far system are one row, also at the same moment; another occurrence is another row."""
    first, again, other = await asyncio.gather(
        journal.append(entry("x")), journal.append(entry("x")), journal.append(entry("x", occurrence="2"))
    )
    assert (first.row, first.document_id) == (again.row, again.document_id)
    assert (first.repeated, again.repeated) == (False, True)
    assert other.document_id != first.document_id
    assert journal.last_row == 2


async def test_rows_follow_the_order_of_calls(journal: Journal) -> None:
    """Rows are numbered without gaps in the order in which documents were given."""
    stored = await asyncio.gather(*(journal.append(entry(str(n))) for n in range(500)))
    assert [one.row for one in stored] == list(range(1, 501))
    assert await journal.verify() == []


async def test_cursor_with_the_row(journal: Journal) -> None:
    """A source's cursor is what its last durable row carried."""
    await journal.append_all([entry("a", cursor="1"), entry("b", cursor="2")])
    assert await journal.cursor("s") == "2"
    await journal.append(entry("a", cursor="1"))
    assert await journal.cursor("s") == "1", "a repeat after a restart moves the cursor as the source says"


async def test_marks_and_unpublished(journal: Journal) -> None:
    """What is marked published or quarantined is not given again; what waits is, in row order, with its verdict."""
    rows = [await journal.append(entry(str(n))) for n in range(4)]
    verdict = Verdict(Code.SYNTAX_INVALID, "not JSON", "/a")
    await journal.note(Mark(rows[0].row, RowState.PUBLISHED, (("r1", "Report"),), "t1"))
    await journal.set_aside(rows[2].row, verdict)
    await journal.note(Mark(rows[3].row, RowState.QUARANTINED, verdict=verdict))
    waiting = await journal.unpublished(0, 10)
    assert [(row.stored.row, row.stored.verdict) for row in waiting] == [(2, None), (3, verdict)]
    assert await journal.backlog() == 2
    ids = await journal.ids(0, 10)
    assert [(one.row, one.state, one.reports) for one in ids] == [
        (1, RowState.PUBLISHED, (("r1", "Report"),)),
        (2, RowState.RECEIVED, ()),
        (3, RowState.QUARANTINE_PENDING, ()),
        (4, RowState.QUARANTINED, ()),
    ]
    again = await journal.append(entry("3"))
    assert (again.state, again.verdict) == (RowState.QUARANTINED, verdict)


async def test_first_key_stays(journal: Journal) -> None:
    """A thread's key is written once; later writes only tell that it was published."""
    await journal.note(StoredKey("t", "t/1", b"n", b"first"))
    await journal.note(StoredKey("t", "t/2", b"m", b"second", published=True))
    assert await journal.key("t") == StoredKey("t", "t/1", b"n", b"first", published=True)
    assert await journal.key("other") is None


async def test_survives_a_restart(tmp_path: Path) -> None:
    """After close and open the rows go on where they were and the chain holds."""
    for turn in range(3):
        journal = Journal(tmp_path / "j.db", KEY)
        await journal.start()
        stored = await journal.append(entry(str(turn)))
        assert stored.row == turn + 1
        assert await journal.verify() == []
        await journal.close()


async def test_one_process_only(journal: Journal, tmp_path: Path) -> None:
    """A second writer on the same journal is refused, with the file's name."""
    with pytest.raises(Misconfigured, match=r"journal\.db is in use"):
        Journal(tmp_path / "journal.db", KEY)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE bodies SET body = zeroblob(40) WHERE row = 3", "checksum"),
        ("UPDATE documents SET sha256 = x'00' WHERE row = 3", "chain"),
        ("UPDATE documents SET received_ms = received_ms - 1 WHERE row = 3", "chain"),
        ("DELETE FROM documents WHERE row = 3", "missing"),
    ],
)
async def test_verify_names_what_was_changed(journal: Journal, tmp_path: Path, change: str, what: str) -> None:
    """A flipped byte, another digest or time, a row taken out: found and named; the neighbours are still served."""
    rows = [await journal.append(entry(str(n))) for n in range(5)]
    db = sqlite3.connect(tmp_path / "journal.db")
    db.execute(change)
    db.commit()
    db.close()
    faults = await journal.verify()
    assert any(what in fault.what for fault in faults)
    assert {fault.row for fault in faults} <= {3, 4}
    assert await journal.document(rows[4].document_id) is not None


async def test_backup_while_writing(journal: Journal, tmp_path: Path) -> None:
    """A copy made during writes is a journal by itself: chain unbroken, rows a prefix of the original's."""
    writes = [asyncio.ensure_future(journal.append(entry(str(n)))) for n in range(300)]
    await writes[0]
    await journal.backup(tmp_path / "copy.db")
    await asyncio.gather(*writes)
    copy = JournalReader(tmp_path / "copy.db", KEY)
    assert list(copy.verify()) == []
    assert 1 <= copy.last_row() <= 300
    copy.close()


CHILD = """
import asyncio, sys
from pathlib import Path
from connectors.journal import Journal
from connectors.journal_rows import Entry

async def main():
    journal = Journal(Path(sys.argv[1]), bytes(range(32)))
    await journal.start()
    async def caller(n):
        while True:
            n += 8
            stored = await journal.append(Entry("s", "far", b"%d" % n))
            print(stored.document_id, flush=True)
    await asyncio.gather(*(caller(n) for n in range(8)))

asyncio.run(main())
"""


def test_kill_loses_nothing_answered(tmp_path: Path) -> None:
    """After SIGKILL in the middle of commits every document that was answered is there, and the chain holds."""
    path = tmp_path / "j.db"
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        answered = [child.stdout.readline().strip() for _ in range(200)]
        child.send_signal(signal.SIGKILL)
        answered += [line.strip() for line in child.stdout if len(line) == 37]
    reader = JournalReader(path, KEY)
    assert list(reader.verify()) == []
    kept = {one.document_id for one in reader.ids(0, 1_000_000)}
    reader.close()
    assert len(answered) >= 200
    assert set(answered) <= kept

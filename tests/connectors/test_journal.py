"""The journal: nothing is answered with yes that is not durable, and nothing kept is lost, changed or doubled."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.journal import Journal
from connectors.journal_reader import JournalReader
from connectors.journal_rows import Entry, Mark, RowState, Stored, StoredKey, Verdict
from connectors.journal_store import Limits
from schemas.errors import Code, Misconfigured, Unavailable

KEY = bytes(range(32))


def entry(text: str, **more) -> Entry:
    """A document of a test's source."""
    return Entry(source="s", far_system="far", body=text.encode(), **more)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """An empty journal that runs."""
    one = Journal(tmp_path / "journal.db", KEY)
    await one.start()
    yield one
    await one.close()


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


async def until_refused(journal: Journal, **more) -> list[Stored]:
    """Append documents of 10 kB until there is no room; those that were kept."""
    kept: list[Stored] = []
    try:
        while True:
            kept.append(await journal.append(entry(os.urandom(5000).hex(), **more)))
    except Unavailable as refused:
        assert refused.code is Code.JOURNAL_FULL  # noqa: PT017 - what was kept before matters too
    return kept


async def filled(tmp_path: Path, now: list[float], **limits) -> tuple[Journal, list[Stored]]:
    """A journal of 1 MiB filled by an ordinary source, with a clock that the test moves."""
    journal = Journal(tmp_path / "j.db", KEY, Limits(max_bytes=1 << 20, **limits), clock=lambda: now[0])
    await journal.start()
    return journal, await until_refused(journal)


async def test_full_spares_room_for_emergencies(tmp_path: Path) -> None:
    """Beyond 80 % only emergency sources are taken, beyond 95 % nobody; the alarm stands from 70 %."""
    journal, kept = await filled(tmp_path, [1000.0])
    assert journal.alarm
    assert 0.7 < journal.fill <= 0.8
    assert (await journal.append(entry("urgent", emergency=True))).row == len(kept) + 1
    assert await until_refused(journal, emergency=True)
    assert journal.fill <= 0.95
    assert await journal.verify() == []
    await journal.close()


async def test_refusal_stops_the_group(tmp_path: Path) -> None:
    """When one document of a batch has no room the later ones are refused too, and the cursor stays before it."""
    journal, kept = await filled(tmp_path, [1000.0])
    answers = await journal.append_all([entry("y" * 50_000, cursor="1"), entry("z", cursor="2")])
    assert [getattr(answer, "code", None) for answer in answers] == [Code.JOURNAL_FULL] * 2
    assert await journal.cursor("s") is None
    assert journal.last_row == len(kept)
    await journal.close()


async def test_trims_published_never_unpublished(tmp_path: Path) -> None:
    """Room is made from old published bytes alone, unpublished ones stay whatever their age; the chain still holds."""
    now = [1000.0]
    journal, kept = await filled(tmp_path, now, keep_seconds=60.0, keep_longest_seconds=600.0)
    await journal.note(*(Mark(one.row, RowState.PUBLISHED) for one in kept[1:]))
    now[0] += 61
    journal._store.trim()
    assert journal.fill < 0.3
    first, second = await journal.document(kept[0].document_id), await journal.document(kept[1].document_id)
    assert first is not None
    assert first.body is not None
    assert second is not None
    assert second.body is None
    await journal.append(entry("room again"))
    assert await journal.verify() == []
    now[0] += 3600
    journal._store.trim()
    assert len(await journal.ids(0, 1000)) == len(kept) + 1, "rows behind an unpublished one stay for the chain"
    await journal.note(Mark(kept[0].row, RowState.PUBLISHED))
    journal._store.trim()
    journal._store.trim()
    assert [one.row for one in await journal.ids(0, 1000)] == [len(kept) + 1]
    assert await journal.verify() == []
    await journal.close()


async def test_disk_error_is_never_a_yes(journal: Journal) -> None:
    """A failing file answers Unavailable; the next append opens it anew and goes on in the chain."""
    await journal.append(entry("1"))
    assert journal._store._db is not None
    journal._store._db.close()
    with pytest.raises(Unavailable) as refused:
        await journal.append(entry("2"))
    assert refused.value.code is Code.JOURNAL_UNAVAILABLE
    assert (await journal.append(entry("3"))).row == 2
    assert await journal.verify() == []


async def test_a_full_disk_is_never_a_yes(tmp_path: Path) -> None:
    """When SQLite itself runs out of pages the append is refused, and nothing half is left."""
    journal = Journal(tmp_path / "j.db", KEY, Limits(max_bytes=64 * 4096, refuse=9.0, ordinary=9.0))
    await journal.start()
    await until_refused(journal)
    assert await journal.verify() == []
    await journal.close()


async def test_one_impossible_document_spares_its_neighbours(journal: Journal) -> None:
    """A document that SQLite cannot hold is refused alone, though it shared a commit with others."""
    answers = await asyncio.gather(
        journal.append(entry("good")),
        journal.append(entry("bad", content_type="\ud800")),
        journal.append(entry("also good")),
        return_exceptions=True,
    )
    assert isinstance(answers[1], Unavailable)
    assert [one.row for one in answers if isinstance(one, Stored)] == [1, 2]


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

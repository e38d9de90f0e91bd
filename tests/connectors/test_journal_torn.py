"""Torn writes: a journal starts on a torn log, on a half-written page, and writes beside a damaged one."""

import asyncio
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.contract import Document
from connectors.journal import Journal
from connectors.journal_rows import Mark, RowState, Stored
from connectors.marking import kept_marks
from schemas.errors import Code, Unavailable
from tests.connectors.broker_double import FakeBroker
from tests.connectors.damage_stage import PAGE, ROWS, filled, garble, leaf_with, of_row, published, set_aside
from tests.connectors.intake_stage import node
from tests.connectors.journal_stage import KEY, entry
from tests.waiting import until


async def crashed(tmp_path: Path, rows: int) -> tuple[Path, list[Stored]]:
    """The files of a journal as a killed process leaves them, its log not folded in."""
    journal = Journal(tmp_path / "running" / "j.db", KEY)
    await journal.start()
    kept = [await journal.append(entry(f"{number} " + "x" * 900)) for number in range(rows)]
    (tmp_path / "crashed").mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(tmp_path / "running" / f"j.db{suffix}", tmp_path / "crashed" / f"j.db{suffix}")
    await journal.close()
    return tmp_path / "crashed" / "j.db", kept


@pytest.mark.parametrize("how", ["cut", "garbled", "zeroed"])
async def test_starts_on_a_torn_log(tmp_path: Path, how: str) -> None:
    """The log's tail lost or garbled at twenty places: what was synced before is there, the chain holds, it goes on."""
    path, rows = await crashed(tmp_path, 60)
    raw = path.with_name("j.db-wal").read_bytes()
    chance, seen = random.Random(how), set()
    for turn in range(20):
        folder = tmp_path / f"{turn}"
        folder.mkdir()
        shutil.copyfile(path, folder / "j.db")
        at = chance.randrange(len(raw) // 2, len(raw))
        tail = {"cut": b"", "garbled": chance.randbytes(len(raw) - at), "zeroed": bytes(len(raw) - at)}[how]
        (folder / "j.db-wal").write_bytes(raw[:at] + tail)
        journal = Journal(folder / "j.db", KEY)
        await journal.start()
        last = journal.last_row
        seen.add(last)
        assert await journal.verify() == []
        ids = [one.document_id for one in await journal.ids(0, 100)]
        assert ids == [one.document_id for one in rows[:last]]
        assert (await journal.append(entry("later"))).row == last + 1
        assert await journal.verify() == []
        await journal.close()
    assert len(seen) > 3


@pytest.mark.parametrize("how", ["half", "garbled"])
async def test_starts_on_a_half_written_page(tmp_path: Path, how: str) -> None:
    """The newest rows' page torn: the damaged file is kept, the journal goes on with all other rows.

    The lost rows are named and go to quarantine, no other row gets their numbers, and sent again they are taken.
    """
    path = tmp_path / "journal.db"
    broker = FakeBroker(reachable=False)
    async with node(tmp_path, broker) as one:
        bodies = [b'{"cpr_id": "PL-%d"}' % number for number in range(40)]
        entries = [one.runner.feeds["cpr"].entry(body, "application/json", "", None, {}) for body in bodies]
        kept = [stored for stored in await one.journal.append_all(entries) if isinstance(stored, Stored)]
    page = leaf_with(path, of_row(path, "chain", 40))
    with path.open("r+b") as file:
        file.seek(page * PAGE + (PAGE // 2 if how == "half" else 0))
        file.write(bytes(PAGE // 2) if how == "half" else b"\xee" * PAGE)
        if how == "half":
            file.seek(page * PAGE)
            file.write(bytes(PAGE // 2))
    broker.reachable = True
    with capture_logs() as logs:
        async with node(tmp_path, broker) as one:
            (line,) = [line for line in logs if line["event"] == "journal_salvaged"]
            assert (tmp_path / line["kept_as"]).exists()
            lost = line["rows_lost"]
            assert 0 < lost < 30
            assert one.journal.last_row == 40
            await until(lambda: one.runner.publisher.backlog == 0)
            assert {item.document_id for item in set_aside(broker)} == {stored.document_id for stored in kept[-lost:]}
            assert published(broker) == set(range(1, 41 - lost))
            again = await one.runner.append(one.runner.feeds["cpr"], [Document(bodies[-1], "application/json")])
            assert isinstance(again[0], Stored)
            assert (again[0].row, again[0].document_id, again[0].repeated) == (41, kept[-1].document_id, False)
            assert [(fault.row, fault.what) for fault in await one.journal.verify()] == [
                (41 - lost, f"rows {41 - lost} to 40 are missing")
            ]
    broker = FakeBroker()
    async with node(tmp_path, broker) as one:
        await until(lambda: one.runner.publisher.backlog == 0)
        assert (published(broker), set_aside(broker)) == ({41}, []), "a person was told once"


async def test_a_mark_on_a_damaged_page_spoils_no_other(tmp_path: Path) -> None:
    """Documents and the marks of sound rows are written beside it; whoever asked for the mark is told."""
    path = tmp_path / "j.db"
    rows = await filled(path)
    page = leaf_with(path, of_row(path, "chain", 40))
    named = rows[40].row
    garble(path, page)
    journal = Journal(path, KEY)
    await journal.start()
    sound = rows[-2].row
    with capture_logs() as logs:
        assert await kept_marks(journal, [Mark(named, RowState.PUBLISHED), Mark(sound, RowState.PUBLISHED)]) == []
    assert [line["row"] for line in logs if line["event"] == "journal_mark_not_kept"] == [named]
    row = await journal.row(sound)
    assert row is not None
    assert row.stored.state is RowState.PUBLISHED
    assert (await journal.append(entry("later"))).row == ROWS + 1
    await journal.close()


async def test_a_page_torn_under_a_running_journal_ends_it(tmp_path: Path) -> None:
    """Nothing is answered with yes any more, and the process is told to end: the next start goes on."""
    path = tmp_path / "j.db"
    await filled(path)
    journal = Journal(path, KEY)
    await journal.start()
    await journal.append(entry("newest"))
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    garble(path, leaf_with(path, of_row(path, "chain", ROWS + 1)))
    journal._store._drop()
    with pytest.raises(Unavailable) as refused:
        await journal.append(entry("later"))
    assert refused.value.code is Code.JOURNAL_UNAVAILABLE
    with pytest.raises(Unavailable):
        await asyncio.wait_for(journal.failed(), 10)
    await journal.close()
    again = Journal(path, KEY)
    await again.start()
    assert (await again.append(entry("later"))).row == ROWS + 2
    await again.close()

"""Damage on the disk: every flipped bit is found and its row named, torn files start, what can be read is served."""

import os
import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.contract import Accepted, Document
from connectors.cpr.lab import CprLab
from connectors.journal import Journal
from connectors.journal_check import Fault
from connectors.journal_reader import JournalReader
from connectors.journal_rows import Mark, RowState, Stored
from connectors.marking import kept_marks
from schemas.delivery import Quarantined
from schemas.errors import Code
from schemas.report import Report
from tests.connectors.broker_double import FakeBroker
from tests.connectors.intake_stage import KEY as NODE_KEY
from tests.connectors.intake_stage import LANE, node
from tests.connectors.journal_stage import KEY, entry
from tests.waiting import until

PAGE = 4096
ROWS = 250


def checked(path: Path) -> list[Fault]:
    """What the check says of a file."""
    reader = JournalReader(path, KEY)
    try:
        return list(reader.verify())
    finally:
        reader.close()


async def filled(path: Path, rows: int = ROWS) -> list[Stored]:
    """A closed journal of so many rows: a third published, the sizes of their bytes between 1 and 9,000."""
    size = random.Random(5)
    journal = Journal(path, KEY)
    await journal.start()
    kept = [await journal.append(entry(os.urandom(size.choice((20, 300, 4_500))).hex())) for _ in range(rows)]
    await journal.note(*(Mark(one.row, RowState.PUBLISHED) for one in kept[::3]))
    await journal.close()
    return kept


def of_row(path: Path, column: str, row: int) -> bytes:
    """The stored bytes of one value."""
    table = "bodies" if column == "body" else "documents"
    db = sqlite3.connect(path)
    (value,) = db.execute(f"SELECT {column} FROM {table} WHERE row = ?", (row,)).fetchone()  # noqa: S608
    db.close()
    return value.encode() if isinstance(value, str) else bytes(value)


@pytest.mark.parametrize("column", ["body", "document_id", "sha256", "chain", "far_system"])
async def test_every_flipped_bit_names_its_row(tmp_path: Path, column: str) -> None:
    """40 single bits of a value's bytes, each on a fresh copy: detected = injected, and no other row is named."""
    chance = random.Random(column)
    rows = await filled(tmp_path / "sound.db")
    assert checked(tmp_path / "sound.db") == []
    raw = (tmp_path / "sound.db").read_bytes()
    for _ in range(40):
        one = chance.choice(rows)
        value = of_row(tmp_path / "sound.db", column, one.row)
        # Ids stand in an index, too; short values are alike: meant is the cell of the table.
        cell = of_row(tmp_path / "sound.db", "document_id", one.row) + b"s" + b"far"
        at = raw.find({"document_id": cell, "far_system": cell}.get(column, value[:60]))
        at += len(cell) - len(value) if column == "far_system" else 0
        assert at > len(value)
        bit = chance.randrange(8 * min(len(value), 60))
        damaged = bytearray(raw)
        damaged[at + bit // 8] ^= 1 << bit % 8
        (tmp_path / "damaged.db").write_bytes(damaged)
        faults = checked(tmp_path / "damaged.db")
        assert {fault.row for fault in faults} - {0} == {one.row}, (faults, bit)


async def test_a_flipped_bit_in_the_index_names_its_row(tmp_path: Path) -> None:
    """The index by which a repeat is known: the row whose entry is wrong is named, and those hidden by it."""
    chance = random.Random(3)
    rows = await filled(tmp_path / "sound.db")
    raw = (tmp_path / "sound.db").read_bytes()
    for _ in range(20):
        one = chance.choice(rows)
        key = one.document_id.encode()
        at = next(at for at in _places(raw, key) if raw[at + len(key) : at + len(key) + 4] != b"sfar")
        damaged = bytearray(raw)
        bit = chance.randrange(8 * len(key))
        damaged[at + bit // 8] ^= 1 << bit % 8
        (tmp_path / "damaged.db").write_bytes(damaged)
        assert one.row in {fault.row for fault in checked(tmp_path / "damaged.db")}


def _places(raw: bytes, key: bytes) -> list[int]:
    found, at = [], -1
    while (at := raw.find(key, at + 1)) >= 0:
        found.append(at)
    return found


async def test_flipped_times_name_their_row(tmp_path: Path) -> None:
    """The time of receipt is in the chain, too."""
    rows = await filled(tmp_path / "sound.db", 50)
    for bit in range(0, 40, 3):
        shutil.copyfile(tmp_path / "sound.db", tmp_path / "damaged.db")
        db = sqlite3.connect(tmp_path / "damaged.db")
        db.execute(
            "UPDATE documents SET received_ms = (received_ms | ?1) - (received_ms & ?1) WHERE row = 7", (1 << bit,)
        )
        db.commit()
        db.close()
        assert [fault.row for fault in checked(tmp_path / "damaged.db")] == [rows[6].row]


def leaf_with(path: Path, marker: bytes) -> int:
    """Number (from 0) of the first page that holds the bytes."""
    at = path.read_bytes().find(marker)
    assert at > 0
    return at // PAGE


def garble(path: Path, page: int) -> None:
    """Make a page unreadable for SQLite."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xff" * 64)


def served(path: Path) -> tuple[dict[int, str], set[int]]:
    """Rows as the publisher gets them, page by page: those with bytes (row -> document), and those without."""
    reader = JournalReader(path, KEY)
    try:
        found: dict[int, str] = {}
        unreadable: set[int] = set()
        after = 0
        while page := reader.unpublished(after, 40):
            after = page[-1].stored.row
            found |= {one.stored.row: one.stored.document_id for one in page if one.body is not None}
            unreadable |= {one.stored.row for one in page if one.body is None}
        return found, unreadable
    finally:
        reader.close()


@pytest.mark.parametrize("column", ["chain", "body"])
async def test_a_destroyed_page_costs_its_rows_alone(tmp_path: Path, column: str) -> None:
    """A page of the table, or of the bytes: its rows are named with their ids, all others are read and published."""
    path = tmp_path / "j.db"
    rows = await filled(path)
    whole, none = served(path)
    assert none == set()
    garble(path, leaf_with(path, of_row(path, column, rows[120].row)[:60]))
    faults = [fault for fault in checked(path) if fault.row]
    named = {fault.row for fault in faults}
    assert rows[120].row in named
    assert len(named) < ROWS / 4
    assert all(fault.document_id == rows[fault.row - 1].document_id for fault in faults)
    readable, unreadable = served(path)
    assert unreadable == named & set(whole)
    assert readable == {row: document for row, document in whole.items() if row not in named}
    reader = JournalReader(path, KEY)
    assert {one.row for one in reader.ids(0, ROWS)} >= {one.row for one in rows} - named
    assert reader.backlog() >= len(readable)
    reader.close()


def published(broker: FakeBroker) -> set[int]:
    """Journal rows of the reports that went out."""
    return {message.document.row for kept in broker.of(LANE) if isinstance(message := kept.message(), Report)}


def set_aside(broker: FakeBroker) -> list[Quarantined]:
    """What went to quarantine."""
    messages = [kept.message() for kept in broker.of("t.quarantine")]
    return [message for message in messages if isinstance(message, Quarantined)]


async def test_damaged_rows_reach_a_person_and_the_others_the_broker(tmp_path: Path) -> None:
    """A started intake publishes what can be read; what cannot has a log line, a figure and a quarantine record."""
    broker = FakeBroker(reachable=False)
    async with node(tmp_path, broker) as one:
        bodies = [b'{"cpr_id": "PL-%d"}' % number for number in range(80)]
        entries = [one.runner.feeds["cpr"].entry(body, "application/json", "", None, {}) for body in bodies]
        kept = [stored for stored in await one.journal.append_all(entries) if isinstance(stored, Stored)]
    assert len(kept) == 80
    path = tmp_path / "journal.db"
    garble(path, leaf_with(path, of_row(path, "chain", 5)))
    db = sqlite3.connect(path)
    db.execute("UPDATE bodies SET body = zeroblob(60) WHERE row = 79")
    db.commit()
    db.close()
    reader = JournalReader(path, NODE_KEY)
    named = {fault.row for fault in reader.verify()} - {0}
    reader.close()
    assert {5, 79} <= named
    assert len(named) < 40
    broker.reachable = True
    with capture_logs() as logs:
        async with node(tmp_path, broker) as one:
            await until(lambda: one.runner.publisher.backlog == 0)
            assert one.registry.get_sample_value("sztab_journal_damaged_rows_total") == len(named)
            assert isinstance(await one.post(CprLab().form()), Accepted)
    assert published(broker) >= {stored.row for stored in kept} - named
    assert {one.document_id for one in set_aside(broker)} == {kept[row - 1].document_id for row in named}
    assert {one.code for one in set_aside(broker)} == {Code.RECORD_INVALID}
    assert {line["row"] for line in logs if line["event"] == "journal_row_damaged"} == named


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
    sound = rows[-1].row
    with capture_logs() as logs:
        assert await kept_marks(journal, [Mark(named, RowState.PUBLISHED), Mark(sound, RowState.PUBLISHED)]) == []
    assert [line["row"] for line in logs if line["event"] == "journal_mark_not_kept"] == [named]
    row = await journal.row(sound)
    assert row is not None
    assert row.stored.state is RowState.PUBLISHED
    assert (await journal.append(entry("later"))).row == ROWS + 1
    await journal.close()

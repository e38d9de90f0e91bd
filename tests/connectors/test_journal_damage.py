"""Damage on the disk: every flipped bit is found and its row named; what can be read is served."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from connectors.contract import Accepted
from connectors.cpr.lab import CprLab
from connectors.journal_reader import JournalReader
from connectors.journal_rows import Stored
from schemas.errors import Code
from tests.connectors.broker_double import FakeBroker
from tests.connectors.damage_stage import PAGE, ROWS, checked, filled, garble, leaf_with, of_row, published, set_aside
from tests.connectors.intake_stage import KEY as NODE_KEY
from tests.connectors.intake_stage import node
from tests.connectors.journal_stage import KEY
from tests.waiting import until

INNER_PAGE_OF_AN_INDEX = 2


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


async def test_a_flipped_bit_at_the_top_of_the_index_names_every_row_it_hides(tmp_path: Path) -> None:
    """A wrong key in an inner page sends the search for half of the rows astray: each of them is named."""
    rows = await filled(tmp_path / "sound.db")
    raw = bytearray((tmp_path / "sound.db").read_bytes())
    places = [(one.document_id, at) for one in rows for at in _places(raw, one.document_id.encode())]
    inner = sorted(place for place in places if raw[place[1] // PAGE * PAGE] == INNER_PAGE_OF_AN_INDEX)
    (first, at), (second, _) = inner[:2]
    raw[at] ^= 1 << 7
    (tmp_path / "damaged.db").write_bytes(raw)
    hidden = {one.row for one in rows if first <= one.document_id < second}
    assert len(hidden) > 20
    assert {fault.row for fault in checked(tmp_path / "damaged.db")} >= hidden


def _places(raw: bytes | bytearray, key: bytes) -> list[int]:
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

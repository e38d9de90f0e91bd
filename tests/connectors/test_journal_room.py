"""The journal's room: who is taken while it fills, and what leaves to make room."""

import sqlite3
from pathlib import Path

import pytest

from connectors import journal_store
from connectors.journal import Journal
from connectors.journal_rows import Mark, RowState, Stored, Verdict
from connectors.journal_store import JournalStore, Limits
from schemas.errors import Code
from tests.connectors.journal_stage import KEY, entry, until_refused


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


async def test_what_must_stay_does_not_hide_what_may_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quarantined and unpublished rows stand before published ones: room is made from those behind them."""
    monkeypatch.setattr(journal_store, "_TRIM_ROWS", 5)
    now = [1000.0]
    journal, kept = await filled(tmp_path, now, keep_seconds=60.0)
    verdict = Verdict(Code.SYNTAX_INVALID, "not JSON")
    await journal.note(*(Mark(one.row, RowState.QUARANTINED, verdict=verdict) for one in kept[:10]))
    await journal.note(*(Mark(one.row, RowState.PUBLISHED) for one in kept[20:]))
    now[0] += 61
    assert journal._store.trim() == 5
    row = await journal.document(kept[20].document_id)
    assert row is not None
    assert row.body is None
    assert (await journal.append(entry("room again"))).row == len(kept) + 1
    await journal.close()


async def test_what_kafka_has_refuses_nobody(tmp_path: Path) -> None:
    """Young published bytes leave too before an ordinary source is refused: the oldest, and no more than is needed."""
    journal, kept = await filled(tmp_path, [1000.0])
    await journal.note(*(Mark(one.row, RowState.PUBLISHED) for one in kept[1:]))
    journal._store.trim()
    assert 0.70 < journal.fill <= 0.80
    bodies = [row.body is not None for one in kept if (row := await journal.document(one.document_id))]
    assert bodies[0], "unpublished bytes never leave"
    assert bodies[1:] == sorted(bodies[1:]), "the oldest go first"
    assert (await journal.append(entry("room again"))).row == len(kept) + 1
    assert await journal.verify() == []
    await journal.close()


async def test_unpublished_bytes_leave_for_nobody(tmp_path: Path) -> None:
    """A full journal that Kafka has nothing of refuses, and keeps what it has."""
    journal, kept = await filled(tmp_path, [1000.0])
    assert journal._store.trim() == 0
    assert len(await journal.unpublished(0, 1000)) == len(kept)
    assert all(row.body is not None for row in await journal.unpublished(0, 1000))
    await journal.close()


async def test_a_journal_of_before_is_taken_up(tmp_path: Path) -> None:
    """A file without the column that trimming needs gets it, and what was trimmed already is known as such."""
    journal, kept = await filled(tmp_path, [1000.0])
    await journal.note(*(Mark(one.row, RowState.PUBLISHED) for one in kept))
    await journal.close()
    with sqlite3.connect(tmp_path / "j.db") as db:
        db.execute("DELETE FROM bodies WHERE row <= 10")
        for index in ("held_published", "held_quarantined"):
            db.execute(f"DROP INDEX {index}")
        db.execute("ALTER TABLE documents DROP COLUMN held")
    db.close()
    limits = Limits(max_bytes=1 << 20, keep_longest_seconds=5.0)
    again = Journal(tmp_path / "j.db", KEY, limits, clock=lambda: 1010.0)
    await again.start()
    assert again._store.trim() == len(kept) - 10
    assert await again.verify() == []
    await again.close()


async def test_a_full_journal_is_emptied_right_after_a_refusal(tmp_path: Path) -> None:
    """A refused commit gives the file up; whoever makes room opens it anew, and does not wait for a caller to do so."""
    journal, kept = await filled(tmp_path, [1000.0])
    await journal.note(*(Mark(one.row, RowState.PUBLISHED) for one in kept))
    await journal.close()
    store = JournalStore(tmp_path / "j.db", KEY, journal.limits, clock=lambda: 1000.0)
    store._drop()
    assert store.trim() > 0
    store.close()

"""The journal's room: who is taken while it fills, and what leaves to make room."""

from pathlib import Path

from connectors.journal import Journal
from connectors.journal_rows import Mark, RowState, Stored
from connectors.journal_store import Limits
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

"""The journal when disk, document or our own code fail: never a yes that is not durable, never a caller that waits."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from connectors.journal import Journal
from connectors.journal_rows import Stored
from connectors.journal_store import Limits
from schemas.errors import Code, Unavailable
from tests.connectors.journal_stage import KEY, entry, until_refused
from tests.waiting import until


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


async def test_a_failed_measurement_takes_nothing_back(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed is answered with yes, though measuring the file fails then; the journal goes on."""

    def broken(_: sqlite3.Connection) -> None:
        monkeypatch.undo()
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(journal._store, "_measure", broken)
    assert (await journal.append(entry("x" * 2_000_000))).row == 1
    assert journal._store._measure != broken
    assert (await journal.append(entry("y"))).row == 2
    assert await journal.verify() == []


@pytest.mark.parametrize("part", ["commit", "trim"])
async def test_an_error_of_our_own_does_not_end_the_writer(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Whoever waits is told that it is not kept, and what comes later is kept."""
    raised = threading.Event()

    def broken(*_: object) -> None:
        raised.set()
        raise ZeroDivisionError

    monkeypatch.setattr("connectors.journal._TRIM_EVERY_SECONDS", 0.01)
    monkeypatch.setattr(journal._store, part, broken)
    answers = await asyncio.gather(*(journal.append(entry(str(n))) for n in range(3)), return_exceptions=True)
    await until(raised.is_set)
    monkeypatch.undo()
    refused = [one.code for one in answers if isinstance(one, Unavailable)]
    assert refused == ([Code.JOURNAL_UNAVAILABLE] * 3 if part == "commit" else [])
    assert (await journal.append(entry("later"))).row == (1 if part == "commit" else 4)


async def test_a_writer_that_ended_is_told(journal: Journal) -> None:
    """It never should end before `close`: the process must not go on without it."""
    watch = asyncio.create_task(journal.failed())
    await journal.append(entry("1"))
    assert not watch.done()
    journal._queue.put(None)
    with pytest.raises(Unavailable) as told:
        await asyncio.wait_for(watch, 10)
    assert told.value.code is Code.JOURNAL_UNAVAILABLE


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

"""The file as a source: position, identity of equal rows, waiting for more, files that are wrong."""

import asyncio
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.contract import Batch, Document
from connectors.file.settings import FileSettings
from connectors.file.source import FileSource
from schemas.errors import Misconfigured, Unavailable
from tests.waiting import until

MAPPING = "name: m\ntitle: t\ntext: {description: d}\nplace: {text: p}\n"


@dataclass
class Far:
    """The folder of a partner who writes files."""

    path: Path

    def __call__(self, content: bytes | None, mapping: str = MAPPING, **more: Any) -> FileSource:
        """A source over a file of that content (None: as it is) and a mapping."""
        if content is not None:
            self.path.write_bytes(content)
        rules = self.path.with_name("m.yaml")
        rules.write_text(mapping)
        settings: dict[str, Any] = {"look_again_seconds": 0.01, "rows_at_once": 2} | more
        return FileSource(FileSettings(name="calls", path=self.path, mapping=str(rules), **settings))


@pytest.fixture
def source(tmp_path):
    """Builds sources over one file."""
    return Far(tmp_path / "calls.csv")


async def everything(one: FileSource, cursor: str | None = None):
    """All documents after the cursor; closes the source."""
    documents: list[Document] = []
    while not one.at_end:
        batch = await one.read(cursor)
        cursor = batch.cursor
        documents += batch.documents
    await one.close()
    return documents


async def test_equal_rows_are_told_apart_by_how_often_they_came(source):
    """Three equal rows are three documents, the same three when the file is read again."""
    content = b"d,p\na,1\nb,2\na,1\na,1\n"
    first = [(one.body, one.occurrence) for one in await everything(source(content))]
    assert first == [(b"a,1", "1"), (b"b,2", "1"), (b"a,1", "2"), (b"a,1", "3")]
    assert [(one.body, one.occurrence) for one in await everything(source(None))] == first


async def test_with_an_id_equal_rows_are_one_document(source):
    """The far side's id says that it is the same."""
    found = await everything(source(b"d,p\na,1\na,1\n", "id: d\n" + MAPPING))
    assert {one.occurrence for one in found} == {""}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_every_cursor_continues_exactly_behind_its_row(source, pack):
    """Whatever row was durable last, the next one comes next, and equal rows keep their number."""
    one = source(pack(b"d,p\n" + b"a,1\n" * 5 + b"b,2\n" * 3))
    documents = await everything(one)
    assert len(documents) == 8
    for done, document in enumerate(documents[:-1], start=1):
        again = await everything(source(None), document.cursor)
        assert again == documents[done:]


async def test_a_replaced_file_is_read_from_its_beginning(source):
    """A cursor counts only where the file still begins with the rows that it counted."""
    cursor = (await everything(source(b"d,p\na,1\nb,2\nc,3\n")))[1].cursor
    assert [one.body for one in await everything(source(b"d,p\nx,1\ny,2\nz,3\n"), cursor)] == [b"x,1", b"y,2", b"z,3"]
    assert [one.body for one in await everything(source(b"d,p\nx,1\n"), cursor)] == [b"x,1"]
    assert [one.body for one in await everything(source(b"d,p\nx,1\n"), "no cursor of ours")] == [b"x,1"]


async def test_at_the_end_it_waits_for_rows_appended_later(source):
    """`read` gives what came, once it is there."""
    one = source(b"d,p\na,1\n")
    batch = await one.read(None)
    waiting = asyncio.ensure_future(one.read(batch.cursor))
    await until(lambda: one.at_end)
    assert not waiting.done()
    with source.path.open("ab") as file:
        file.write(b"b,2\n")
    assert [row.body for row in (await waiting).documents] == [b"b,2"]
    await one.close()


async def test_it_need_not_wait_at_the_end(source):
    """`sztab feed` plays a file once: behind the last row come empty batches."""
    settings = source(b"d,p\na,1\n")._settings
    one = FileSource(settings, follow=False)
    batch = await one.read(None)
    assert await one.read(batch.cursor) == Batch((), batch.cursor)
    await one.close()


async def test_cancelled_it_loses_nothing(source):
    """A cancelled read is as if it had not been."""
    one = source(b"d,p\n" + b"".join(b"%d,1\n" % n for n in range(50)))
    cursor, seen = None, []
    while not one.at_end:
        task = asyncio.ensure_future(one.read(cursor))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        batch = await one.read(cursor)
        cursor = batch.cursor
        seen += [row.body for row in batch.documents]
    await one.close()
    assert seen == [b"%d,1" % n for n in range(50)]


async def test_a_file_that_is_not_there_yet_is_waited_for(source):
    """Unavailable, so that the runner tries again."""
    with pytest.raises(Unavailable):
        await source(None).connect()


async def test_an_empty_file_is_waited_for(source):
    """It has no header yet."""
    with pytest.raises(Unavailable):
        await source(b"").connect()


@pytest.mark.parametrize("header", [b"d,x", b"d,p,p", b'"d,p', b"d;p", b"\xff,d,p"])
async def test_a_file_without_the_mappings_columns_is_refused(source, header):
    """At once, naming what is missing, not row by row."""
    with pytest.raises(Misconfigured):
        await source(header + b"\na,1\n").connect()


async def test_a_broken_file_ends_with_a_document_that_says_so(source):
    """Every whole row first; then what a person must see."""
    rows = b"d,p\n" + b"".join(b"%d,%d\n" % (n, n * n * n) for n in range(3_000))
    found = await everything(source(gzip.compress(rows)[:-900]))
    assert found[-1].context["flaw"] == "broken"
    assert [one.body for one in found[:-1]] == rows.split(b"\n")[1 : len(found)]


async def test_closing_twice_and_before_connecting_is_fine(source):
    """The contract of a source."""
    one = source(b"d,p\na,1\n")
    await one.close()
    await one.connect()
    await one.close()
    await one.close()


async def test_the_whole_log_of_calls_has_57_rows_that_came_before(shared):
    """The data's own README counts 66,128 rows."""
    path = shared / "data" / "montgomery911_2015-12_2016-05.csv.gz"
    one = FileSource(FileSettings(name="calls", path=path, mapping="montgomery911", rows_at_once=10_000))
    found = await everything(one)
    assert len(found) == 66_128
    assert sum(document.occurrence != "1" for document in found) == 57
    assert len({(document.body, document.occurrence) for document in found}) == 66_128

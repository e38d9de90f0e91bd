"""Polling: a document for each change, a sign of life for none, outages told apart from "nothing in force"."""

import asyncio

import orjson
import pytest

from connectors.imgw_meteo.lab import NOTHING, ImgwLab
from connectors.imgw_meteo.settings import ImgwSettings
from connectors.imgw_meteo.source import source
from connectors.imgw_meteo.translate import counts
from connectors.kits.polling import digest
from schemas.errors import Denied, Unavailable


@pytest.fixture
async def lab():
    """IMGW on the loopback."""
    one = ImgwLab()
    await one.start()
    yield one
    await one.stop()


async def following(poller, cursor=None, polls=1):
    """The documents of so many polls, and the cursor after them."""
    documents = []
    for _ in range(polls):
        batch = await poller.read(cursor)
        documents += batch.documents
        cursor = batch.cursor
    return documents, cursor


async def test_every_change_is_a_document_and_nothing_else_is(lab):
    """A, A, B, B, A, A are three documents, although rows come shuffled; the third differs from the first."""
    lab.etags = False
    poller = source(lab.settings())
    await poller.connect()
    lab.warn("A1")
    lab.warn("A2")
    found, cursor = await following(poller, polls=3)
    gone = lab.warnings.pop()
    more, cursor = await following(poller, cursor, polls=2)
    lab.warnings.append(gone)
    last, cursor = await following(poller, cursor, polls=2)
    await poller.close()
    assert [len(found), len(more), len(last)] == [1, 1, 1]
    assert len({one.occurrence for one in (*found, *more, *last)}) == 3
    assert digest(found[0].body) == digest(last[0].body)


async def test_a_restart_goes_on_where_it_was(lab):
    """The cursor knows what was seen: unchanged content is no document, a change is the next one."""
    lab.warn("A")
    first = source(lab.settings())
    await first.connect()
    (one,), cursor = await following(first)
    await first.close()
    again = source(lab.settings())
    await again.connect()
    assert await following(again, cursor) == ([], cursor)
    lab.warn("B")
    (two,), _ = await following(again, cursor)
    await again.close()
    assert (one.occurrence, two.occurrence) == ("1", "2")


async def test_unchanged_answers_are_not_sent_again(lab):
    """ETag: the second poll is a 304, and the cursor stays."""
    lab.warn("A")
    poller = source(lab.settings())
    await poller.connect()
    documents, _ = await following(poller, polls=3)
    await poller.close()
    assert (len(documents), lab.unchanged) == (1, 2)


async def test_a_change_that_was_read_but_not_kept_is_read_again(lab):
    """An ETag counts only for a content whose cursor was kept: after a cancelled read nothing is missed."""
    lab.warn("A")
    poller = source(lab.settings())
    await poller.connect()
    await poller.read(None)
    batch = await poller.read(None)
    await poller.close()
    assert len(batch.documents) == 1
    assert lab.unchanged == 0


@pytest.mark.parametrize("body", [None, b"[]", orjson.dumps(NOTHING)])
@pytest.mark.parametrize("status", [200, 404])
async def test_nothing_in_force_is_a_document(lab, status, body):
    """404 with that body, that body with 200, and []; only [] with 404 is an outage like any other 404."""
    if status == 200 or body is not None:
        lab.status, lab.body = status, body
    poller = source(lab.settings())
    await poller.connect()
    if (status, body) == (404, b"[]"):
        with pytest.raises(Unavailable):
            await poller.read(None)
    else:
        (one,), _ = await following(poller)
        assert one.context["status"] == str(lab.shown()[0])
    await poller.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, Unavailable), (500, Unavailable), (429, Unavailable), (204, Unavailable), (401, Denied), (403, Denied)],
)
async def test_an_outage_is_told_by_what_happens_next(lab, status, error):
    """Retried, or stopped in front of a person; afterwards it goes on."""
    lab.warn("A")
    lab.status = status
    poller = source(lab.settings())
    await poller.connect()
    with pytest.raises(error):
        await poller.read(None)
    lab.status = 200
    await poller.connect()
    assert len((await poller.read(None)).documents) == 1
    await poller.close()


async def test_redirects_are_not_followed(lab):
    """Whoever answers for the feed cannot send us elsewhere."""
    lab.status, lab.headers = 302, {"Location": lab.url}
    poller = source(lab.settings())
    await poller.connect()
    with pytest.raises(Unavailable, match="302"):
        await poller.read(None)
    await poller.close()
    assert lab.polls == 1


async def test_an_answer_beyond_the_limit_is_not_taken(lab):
    """Memory stays bounded; a half answer is no snapshot."""
    lab.body = b"[" + b" " * 5_000 + b"]"
    poller = source(lab.settings(max_bytes=4_096))
    await poller.connect()
    with pytest.raises(Unavailable, match="4096"):
        await poller.read(None)
    await poller.close()


async def test_a_packed_answer_is_not_taken(lab):
    """We asked for identity, so nothing small can unpack to something large."""
    lab.body, lab.headers = b"\x1f\x8b", {"Content-Encoding": "gzip"}
    poller = source(lab.settings())
    await poller.connect()
    with pytest.raises(Unavailable, match="packed"):
        await poller.read(None)
    await poller.close()


async def test_a_feed_that_is_not_there_is_unavailable(lab):
    """Also one that answers nothing in time."""
    settings = lab.settings()
    await lab.stop()
    poller = source(settings)
    await poller.connect()
    with pytest.raises(Unavailable):
        await poller.read(None)
    await poller.close()
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    poller = source(ImgwSettings(name="x", url=f"http://127.0.0.1:{port}/", timeout_seconds=0.2))
    await poller.connect()
    with pytest.raises(Unavailable):
        await poller.read(None)
    await poller.close()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize("url", ["http://danepubliczne.imgw.pl/x", "ftp://127.0.0.1/", "file:///etc/passwd", ""])
def test_only_https_leaves_this_machine(url):
    """A feed that tells of danger is not read over a line that anybody may change."""
    with pytest.raises(ValueError, match="https"):
        ImgwSettings(name="x", url=url)


def test_only_the_known_word_makes_a_404_count():
    """Everything else under 404 is an outage."""
    assert counts(404, orjson.dumps(NOTHING))
    for body in (
        b"",
        b"not found",
        b"[]",
        b'{"status": false}',
        b'{"status": true, "message": "No products were found"}',
    ):
        assert not counts(404, body)

"""The event stream: resume without a gap, reset where the place is lost, slow readers dropped."""

import asyncio
from collections.abc import AsyncGenerator

import orjson
import pytest

from ops.console.hub import QUEUE, RING, Hub


@pytest.fixture
def hub() -> Hub:
    """A hub whose whole state is known."""
    return Hub("e1", lambda: {"all": True})


async def first(stream: AsyncGenerator[bytes, None], count: int) -> list[bytes]:
    """The next frames of a stream."""
    return [await anext(stream) for _ in range(count)]


async def test_a_new_browser_gets_everything_first(hub: Hub) -> None:
    """Without a place in the stream the whole state comes."""
    stream = hub.stream(None)
    (frame,) = await first(stream, 1)
    assert b"event: reset" in frame
    assert orjson.loads(frame.split(b"data: ")[1]) == {"all": True}
    await stream.aclose()


async def test_a_browser_that_comes_back_misses_nothing(hub: Hub) -> None:
    """What happened meanwhile is given, in order, and then what happens next."""
    for number in range(5):
        hub.publish("x", {"n": number})
    stream = hub.stream("e1-2")
    frames = await first(stream, 3)
    assert [orjson.loads(frame.split(b"data: ")[1])["n"] for frame in frames] == [2, 3, 4]
    hub.publish("x", {"n": 5})
    assert b'"n":5' in (await first(stream, 1))[0]
    await stream.aclose()


@pytest.mark.parametrize("last", ["other-2", "e1-99999", "e1-x", "nonsense", ""])
async def test_a_lost_place_means_reset(hub: Hub, last: str) -> None:
    """Another epoch, a future number, rubbish: never a silent gap."""
    hub.publish("x", {})
    assert hub.missed(last) is None


async def test_a_place_that_left_the_ring_means_reset(hub: Hub) -> None:
    """Too long away."""
    for number in range(RING + 5):
        hub.publish("x", {"n": number})
    assert hub.missed("e1-3") is None
    assert hub.missed("e1-5") is not None


async def test_a_browser_that_does_not_read_is_dropped(hub: Hub) -> None:
    """Slow readers cost the hub a bounded queue, and then nothing."""
    stream = hub.stream(None)
    await first(stream, 1)
    for number in range(QUEUE + 2):
        hub.publish("x", {"n": number})
    assert hub.readers == set()
    assert hub.dropped == 1
    await stream.aclose()


async def test_a_beat_tells_how_old_the_data_are_also_among_events(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    """What still comes from one partition does not hide that another one is not read any more."""
    monkeypatch.setattr("ops.console.hub.FIRST_BEAT_SECONDS", 0.0)
    hub.read_ms = lambda: 40_000
    stream = hub.stream(None)
    await first(stream, 1)
    hub.publish("x", {})
    beat, event = await first(stream, 2)
    assert b"event: beat" in beat
    assert orjson.loads(beat.split(b"data: ")[1]) == {"read_ms": 40_000}
    assert b"event: x" in event
    await stream.aclose()


async def test_closing_ends_every_stream(hub: Hub) -> None:
    """A stopping console leaves no browser hanging."""
    stream = hub.stream(None)
    await first(stream, 1)
    waiting = asyncio.ensure_future(anext(stream, None))
    await asyncio.sleep(0)
    hub.close()
    assert await asyncio.wait_for(waiting, 5) is None


def test_browsers_that_come_at_once_share_one_board() -> None:
    """Five hundred pages of a storm's board are one copy of it; the next event makes a new one."""
    hub = Hub("e1", lambda: {"all": [1]})
    first = hub.whole()
    assert hub.whole() is first
    hub.publish("x", {})
    assert hub.whole() != first

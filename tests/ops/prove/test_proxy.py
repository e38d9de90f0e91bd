"""The fault proxy against a real echo server: each fault does what it says, in its direction, and can be healed."""

import asyncio
import hashlib
import time

import pytest
import uvloop

from ops.prove.line import HELD_BYTES
from ops.prove.proxy import BLACK_HOLE, Fault, Line
from tests.ops.prove.echo import SILENCE_SECONDS, SOME, ask, client, nothing_comes, proxied, reset
from tests.waiting import until


async def test_without_a_fault_everything_passes_both_ways():
    """Megabytes pass unchanged and counted, and an end of stream passes as an end."""
    async with proxied() as (proxy, echo), client(proxy) as (reader, writer):
        sent = bytes(range(256)) * 16384
        task = asyncio.create_task(reader.readexactly(len(sent)))
        writer.write(sent)
        assert hashlib.sha256(await task).digest() == hashlib.sha256(sent).digest()
        writer.write_eof()
        assert await reader.read() == b""
        assert echo.ends == ["end"]
        assert (proxy.figures.bytes_up, proxy.figures.bytes_down) == (len(sent), len(sent))
        assert (proxy.figures.connections, proxy.figures.resets, proxy.figures.flips) == (1, 0, 0)


async def test_latency_delays_each_direction_by_itself():
    """A message takes the latency of the ways it goes, and many under way at once take it once."""
    async with proxied(Fault(up=Line(latency_seconds=0.2))) as (proxy, _), client(proxy) as ends:
        began = time.monotonic()
        await ask(ends)
        one_way = time.monotonic() - began
        assert one_way >= 0.19
        proxy.set(Fault.both(Line(latency_seconds=0.2)))
        began = time.monotonic()
        for _ in range(20):
            ends[1].write(SOME)
            await asyncio.sleep(0)
        await ends[0].readexactly(20 * len(SOME))
        assert 0.38 <= time.monotonic() - began < 4.0


async def test_jitter_varies_the_delay_and_keeps_the_order():
    """Delays differ within their bounds; bytes stay in order."""
    async with (
        proxied(Fault(down=Line(latency_seconds=0.05, jitter_seconds=0.05))) as (proxy, _),
        client(proxy) as ends,
    ):
        took = []
        for number in range(12):
            began = time.monotonic()
            assert await ask(ends, b"%04d" % number) == b"%04d" % number
            took.append(time.monotonic() - began)
        assert max(took) - min(took) > 0.02
        assert min(took) < 0.07


async def test_bandwidth_is_limited_and_healed_at_once():
    """No more passes than the line is wide; what still waits passes at once when it is wide again."""
    async with proxied(Fault(up=Line(bytes_per_second=20_000))) as (proxy, echo), client(proxy) as (reader, writer):
        began = time.monotonic()
        writer.write(b"x" * 10_000)
        await reader.readexactly(8_000)
        assert time.monotonic() - began >= 0.28
        writer.write(b"x" * 500_000)
        proxy.set(Fault())
        async with asyncio.timeout(10):
            await reader.readexactly(502_000)
        assert len(echo.got) == 510_000


async def test_pieces_are_small_and_paused():
    """A slicer lets so many bytes through at once, with a pause between."""
    line = Line(slice_bytes=5, slice_pause_seconds=0.01)
    async with proxied(Fault(up=line)) as (proxy, echo), client(proxy) as ends:
        began = time.monotonic()
        assert await ask(ends) == SOME
        assert time.monotonic() - began >= 0.009 * (len(SOME) / 5 - 1)
        assert echo.reads > 5


async def test_bits_flip_with_the_probability_and_the_seed():
    """About as many bytes as asked for are wrong by one bit, the same for the same seed, and only in that direction."""
    wrong = []
    for seed in (1, 1, 2):
        async with proxied(Fault(up=Line(flip_probability=0.01)), seed) as (proxy, echo), client(proxy) as ends:
            sent = bytes(20_000)
            got = await ask(ends, sent)
            assert got == bytes(echo.got)
            bad = [(at, byte) for at, byte in enumerate(got) if byte]
            assert all(byte.bit_count() == 1 for _, byte in bad)
            assert proxy.figures.flips == len(bad)
            assert 100 < len(bad) < 300
            wrong.append(len(bad))
    assert wrong[0] > 0


async def test_every_byte_flips_when_it_is_certain():
    """Probability 1 leaves no byte as it was."""
    async with proxied(Fault(down=Line(flip_probability=1.0))) as (proxy, echo), client(proxy) as ends:
        got = await ask(ends)
        assert bytes(echo.got) == SOME
        assert all(one != other for one, other in zip(got, SOME, strict=True))
        assert proxy.figures.flips == len(SOME)


async def test_a_black_hole_one_way_swallows_and_keeps_the_connection():
    """The server hears all and answers; the client gets nothing, and no end either. Healed, it is reset."""
    async with proxied(Fault(down=BLACK_HOLE)) as (proxy, echo), client(proxy) as (reader, writer):
        writer.write(SOME)
        await until(lambda: bytes(echo.got) == SOME)
        await nothing_comes(reader)
        await until(lambda: proxy.figures.swallowed == len(SOME))
        assert proxy.figures.bytes_down == 0
        proxy.set(Fault())
        await reset(reader)
    assert proxy.figures.resets == 1


async def test_a_full_black_hole_hides_even_the_end():
    """Nothing passes either way, nor does the client's end; a connection that lost nothing goes on when healed."""
    async with proxied() as (proxy, echo), client(proxy) as ends:
        await ask(ends)
        proxy.set(Fault.both(BLACK_HOLE))
        ends[1].write_eof()
        await nothing_comes(ends[0])
        assert echo.ends == []
        proxy.set(Fault())
        assert await ends[0].read() == b""
        assert echo.ends == ["end"]


async def test_a_stalled_line_loses_nothing():
    """After a short partition the bytes come, all and in order; meanwhile the sender is held back, not the memory."""
    async with proxied(Fault(up=Line(stall=True))) as (proxy, echo), client(proxy) as (reader, writer):
        sent = bytes(range(256)) * 64 * 1024
        task = asyncio.create_task(reader.readexactly(len(sent)))
        writer.write(sent)
        await asyncio.sleep(SILENCE_SECONDS)
        assert echo.got == b""
        waiting = sum(one._held for held in proxy._connections.values() for one in held._directions)
        assert waiting < HELD_BYTES + 256 * 1024
        proxy.set(Fault())
        assert await task == sent


@pytest.mark.parametrize(
    "scenario",
    [
        test_without_a_fault_everything_passes_both_ways,
        test_a_black_hole_one_way_swallows_and_keeps_the_connection,
        test_a_full_black_hole_hides_even_the_end,
        test_a_stalled_line_loses_nothing,
    ],
)
def test_the_same_holds_on_uvloop(scenario):
    """The roles run on uvloop, and so may the harness: what hangs on sockets is the same there."""
    uvloop.run(scenario())

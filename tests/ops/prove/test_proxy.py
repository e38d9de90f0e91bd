"""The fault proxy against a real echo server: each fault does what it says, in its direction, and can be healed."""

import asyncio
import hashlib
import socket
import time
from contextlib import asynccontextmanager

import pytest
import uvloop

from ops.prove.line import HELD_BYTES
from ops.prove.proxy import BLACK_HOLE, Fault, FaultProxy, Line
from tests.waiting import until

SOME = b"0123456789" * 10
SILENCE_SECONDS = 0.2
"""So long nothing comes, where nothing must."""


class Echo:
    """Sends back what it gets; remembers it, and how its connections ended."""

    def __init__(self, greeting=b""):
        self.got, self.ends, self.reads, self.greeting = bytearray(), [], 0, greeting
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = self._server.sockets[0].getsockname()
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        try:
            writer.write(self.greeting)
            while data := await reader.read(65536):
                self.got += data
                self.reads += 1
                writer.write(data)
                await writer.drain()
            self.ends.append("end")
        except (ConnectionError, asyncio.CancelledError):
            self.ends.append("reset")
        finally:
            writer.transport.abort()


@asynccontextmanager
async def proxied(fault=None, seed=1, greeting=b""):
    """An echo server, and the proxy before it."""
    async with Echo(greeting) as echo:
        proxy = FaultProxy(echo.address, seed)
        await proxy.start()
        proxy.set(fault or Fault())
        try:
            yield proxy, echo
        finally:
            await proxy.stop()


@asynccontextmanager
async def client(proxy):
    """One connection through the proxy."""
    before = proxy.open_connections
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await until(lambda: proxy.open_connections <= before, what="connection gone from the proxy")


async def ask(ends, data=SOME):
    """Send, and wait for as much to come back."""
    reader, writer = ends
    writer.write(data)
    return await reader.readexactly(len(data))


async def nothing_comes(reader):
    """Wait a while in which nothing must come."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE_SECONDS):
            await reader.read(1)


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
        with pytest.raises(ConnectionResetError):
            await reader.read(1)
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


async def test_present_connections_are_reset_on_both_sides():
    """RST, no end of stream, to client and server; new connections are not concerned."""
    async with proxied() as (proxy, echo), client(proxy) as ends:
        await ask(ends)
        assert proxy.reset() == 1
        with pytest.raises(ConnectionResetError):
            await ends[0].read(1)
        await until(lambda: echo.ends == ["reset"])
        async with client(proxy) as others:
            assert await ask(others) == SOME


async def test_new_connections_are_reset():
    """Accepted, and reset before a byte passes; present ones go on."""
    async with proxied() as (proxy, _), client(proxy) as ends:
        await ask(ends)
        proxy.set(Fault(reset=True))
        with pytest.raises(ConnectionResetError):
            async with client(proxy) as (reader, _):
                await reader.read(1)
        assert await ask(ends) == SOME
        assert proxy.figures.resets == 1


async def test_refused_connections_find_nobody_listening_and_the_port_is_kept():
    """Connecting fails as with no server at all; nobody else can take the port; healed, the same port answers."""
    async with proxied() as (proxy, _), client(proxy) as ends:
        await ask(ends)
        port = proxy.port
        proxy.set(Fault(refuse=True))

        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        assert await ask(ends) == SOME
        proxy.set(Fault())
        async with client(proxy) as others:
            assert await ask(others) == SOME


async def test_an_end_comes_late():
    """A slow close: bytes pass at once, their end later."""
    async with proxied(Fault(up=Line(close_seconds=0.3))) as (proxy, echo), client(proxy) as ends:
        await ask(ends)
        began = time.monotonic()
        ends[1].write_eof()
        assert await ends[0].read() == b""
        assert time.monotonic() - began >= 0.28
        assert echo.ends == ["end"]


async def test_the_target_may_change():
    """A server that comes back on another port is found by new connections; one that is away resets them."""
    async with proxied() as (proxy, first), Echo() as second:
        async with client(proxy) as ends:
            await ask(ends)
        proxy.target = second.address
        async with client(proxy) as ends:
            await ask(ends)
        assert (bytes(first.got), bytes(second.got)) == (SOME, SOME)
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            proxy.target = nobody.getsockname()
            async with client(proxy) as (reader, _):
                with pytest.raises(ConnectionResetError):
                    await reader.read(1)
        assert proxy.figures.unreachable == 1


async def test_a_server_that_speaks_first_is_heard():
    """Directions do not wait for each other."""
    async with proxied(greeting=b"hello") as (proxy, _), client(proxy) as (reader, _):
        assert await reader.readexactly(5) == b"hello"


async def test_a_servers_reset_is_passed_on():
    """What breaks one side breaks the other."""
    async with proxied() as (proxy, echo), client(proxy) as ends:
        await ask(ends)
        for task in echo._tasks:
            task.cancel()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await ask(ends)


async def test_stopping_ends_everything_and_may_be_repeated():
    """No connection, task or port is left, whatever was going on."""
    async with proxied(Fault.both(BLACK_HOLE)) as (proxy, _):
        ends = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(3)]
        for _, writer in ends:
            writer.write(SOME)
        port = proxy.port
        await proxy.stop()
        await proxy.stop()
        for reader, writer in ends:
            try:
                with pytest.raises(ConnectionResetError):
                    await reader.read(1)
            finally:
                writer.transport.abort()
        with socket.socket() as other:
            other.bind(("127.0.0.1", port))


async def test_an_idle_proxy_costs_nothing():
    """Hundreds of open connections, stalled and delayed ones too, take no time of the processor."""
    async with proxied() as (proxy, echo):
        ends = [await asyncio.open_connection("127.0.0.1", proxy.port) for _ in range(100)]
        proxy.set(Fault.both(Line(stall=True)))
        for _, writer in ends:
            writer.write(SOME)
        await until(lambda: proxy.figures.connections == 100)
        await asyncio.sleep(SILENCE_SECONDS)
        before = time.process_time()
        await asyncio.sleep(0.5)
        assert time.process_time() - before < 0.1
        assert echo.got == b""
        for _, writer in ends:
            writer.transport.abort()


@pytest.mark.parametrize(
    "scenario",
    [
        test_without_a_fault_everything_passes_both_ways,
        test_a_black_hole_one_way_swallows_and_keeps_the_connection,
        test_a_full_black_hole_hides_even_the_end,
        test_a_stalled_line_loses_nothing,
        test_present_connections_are_reset_on_both_sides,
        test_new_connections_are_reset,
        test_refused_connections_find_nobody_listening_and_the_port_is_kept,
        test_an_end_comes_late,
        test_the_target_may_change,
        test_stopping_ends_everything_and_may_be_repeated,
    ],
)
def test_the_same_holds_on_uvloop(scenario):
    """The roles run on uvloop, and so may the harness: what hangs on sockets is the same there."""
    uvloop.run(scenario())

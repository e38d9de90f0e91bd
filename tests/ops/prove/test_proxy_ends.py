"""How connections through the fault proxy begin and end: reset, refused, late, elsewhere, and all at once."""

import asyncio
import socket
import time

import pytest
import uvloop

from ops.prove.proxy import BLACK_HOLE, Fault, Line
from tests.ops.prove.echo import SILENCE_SECONDS, SOME, Echo, ask, client, proxied, reset
from tests.waiting import until


async def test_present_connections_are_reset_on_both_sides():
    """RST, no end of stream, to client and server; new connections are not concerned."""
    async with proxied() as (proxy, echo), client(proxy) as ends:
        await ask(ends)
        assert proxy.reset() == 1
        await reset(ends[0])
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
                await reset(reader)
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
                await reset(reader)
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

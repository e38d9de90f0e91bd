"""An echo server, the proxy before it, and clients: what the tests of the proxy play with."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from ops.prove.proxy import Fault, FaultProxy
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


async def reset(reader):
    """Read until the reset, which must come."""
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(10):
            await reader.read(1)

"""A TCP proxy on the loopback that does to a line what networks do: delay, narrow, cut, corrupt, fall silent.

`FaultProxy` stands between clients and one target. What it does can be changed at any time, for each direction, also
to what is already under way. Its dice are seeded. For clients of Kafka the brokers must advertise the proxy's port
(`EmbeddedKafka(advertised=...)`), or they go round it after the first metadata answer.
"""

import asyncio
import random
import socket
from functools import partial
from typing import Final

from ops.prove.line import BLACK_HOLE as BLACK_HOLE
from ops.prove.line import CHUNK, RESET, Connection, Rule, abort
from ops.prove.line import CLEAR as CLEAR
from ops.prove.line import Fault as Fault
from ops.prove.line import Figures as Figures
from ops.prove.line import Line as Line

HOST: Final = "127.0.0.1"
CONNECT_SECONDS: Final = 5.0


class FaultProxy:
    """One proxied address: `start`, then `port` is where clients connect; `target` may be changed at any time.

    All methods belong to the loop that started it. `stop` ends every connection; it may be called twice.
    """

    def __init__(self, target: tuple[str, int], seed: int = 1) -> None:
        self.target = target
        self._rule: Final = Rule(random.Random(seed))
        self._holder: socket.socket | None = None
        self._listening: socket.socket | None = None
        self._connections: dict[asyncio.Task[None], Connection | None] = {}

    @property
    def figures(self) -> Figures:
        """What it did so far."""
        return self._rule.figures

    @property
    def fault(self) -> Fault:
        """What it does now; `set` changes it."""
        return self._rule.fault

    @property
    def port(self) -> int:
        """Where to connect on 127.0.0.1; only after `start`."""
        assert self._holder is not None
        port: int = self._holder.getsockname()[1]
        return port

    @property
    def open_connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    async def start(self) -> None:
        """Take a port of the system's choice and listen."""
        # Bound for as long as we live and never listening: while we refuse, nobody else gets the port.
        self._holder = _bound(0)
        self.set(self.fault)

    def set(self, fault: Fault) -> None:
        """Do this from now on, to present connections and new ones."""
        self._rule.fault = fault
        changed, self._rule.changed = self._rule.changed, asyncio.Event()
        changed.set()
        if self._holder is not None:
            self._listen(wanted=not fault.refuse)
        for connection in self._connections.values():
            if connection is not None and connection.holed:
                connection.reset()

    def reset(self) -> int:
        """Reset every present connection on both sides (RST, no end of stream); answers how many."""
        present = [connection for connection in self._connections.values() if connection is not None]
        for connection in present:
            connection.reset()
        return len(present)

    async def stop(self) -> None:
        """Listen no more, reset what is open, give the port back."""
        tasks = list(self._connections)
        self._listen(wanted=False)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    def _listen(self, *, wanted: bool) -> None:
        """Listen or not, from this very moment on."""
        loop = asyncio.get_running_loop()
        if wanted and self._listening is None:
            self._listening = _bound(self.port)
            self._listening.listen(1024)
            loop.add_reader(self._listening, self._accept, self._listening)
        elif not wanted and self._listening is not None:
            loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def _accept(self, listening: socket.socket) -> None:
        """Take one connection that waits."""
        try:
            client, _ = listening.accept()
        except OSError:  # gone again before we took it
            return
        self.figures.connections += 1
        client.settimeout(0)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)  # whatever ends it but its proper end
        if self.fault.reset:
            self.figures.resets += 1
            client.close()
            return
        task = asyncio.create_task(self._serve(client), name=f"proxy {self.port} connection")
        self._connections[task] = None
        task.add_done_callback(partial(self._ended, client))

    def _ended(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        self._connections.pop(task, None)
        client.close()  # long closed, unless the task was cancelled before it began

    async def _serve(self, client: socket.socket) -> None:
        near = await asyncio.open_connection(sock=client, limit=CHUNK)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                far = await asyncio.open_connection(*self.target, limit=CHUNK)
        except (OSError, TimeoutError):
            self.figures.unreachable += 1
            abort(near[1])
            return
        except asyncio.CancelledError:
            abort(near[1])
            raise
        connection = Connection(self._rule, near, far)
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = connection
        await connection.run()


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.settimeout(0)
    made.bind((HOST, port))
    return made

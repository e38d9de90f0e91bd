"""Which rows are on their way to the broker, and whose turn it is: row order within each thread. No I/O."""

import asyncio
from collections import deque

from connectors.prepared import Prepared


class Window:
    """The rows in memory between journal and broker, bounded by count and bytes.

    A row may go when it is the first of every thread it speaks of; it keeps that place until `done`.
    """

    def __init__(self, rows: int, size: int) -> None:
        self._rows, self._size = rows, size
        self._held: dict[int, Prepared] = {}
        self._bytes = 0
        self._threads: dict[str, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, row: object) -> bool:
        return row in self._held

    def __getitem__(self, row: int) -> Prepared:
        return self._held[row]

    def room(self) -> bool:
        """Whether another row may come in; a single one always may."""
        return not self._held or (len(self._held) < self._rows and self._bytes < self._size)

    def admit(self, prepared: Prepared) -> None:
        """Take a row in, behind what its threads already have here. Rows come in ascending order."""
        self._held[prepared.row] = prepared
        self._bytes += prepared.size
        for thread in prepared.threads:
            self._threads.setdefault(thread, deque()).append(prepared.row)

    def may_go(self, row: int) -> bool:
        """Whether the row is here and nothing of its threads is before it."""
        held = self._held.get(row)
        return held is not None and all(self._threads[thread][0] == row for thread in held.threads)

    def ready(self) -> list[int]:
        """Every row that may go, in row order."""
        return [row for row in self._held if self.may_go(row)]

    def replace(self, prepared: Prepared) -> None:
        """Give a row other records; it keeps its place."""
        self._bytes += prepared.size - self._held[prepared.row].size
        self._held[prepared.row] = prepared

    def done(self, row: int) -> list[int]:
        """Let a row go; the rows that may go now because of it."""
        held = self._held.pop(row)
        self._bytes -= held.size
        freed: list[int] = []
        for thread in held.threads:
            waiting = self._threads[thread]
            waiting.popleft()
            if waiting:
                freed.append(waiting[0])
            else:
                del self._threads[thread]
        return [one for one in dict.fromkeys(freed) if self.may_go(one)]

    def oldest_received_ms(self) -> int | None:
        """When the longest waiting row was received, epoch ms; None when none waits."""
        return min((one.received_ms for one in self._held.values()), default=None)


class Progress:
    """How far a journal's rows were taken up. Row numbers have gaps: rows are counted, not subtracted, up to the start.

    `taken`: every row up to it was taken up, but for those in `again`, which were held and are let go.
    """

    def __init__(self) -> None:
        self.taken = 0
        self.again: set[int] = set()
        self._start_row = self._left = 0

    def start(self, last_row: int, left: int) -> None:
        """The last row when the process starts, and how many rows up to it must still be taken up."""
        self._start_row, self._left = last_row, left

    def took(self, row: int) -> None:
        """A row was taken up."""
        self._left -= self.taken < row <= self._start_row and self._left > 0
        self.taken = max(self.taken, row)

    def passed(self, row: int) -> None:
        """Nothing up to this row is left."""
        self.taken = max(self.taken, row)
        if self.taken >= self._start_row:
            self._left = 0

    def left(self, last_row: int) -> int:
        """How many rows up to the last one are not taken up."""
        return self._left + max(0, last_row - max(self.taken, self._start_row)) + len(self.again)


class Waiters:
    """Callers that wait for a row to reach the broker, each for a bounded time."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}

    async def wait(self, row: int, seconds: float) -> bool:
        """Whether `tell` was called for the row within the time."""
        if seconds <= 0:
            return False
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(row, []).append(waiter)
        try:
            await asyncio.wait_for(waiter, seconds)
        except TimeoutError:
            return False
        finally:
            others = [one for one in self._waiting.pop(row, ()) if one is not waiter]
            if others:
                self._waiting[row] = others
        return True

    def tell(self, row: int) -> None:
        """The broker has the row."""
        for waiter in self._waiting.get(row, ()):
            if not waiter.done():
                waiter.set_result(None)

"""The one publisher of a journal: rows go to the broker in row order per thread, until each is acknowledged.

A window over the journal is in memory, whatever the length of the backlog. A row whose send failed keeps its place, and
later rows of its threads wait behind it. The producer is ours alone and idempotent; after an error whose outcome is
unknown it is thrown away, and what was not acknowledged goes again from a new one, with the same ids (aiokafka #1017).
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from connectors.crash_points import PRODUCED, Hook
from connectors.ending import ended
from connectors.handing import Handing
from connectors.journal import Journal
from connectors.journal_rows import JournalRow, Verdict
from connectors.kits.kafka import Producer, started
from connectors.marking import Marks, kept_marks
from connectors.prepared import Prepared
from connectors.saying import Saying
from connectors.window import Progress, Waiters, Window
from schemas.envelope import Headers
from schemas.errors import Code, Rejected, Unavailable
from schemas.topic import MAX_MESSAGE_BYTES

log = structlog.get_logger()

WINDOW_ROWS: Final = 2_000
WINDOW_BYTES: Final = 32 * 1024 * 1024
_PAGE: Final = 200
_LOOK_SECONDS: Final = 1.0
_FLUSH_SECONDS: Final = 0.2
_STUCK_SECONDS: Final = 45.0
"""A row that no answer came for in so long condemns the producer, whatever the producer says."""
_PAUSE_SECONDS: Final = 0.2


class Publisher:
    """Publishes a journal's rows. `prepare` makes a row's records anew: for rows not handed over by `offer`.

    `prefix` stands before every topic. `await start()`, then `offer` and `wait`; `await stop()` sends what it can
    within the time given and leaves the rest for the next start. `too_large` makes the quarantine record of a row whose
    record no topic takes.
    """

    def __init__(
        self,
        journal: Journal,
        prepare: Callable[[JournalRow], Prepared],
        too_large: Callable[[JournalRow, Verdict], Prepared],
        make_producer: Callable[[], Producer],
        prefix: str,
        window_rows: int = WINDOW_ROWS,
        hook: Hook | None = None,
    ) -> None:
        self._journal, self._prepare, self._too_large = journal, prepare, too_large
        self._make_producer, self._hook = make_producer, hook
        self._window = Window(window_rows, WINDOW_BYTES)
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._started_ms: dict[int, float] = {}
        self._waiters = Waiters()
        self._marks: Marks = []
        self._progress = Progress()
        self._behind = asyncio.Event()
        self._changed = asyncio.Event()
        self._failed = asyncio.Event()
        self._producer: Producer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._handing = Handing(journal, prefix)
        self._saying = Saying(prefix)
        self.published = 0

    async def start(self) -> None:
        """Take up every unpublished row and go on. Unavailable when the journal cannot be read."""
        self._progress.start(self._journal.last_row, await self._journal.backlog())
        self._behind.set()
        self._tasks = [asyncio.create_task(part()) for part in (self._feed, self._produce, self._flush_often)]

    async def failed(self) -> None:
        """Wait until a part of the publisher ends by itself, which is a bug: raises it, and the process must end."""
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def stop(self, seconds: float = 5.0) -> None:
        """Wait a while for what is in the window, save the marks, give the producer back. Also twice."""
        await ended(self._tasks[:1])
        deadline = time.monotonic() + seconds
        while self._window and self._producer and time.monotonic() < deadline:
            self._changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), deadline - time.monotonic())
        await ended(self._tasks[1:])
        await self._drop_producer()
        await self._flush()
        self._tasks = []

    @property
    def backlog(self) -> int:
        """Rows that the broker does not have yet, by what this process knows."""
        return self._progress.left(self._journal.last_row) + len(self._window)

    @property
    def connected(self) -> bool:
        """Whether a producer is at work."""
        return self._producer is not None

    @property
    def oldest_received_ms(self) -> int | None:
        """When the oldest row that waits in the window was received; None when none waits."""
        return self._window.oldest_received_ms()

    def offer(self, prepared: Prepared) -> None:
        """Hand a row over right after it was journaled. Out of order or without room it is read back later instead."""
        if prepared.row == self._progress.taken + 1 and self._window.room():
            self._admit(prepared)
        elif prepared.row > self._progress.taken:
            self._behind.set()

    def again(self, rows: Iterable[int]) -> None:
        """Publish rows that lie behind: held or set aside and let go by a person, or missed by the ledger."""
        self._progress.again |= set(rows)
        self._behind.set()

    def has(self, row: int) -> bool:
        """Whether the broker has the row, by what this process knows."""
        return row <= self._progress.taken and row not in self._window and row not in self._progress.again

    async def wait(self, row: int, seconds: float) -> bool:
        """Whether the broker has the row, waiting at most so long."""
        if self.has(row):
            return True
        return await self._waiters.wait(row, seconds)

    async def calm(self, rows: int) -> None:
        """Wait until at most so many rows still have to reach the broker."""
        while self.backlog > rows:
            self._changed.clear()
            await self._changed.wait()

    async def say(self, topic: str, key: str, value: bytes | None, headers: Headers) -> bool:
        """Send a record beside the journal, best effort (feed status). False when no producer is at work."""
        return await self._saying.say(self._producer, topic, key, value, headers)

    def _admit(self, prepared: Prepared) -> None:
        """Take a row into the window; it is sent when it heads the queue of each of its threads."""
        self._progress.took(prepared.row)
        self._window.admit(prepared)
        self._launch(prepared.row)

    def _launch(self, row: int) -> None:
        if self._producer is None or row in self._sending or not self._window.may_go(row):
            return
        self._started_ms[row] = time.monotonic()
        task = self._sending[row] = asyncio.create_task(self._send(row, self._producer))
        task.add_done_callback(lambda done: self._sent(row, done))

    async def _send(self, row: int, producer: Producer) -> None:
        prepared = self._window[row]
        try:
            await self._handing.send(producer, prepared)
        except (MessageSizeTooLargeError, RecordListTooLargeError):
            prepared = await self._set_aside(prepared)
            await self._handing.send(producer, prepared)
        if self._hook is not None:
            self._hook(PRODUCED)

    async def _set_aside(self, prepared: Prepared) -> Prepared:
        """A record that no topic takes: the row goes to quarantine in its place."""
        row = await self._journal.document(prepared.document_id)
        assert row is not None
        verdict = Verdict(Code.OUTPUT_TOO_LARGE, f"a record is larger than {MAX_MESSAGE_BYTES} bytes")
        replaced = replace(self._too_large(row, verdict), threads=prepared.threads)
        self._window.replace(replaced)
        return replaced

    def _sent(self, row: int, task: "asyncio.Task[None]") -> None:
        """A row's sending ended: the broker has it, or the producer is condemned and the row keeps its place."""
        self._sending.pop(row, None)
        self._started_ms.pop(row, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._done(row)
            return
        if not self._failed.is_set():
            log.warning("publish_failed", error=type(error).__name__, in_flight=len(self._sending) + 1)
        self._failed.set()

    def _done(self, row: int) -> None:
        prepared = self._window[row]
        self._marks.append(prepared.mark)
        for key in prepared.keys:
            key.published = True
            self._marks.append(key.stored())
        self.published += 1
        self._waiters.tell(row)
        for freed in self._window.done(row):
            self._launch(freed)
        self._changed.set()

    async def _feed(self) -> None:
        """Read from the journal whatever was not handed over in time: at start, after a gap, after a long outage."""
        while True:
            if not self._behind.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._behind.wait(), _LOOK_SECONDS)
            if not self._behind.is_set() and self._journal.last_row <= self._progress.taken:
                continue
            try:
                await self._catch_up()
            except (Unavailable, Rejected) as error:
                log.warning("journal_not_read", code=error.code.value)
                self._behind.set()
                await asyncio.sleep(_LOOK_SECONDS)

    async def _catch_up(self) -> None:
        self._behind.clear()
        await self._take_again()
        upto = self._journal.last_row
        page = await self._journal.unpublished(self._progress.taken, _PAGE)
        for row in page:
            while not self._window.room():
                self._changed.clear()
                await self._changed.wait()
            if row.stored.row > self._progress.taken:
                self._admit(self._prepare(row))
                await asyncio.sleep(0)
        if len(page) == _PAGE:
            self._behind.set()
        else:
            self._progress.passed(upto)
            self._changed.set()

    async def _take_again(self) -> None:
        """Rows asked for again, each after its quarantine record; those not taken up yet come with all others."""
        for row in sorted(self._progress.again):
            while row in self._window or not self._window.room():
                self._changed.clear()
                await self._changed.wait()
            found = await self._journal.row(row) if row <= self._progress.taken else None
            if found is not None:
                # It is not late: it waits from now on.
                self._admit(replace(self._prepare(found), received_ms=round(time.time() * 1000)))
            self._progress.again.discard(row)

    async def _produce(self) -> None:
        """Keep a producer at work: make one, send, and when it is condemned throw it away and make another."""
        while True:
            self._producer = await started(self._make_producer, lambda: self.backlog)
            self._failed.clear()
            for row in self._window.ready():
                self._launch(row)
            while not self._failed.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._failed.wait(), _LOOK_SECONDS)
                if self._started_ms and time.monotonic() - min(self._started_ms.values()) > _STUCK_SECONDS:
                    log.warning("publish_stuck", seconds=_STUCK_SECONDS, in_flight=len(self._sending))
                    self._failed.set()
            await self._drop_producer()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        await ended(list(self._sending.values()))
        if producer is not None:
            with suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), 2)

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        """Save the marks; what cannot be saved is kept, and at worst published once more."""
        marks, self._marks = self._marks, []
        if marks:
            self._marks = await kept_marks(self._journal, marks) + self._marks

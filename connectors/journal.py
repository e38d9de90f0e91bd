"""The intake journal: what a far side sent is durable here before anything else happens to it or it is answered.

One writer thread with group commit: all appends that wait become one transaction, so one fsync carries many documents.
The asyncio side only queues and awaits. See `journal_store` for the file, `journal_reader` for reading it.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog

from connectors.crash_points import Hook
from connectors.journal_reader import Fault, HeldRow, JournalReader, RowIds
from connectors.journal_rows import Entry, Gap, JournalRow, Mark, RowState, Stored, StoredKey, Verdict, document_id
from connectors.journal_sql import Note, digest_of
from connectors.journal_store import JournalStore, Limits, Named, Synchronous
from schemas.errors import Code, Rejected, SztabError, Unavailable
from schemas.privacy import derive

log = structlog.get_logger()

T = TypeVar("T")
Answers = list[Stored | SztabError]

_BATCH_ENTRIES: Final = 256
_BATCH_BYTES: Final = 8 * 1024 * 1024
_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Bytes that may wait for the writer; beyond it an append is refused (the disk is too slow): memory stays bounded."""
_TRIM_EVERY_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Job:
    entries: Sequence[Named]
    notes: Sequence[Note]
    future: "asyncio.Future[Answers]"
    size: int


class Journal:
    """One intake node's journal. `await start()` before use, `await close()` after; both on the loop that uses it.

    Every error of the disk is Unavailable(`journal-unavailable` or `journal-full`), and the next append tries again
    with a newly opened file: nothing is answered with yes that is not durable. Only tests pass `hook`, `synchronous`.
    """

    def __init__(
        self,
        path: Path,
        installation: bytes,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        hook: Hook | None = None,
        synchronous: Synchronous = "FULL",
    ) -> None:
        self.limits = limits or Limits()
        self._ids_key = derive(installation, "ids")
        self._store = JournalStore(path, derive(installation, "journal"), self.limits, clock, hook, synchronous)
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._reads = ThreadPoolExecutor(1, thread_name_prefix="journal-read")
        self._reader = JournalReader(path, installation)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()

    async def start(self) -> None:
        """Start the writer thread."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def failed(self) -> None:
        """Wait until the writer thread has ended: by `close`, or since only a start can mend the file. Unavailable."""
        await self._ended.wait()
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, "the journal's writer has ended")

    async def close(self) -> None:
        """Finish what waits, fold the log in, give the file back."""
        self._queue.put(None)
        if self._loop is not None:
            await asyncio.to_thread(self._thread.join)
        self._reads.shutdown()
        self._reader.close()
        self._store.close()

    @property
    def last_row(self) -> int:
        """The newest durable row's number."""
        return self._store.last_row

    @property
    def fill(self) -> float:
        """Used share of the room, 0 to 1."""
        return self._store.fill

    @property
    def alarm(self) -> bool:
        """Whether a person must look: the journal is filling up."""
        return self.fill >= self.limits.alarm

    async def append(self, entry: Entry) -> Stored:
        """Make one document durable. Unavailable: it is not kept, say so to whoever sent it."""
        answer = (await self.append_all((entry,)))[0]
        if isinstance(answer, SztabError):
            raise answer
        return answer

    async def append_all(self, entries: Sequence[Entry]) -> Answers:
        """Make documents of one source durable, in order; one answer each.

        After the first that is refused all later ones are refused too. Unavailable when the disk failed; and
        (`overloaded`) when it is too slow, for sources that are no emergency ones.
        """
        named = [self.named(entry) for entry in entries]
        size = sum(len(entry.body) for entry in entries)
        ordinary = not all(entry.emergency for entry in entries)
        if ordinary and self._waiting_bytes and self._waiting_bytes + size > _WAITING_BYTES:
            raise Unavailable(Code.OVERLOADED, "too much waits for the journal's disk")
        return await self._put(named, (), size)

    async def note(self, *notes: Note) -> None:
        """Make marks, keys, decisions or cursors durable. Unavailable when the disk failed; Rejected when one of them
        belongs to a row on a damaged page: then none of them is.
        """
        await self._put((), notes, 0)

    async def set_aside(self, row: int, verdict: Verdict) -> None:
        """Note that a row goes to quarantine, and why: so says every later start, whatever translates it then."""
        await self.note(Mark(row, RowState.QUARANTINE_PENDING, verdict=verdict))

    async def document(self, document_id: str) -> JournalRow | None:
        """The row that holds a document; None when this journal does not have it."""
        return await self._read(lambda reader: reader.document(document_id))

    async def unpublished(self, after_row: int, limit: int) -> list[JournalRow]:
        """Rows that still have to reach the broker, in row order, with their bytes."""
        return await self._read(lambda reader: reader.unpublished(after_row, limit))

    async def row(self, row: int) -> JournalRow | None:
        """The row of that number; None when this journal does not have it."""
        return await self._read(lambda reader: reader.row(row))

    async def held(self) -> list[HeldRow]:
        """Rows that a person must decide on since a restore."""
        return await self._read(lambda reader: reader.held())

    async def gaps(self) -> tuple[Gap, ...]:
        """The times of which the journal does not know what this node took."""
        return await self._read(lambda reader: reader.gaps())

    async def backlog(self) -> int:
        """How many rows still have to reach the broker, by the marks."""
        return await self._read(lambda reader: reader.backlog())

    async def ids(self, after_row: int, limit: int) -> list[RowIds]:
        """Ids of all rows after one, for the ledger."""
        return await self._read(lambda reader: reader.ids(after_row, limit))

    async def cursor(self, source: str) -> str | None:
        """Where a source goes on."""
        return await self._read(lambda reader: reader.cursor(source))

    async def key(self, thread_id: str) -> StoredKey | None:
        """A thread's wrapped key."""
        return await self._read(lambda reader: reader.key(thread_id))

    async def verify(self) -> list[Fault]:
        """What is wrong with the file; empty when nothing is."""
        return await self._read(lambda reader: list(reader.verify()))

    async def backup(self, target: Path) -> None:
        """Copy the journal as it stands to a new file, while it is being written."""
        await self._read(lambda reader: reader.backup(target))

    def named(self, entry: Entry) -> Named:
        """The entry with the document id and the digest that it gets or has. Nothing is written."""
        digest = digest_of(entry.body)
        return document_id(self._ids_key, entry.far_system, digest.hex(), entry.occurrence), digest, entry

    async def _put(self, entries: Sequence[Named], notes: Sequence[Note], size: int) -> Answers:
        if self._loop is None or not self._thread.is_alive():
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, "the journal is closed")
        job = _Job(entries, notes, self._loop.create_future(), size)
        self._waiting_bytes += size
        self._queue.put(job)
        return await job.future

    async def _read(self, ask: Callable[[JournalReader], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reads, ask, self._reader)

    def _write(self) -> None:
        """The writer thread: take all that waits, commit it, tell the loop once; trim in between."""
        trimmed_at = time.monotonic()
        going = True
        try:
            while going and not self._store.broken:
                jobs, going = self._take()
                if jobs:
                    self._commit(jobs)
                if time.monotonic() - trimmed_at >= _TRIM_EVERY_SECONDS:
                    self._trim()
                    trimmed_at = time.monotonic()
        finally:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(self._ended.set)

    def _take(self) -> tuple[list[_Job], bool]:
        jobs: list[_Job] = []
        count = size = 0
        try:
            job = self._queue.get(timeout=_TRIM_EVERY_SECONDS)
            while job is not None:
                jobs.append(job)
                count += max(1, len(job.entries))
                size += job.size
                if count >= _BATCH_ENTRIES or size >= _BATCH_BYTES:
                    return jobs, True
                job = self._queue.get_nowait()
        except queue.Empty:
            return jobs, True
        return jobs, False

    def _commit(self, jobs: list[_Job]) -> None:
        answers: list[Answers | SztabError]
        try:
            notes = [note for job in jobs for note in job.notes]
            answers = [*self._store.commit([job.entries for job in jobs], notes)]
        except Unavailable as error:
            notes_alone = [job for job in jobs if not job.entries]
            if error.code is Code.JOURNAL_FULL and len(notes_alone) not in {0, len(jobs)}:
                # Keys and marks make room: they have a reserve of their own, beside documents that are refused.
                self._commit(notes_alone)
                jobs = [job for job in jobs if job.entries]
            answers = [error] * len(jobs)
        except (TypeError, ValueError, OverflowError, Rejected) as error:
            # One holds a value that SQLite cannot take, or meets a damaged page: it must not spoil its neighbours.
            if len(jobs) > 1:
                for job in jobs:
                    self._commit([job])
                return
            answers = [self._not_kept(jobs[0], error)]
        except Exception as error:  # noqa: BLE001 - ours to mend; whoever waits gets an answer, and the writer goes on
            log.error("journal_bug", error=type(error).__name__)  # noqa: TRY400 - its text may quote a document
            answers = [Unavailable(Code.JOURNAL_UNAVAILABLE, "the journal failed")] * len(jobs)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._tell, jobs, answers)

    def _not_kept(self, job: _Job, error: Exception) -> SztabError:
        """The answer for the one job that cannot be written. A document is refused: another node may take it."""
        if isinstance(error, Rejected) and not job.entries:
            return error
        if isinstance(error, Rejected):
            log.error("journal_damaged", code=error.code.value)
        return Unavailable(Code.JOURNAL_UNAVAILABLE, "the journal cannot hold this document")

    def _trim(self) -> None:
        try:
            self._store.trim()
        except Exception as error:  # noqa: BLE001 - ours to mend; the writer goes on, and a filling journal is told
            log.error("journal_bug", error=type(error).__name__)  # noqa: TRY400 - as above

    def _tell(self, jobs: list[_Job], answers: list[Answers | SztabError]) -> None:
        for job, answer in zip(jobs, answers, strict=True):
            self._waiting_bytes -= job.size
            if job.future.done():
                continue
            if isinstance(answer, SztabError):
                job.future.set_exception(answer)
            else:
                job.future.set_result(answer)

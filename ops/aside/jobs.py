"""Replaying many: a frozen selection, one after the other, with its state on disk. It goes on after a kill.

A job is a file of lines: first what it is (its selection by id included), then one line for each item that has its end.
An item is tried once by a job: one that comes back waits for a person, and no job of ours begins by itself.
"""

import asyncio
import os
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import structlog

from ops.aside.desk import REPLAYABLE, Desk
from ops.aside.shelf import INTAKE, Item, Wanted
from ops.aside.topic import pen
from schemas.delivery import Handling
from schemas.errors import Code, Rejected, SztabError, Unavailable
from streams.leaving import whereabouts

log = structlog.get_logger()

PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
FRESH_EVERY: Final = 50
"""Items between two looks at what others did meanwhile."""
MOST: Final = 100_000
FAILED: Final = "failed"


@dataclass
class Job:
    """One replay of many. `ended` maps an item to what became of it; `waits` is why it stands still, if it does."""

    id: str
    actor: str
    reason: str
    selection: tuple[str, ...]
    wanted: Mapping[str, Any]
    created_at: str
    ended: dict[str, str] = field(default_factory=dict)
    waits: str = ""

    def shown(self) -> dict[str, Any]:
        """Its progress."""
        return {
            "job": self.id,
            "actor": self.actor,
            "reason": self.reason,
            "wanted": dict(self.wanted),
            "created_at": self.created_at,
            "selected": len(self.selection),
            "done": len(self.ended),
            "outcomes": dict(sorted(Counter(self.ended.values()).items())),
            "state": "done" if len(self.ended) == len(self.selection) else "waiting" if self.waits else "running",
            **({"waits": self.waits} if self.waits else {}),
        }


class JobFile:
    """The folder of jobs. Every line is on disk before it counts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, job: Job) -> None:
        """Keep a new job. Unavailable when the disk does not take it."""
        head = {"id": job.id, "actor": job.actor, "reason": job.reason, "created_at": job.created_at}
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._append(job.id, {**head, "selection": list(job.selection), "wanted": dict(job.wanted)})

    def note(self, job: Job, item_id: str, outcome: str) -> None:
        """Keep what became of an item."""
        self._append(job.id, {"item": item_id, "outcome": outcome})

    def read(self) -> list[Job]:
        """Every job, oldest first. A last line that was torn by a crash is passed over, and its item tried again."""
        found = [self._read(file) for file in sorted(self._folder.glob("*.jsonl"))]
        return sorted((one for one in found if one is not None), key=lambda one: (one.created_at, one.id))

    def _append(self, job_id: str, line: Mapping[str, Any]) -> None:
        file = self._folder / f"{job_id}.jsonl"
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as kept:
                kept.write(b"\n" + orjson.dumps(line))
                kept.flush()
                os.fsync(kept.fileno())
        except OSError as error:
            detail = f"the job cannot be kept ({error.strerror})"
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, detail) from None

    @staticmethod
    def _read(file: Path) -> Job | None:
        lines: list[dict[str, Any]] = []
        for line in file.read_bytes().split(b"\n"):
            with suppress(orjson.JSONDecodeError):
                lines.append(orjson.loads(line))
        if not lines or "selection" not in lines[0]:
            return None
        head = lines[0]
        job = Job(
            head["id"], head["actor"], head["reason"], tuple(head["selection"]), head["wanted"], head["created_at"]
        )
        job.ended = {line["item"]: line["outcome"] for line in lines[1:] if "item" in line}
        return job


class Jobs:
    """The jobs of one intake node. `await start()` takes up what is unfinished; `await stop()` leaves it for later."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self._desk, self._files = desk, JobFile(folder)
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._one = asyncio.Lock()

    async def start(self) -> None:
        """Go on with every job that has not come to its end."""
        for job in await asyncio.to_thread(self._files.read):
            self._jobs[job.id] = job
            if len(job.ended) < len(job.selection):
                self._launch(job)

    async def stop(self) -> None:
        """Stop; also twice."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def all(self) -> list[dict[str, Any]]:
        """Every job of this node with its progress, newest first."""
        return [job.shown() for job in reversed(self._jobs.values())]

    def of(self, job_id: str) -> dict[str, Any]:
        """One job, with what became of each item. Rejected(`unknown-here`) for one that this node does not have."""
        job = self._jobs.get(job_id)
        if job is None:
            raise Rejected(Code.UNKNOWN_HERE, "this node has no such job")
        return {**job.shown(), "items": dict(job.ended)}

    async def preview(self, wanted: Wanted) -> dict[str, Any]:
        """What a job would replay, and what would become of it as far as that can be told. Nothing is done."""
        would: Counter[str] = Counter()
        mine, others = await self._selected(wanted)
        for item in mine:
            would[await self._would(item)] += 1
        return {"selected": len(mine), "elsewhere": len(others), "would": dict(sorted(would.items()))}

    async def begin(self, wanted: Wanted, told: Mapping[str, Any], actor: str, reason: str) -> Job:
        """Freeze the selection, keep it, and begin. Rejected(`too-large`) when it is more than a job may hold."""
        mine, _ = await self._selected(wanted)
        if len(mine) > MOST:
            raise Rejected(Code.TOO_LARGE, f"more than {MOST} items: narrow it by time")
        ids = tuple(one.item_id for one in mine)
        job = Job(str(uuid.uuid4()), actor, reason, ids, told, datetime.now(UTC).isoformat())
        await asyncio.to_thread(self._files.begin, job)
        self._jobs[job.id] = job
        self._launch(job)
        return job

    async def _selected(self, wanted: Wanted) -> tuple[list[Item], list[Item]]:
        """What is open and meant: what can re-enter from this node, and what cannot."""
        shelf = await self._desk.shelved.fresh()
        mine: list[Item] = []
        others: list[Item] = []
        for item in wanted.of(shelf.items.values()):
            try:
                self._desk.reentry.check(item)
                mine.append(item)
            except SztabError:
                others.append(item)
        return mine, others

    async def _would(self, item: Item) -> str:
        if item.stage != INTAKE:
            return "re-enter"
        try:
            verdict = await self._desk.reentry.replaying.would_again(str(item.told["document_id"]))
        except Rejected as error:
            return error.code.value
        return "accepted" if verdict is None else verdict.code.value

    def _launch(self, job: Job) -> None:
        task = asyncio.create_task(self._run(job), name=f"quarantine job {job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job) -> None:
        """Run to the end; what is away is waited for. One job at a time."""
        failures = 0
        async with self._one:
            while len(job.ended) < len(job.selection):
                before = len(job.ended)
                try:
                    await self._some(job)
                except Unavailable as error:
                    failures = 0 if len(job.ended) > before else failures + 1
                    job.waits = error.code.value
                    log.warning("quarantine_job_waits", job=job.id, code=error.code.value)
                    await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
        log.info("quarantine_job_done", job=job.id, items=len(job.selection))

    async def _some(self, job: Job) -> None:
        """The next items, as they stand now."""
        shelf = await self._desk.shelved.fresh()
        rest = [one for one in job.selection if one not in job.ended][:FRESH_EVERY]
        async with pen(self._desk.reentry.cluster()) as writing:
            for item_id in rest:
                outcome = await self._one_item(job, shelf.items.get(item_id), writing)
                await asyncio.to_thread(self._files.note, job, item_id, outcome)
                job.ended[item_id] = outcome
                job.waits = ""

    async def _one_item(self, job: Job, item: Item | None, writing: Any) -> str:
        """What became of an item: `replayed`, `refused:<code>`, `gone`, or why it was left alone."""
        if item is None:
            return "gone"
        if any(act.job == job.id and act.handling is not Handling.REPLAYING for act in item.history):
            return "tried"  # by this job before it was killed: what came back since waits for a person
        if item.state not in REPLAYABLE:
            return item.state.value
        try:
            await self._desk.replay_with(writing, item, job.actor, job.reason, job.id)
        except Rejected as error:
            return f"refused:{error.code.value}"
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one item must not end the job; it stays open
            log.error("quarantine_job_bug", job=job.id, where=whereabouts(error))  # noqa: TRY400 - see whereabouts
            return FAILED
        return Handling.REPLAYED.value

"""Replaying many: a frozen selection, a state on disk, each item tried once, whatever happens to the process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ops.aside import jobs as jobs_module
from ops.aside.gauges import Gauges, keep
from ops.aside.jobs import Job, JobFile, Jobs
from ops.aside.shelf import Shelf, Wanted
from ops.metrics import Metrics
from schemas.delivery import Handling
from schemas.errors import Code, Unavailable
from schemas.topics import LOG
from streams.contract import Output
from tests.ops.aside.desktop import Desktop, desktop
from tests.ops.aside.papers import AT, Topic
from tests.waiting import until

OPEN = Wanted(states=("open",))


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desktop]:
    """With three records of one stage set aside."""
    monkeypatch.setattr(jobs_module, "PAUSES", (0.01,))
    async with desktop(tmp_path, monkeypatch) as one:
        for name in ("a", "b", "c"):
            aside(one.topic, name)
        yield one


def aside(topic: Topic, name: str) -> None:
    """A record that the incidents processor could not step."""
    told: dict[str, Any] = {
        "topic": LOG,
        "partition": 1,
        "offset": 3,
        "record": name.encode(),
        "record_headers": (("ce_id", b"x"),),
    }
    topic.seen(name, "incidents", Code.STEP_BUG, **told)


async def begun(desk: Desktop) -> Job:
    """A job over everything that is open."""
    job: Job = await desk.jobs.begin(OPEN, {}, "anna", "mended")
    return job


async def ended(jobs: Jobs, job_id: str) -> dict[str, Any]:
    """The job at its end."""
    await until(lambda: jobs.of(job_id)["state"] == "done")
    return jobs.of(job_id)


def values(desk: Desktop) -> list[bytes | None]:
    """What re-entered, in order."""
    return [output.value for output, _ in desk.put]


async def test_the_selection_is_frozen_and_oldest_first(desk: Desktop) -> None:
    """What comes while it runs is not replayed by it."""
    desk.when_put_back = lambda _: aside(desk.topic, "late") if len(desk.put) == 1 else None
    told = await ended(desk.jobs, (await begun(desk)).id)
    assert values(desk) == [b"a", b"b", b"c"]
    assert (told["selected"], told["outcomes"]) == (3, {"replayed": 3})
    assert desk.topic.shelf.items["late"].state.value == "open"


async def test_what_comes_back_is_not_replayed_again_by_the_job(desk: Desktop) -> None:
    """It is open in front of a person, with its tries; the job ends."""

    def back(output: Output) -> None:
        aside(desk.topic, (output.value or b"").decode())

    desk.when_put_back = back
    told = await ended(desk.jobs, (await begun(desk)).id)
    assert told["outcomes"] == {"replayed": 3}
    assert {(one.state.value, one.tries, one.times) for one in desk.topic.shelf.items.values()} == {("open", 1, 2)}
    assert len(desk.put) == 3


async def test_a_job_goes_on_after_a_kill(desk: Desktop) -> None:
    """Killed in the middle: another process takes it up from the disk and does what is left, nothing twice."""
    reached = asyncio.Event()

    def stuck(output: Output) -> None:
        if output.value == b"b":
            reached.set()
            raise asyncio.CancelledError

    desk.when_put_back = stuck
    job = await begun(desk)
    await reached.wait()
    await desk.jobs.stop()
    desk.when_put_back = lambda _: None
    aside(desk.topic, "late")
    later = Jobs(desk.desk, desk.folder / "quarantine")
    await later.start()
    try:
        told = await ended(later, job.id)
    finally:
        await later.stop()
    assert values(desk) == [b"a", b"b", b"b", b"c"], "b was under way: its repeat is harmless; a is not repeated"
    assert told["outcomes"] == {"replayed": 3}
    assert (told["reason"], told["actor"], told["selected"]) == ("mended", "anna", 3)


async def test_an_item_that_the_killed_job_had_ended_and_that_came_back_is_left_alone(desk: Desktop) -> None:
    """The kill came between the act and its line in the file: the act's own record guards against the loop."""
    job = Job("job-1", "anna", "mended", ("a",), {}, "2026-11-26T12:00:00+00:00")
    JobFile(desk.folder / "quarantine").begin(job)
    desk.topic.act(Handling.REPLAYING, item_id="a", job="job-1")
    desk.topic.act(Handling.REPLAYED, item_id="a", job="job-1")
    aside(desk.topic, "a")
    later = Jobs(desk.desk, desk.folder / "quarantine")
    await later.start()
    try:
        assert (await ended(later, "job-1"))["items"] == {"a": "tried"}
    finally:
        await later.stop()
    assert desk.put == []


async def test_a_broker_that_is_away_is_waited_for(desk: Desktop) -> None:
    """The job tells why it stands still, loses nothing, and ends once the broker is back."""
    desk.away = True
    job = await begun(desk)
    await until(lambda: desk.jobs.of(job.id)["state"] == "waiting")
    assert desk.jobs.of(job.id)["waits"] == "broker-unavailable"
    desk.away = False
    assert (await ended(desk.jobs, job.id))["outcomes"] == {"replayed": 3}


async def test_one_item_does_not_end_the_job(desk: Desktop) -> None:
    """One that somebody settled meanwhile, one whose record is gone, one that shows a bug of ours: the rest go on."""

    def bug(output: Output) -> None:
        if output.value == b"b":
            raise ZeroDivisionError

    desk.when_put_back = bug
    job = Job("job-1", "anna", "mended", ("a", "b", "gone", "c"), {}, "2026-11-26T12:00:00+00:00")
    desk.topic.act(Handling.CORRECTED, item_id="a", corrected_by="d")
    JobFile(desk.folder / "quarantine").begin(job)
    later = Jobs(desk.desk, desk.folder / "quarantine")
    await later.start()
    try:
        told = await ended(later, "job-1")
    finally:
        await later.stop()
    assert told["items"] == {"a": "corrected", "b": "failed", "gone": "gone", "c": "replayed"}
    assert desk.topic.shelf.items["b"].state.value == "open"


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    """A crash in the middle of a line costs that line: its item is tried again, the job and the others are kept."""
    files = JobFile(tmp_path)
    job = Job("job-1", "anna", "mended", ("a", "b"), {"code": ["step-bug"]}, "2026-11-26T12:00:00+00:00")
    files.begin(job)
    files.note(job, "a", "replayed")
    with (tmp_path / "job-1.jsonl").open("ab") as file:
        file.write(b'\n{"item": "b", "outc')
    files.note(job, "b", "gone")
    (read,) = files.read()
    assert (read.selection, read.ended, read.wanted) == (job.selection, {"a": "replayed", "b": "gone"}, job.wanted)
    (tmp_path / "torn.jsonl").write_bytes(b'\n{"id": "torn", "selec')
    assert [one.id for one in files.read()] == ["job-1"]


def test_age_and_number_are_metrics() -> None:
    """The oldest open item's age grows by itself; a reason that has none left goes back to zero."""
    metrics, topic = Metrics(), Topic()
    now = AT.timestamp()
    gauges = Gauges(metrics, lambda: now)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"sztab_quarantine_{name}", labels)

    assert (value("oldest_seconds"), value("read_seconds"), value("open", code="too-deep")) == (0, -1, None)
    topic.seen("a", code=Code.TOO_DEEP)
    topic.seen("b")
    gauges.show(topic.shelf.items.values())
    assert value("open", code="too-deep") == 1
    now = AT.timestamp() + 600
    assert value("oldest_seconds") == 600
    topic.act(Handling.DISCARDED, item_id="a")
    gauges.show(topic.shelf.items.values())
    assert (value("open", code="too-deep"), value("open", code="syntax-invalid")) == (0, 1)
    assert value("oldest_seconds") == 540


async def test_reading_goes_on_whatever_happens() -> None:
    """Without a broker, and over a bug of ours: the next look is taken, and the age is told meanwhile."""
    topic, metrics = Topic(), Metrics()
    topic.seen()
    wrong: list[Exception] = [Unavailable(Code.BROKER_UNAVAILABLE, "away"), ZeroDivisionError()]

    class Reader:
        async def fresh(self) -> Shelf:
            if wrong:
                raise wrong.pop(0)
            return topic.shelf

    reader: Any = Reader()
    task = asyncio.create_task(keep(reader, Gauges(metrics), 0.001))
    try:
        name = "sztab_quarantine_open"
        await until(lambda: metrics.registry.get_sample_value(name, {"code": "syntax-invalid"}) == 1)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

"""The derived figures on a real broker: right, right again after a kill, and the same after a rebuild."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from ops import runtime
from ops.provision import provision, wanted
from ops.reading import Cluster, Reading
from ops.settings import load
from ops.tally_cli import rebuild_figures
from ops.tallying import Progress, Reset, reset
from schemas.feed import Figure
from schemas.incident import Fact
from schemas.topics import ALARMS_NOW, FACTS, FIGURES, TALLY, catalogue, changelog
from schemas.wire import parse
from streams.figures import Book, of_fact
from streams.figures import figure as figure_of
from tests.broker.tally_worker import told
from tests.streams.facts import linked, opened, summary
from tests.waiting import until

DEADLINE_SECONDS = 60.0
UNITS = ("a", "b", "c")
CATEGORIES = ("fire.building", "crime.theft")
TOPICS = {FACTS, ALARMS_NOW, FIGURES, *(changelog(name, source) for name, source in TALLY)}

pytestmark = pytest.mark.timeout(240)

Figures = dict[str, tuple[int, float | None]]


@pytest.fixture
async def place(kafka, prefix, tmp_path) -> Cluster:
    """The topics of the tally, two partitions for the facts."""
    topics = {name: topic for name, topic in catalogue().items() if name in TOPICS}
    await provision({"bootstrap_servers": kafka.bootstrap_servers}, wanted(topics, prefix, 1, 2, {}), dry_run=False)
    return Cluster(kafka.bootstrap_servers, prefix)


def facts(first: int, last: int) -> list[Fact]:
    """Incidents opened and joined in three territories, by number."""
    made = []
    for number in range(first, last):
        unit = UNITS[number % 3]
        one = summary(category=CATEGORIES[number % 2])
        make = linked if number % 4 == 3 else opened
        made.append(make(fact_id=f"f-{number}", unit=unit, summary=one))
    return made


async def put(cluster: Cluster, some: list[Fact]) -> None:
    """Write facts keyed by unit, acknowledged."""
    producer = cluster.producer()
    await producer.start()
    try:
        for fact in some:
            await producer.send(cluster.prefix + FACTS, key=fact.unit.encode(), value=fact.to_json())
        await producer.flush()
    finally:
        await producer.stop()


def expected(some: list[Fact]) -> Figures:
    """The figures by plain counting."""
    table: dict[str, list[object]] = {}
    book = Book(table, 1e12)
    for number, fact in enumerate(some):
        book.count(number, of_fact(fact.to_json(), 600))
    return {key: (figure.count, figure.total_seconds) for key, figure in book.figures()}


async def figures(cluster: Cluster) -> Figures:
    """The figures as a dashboard would see them: the last value of each key."""
    found: dict[bytes, bytes | None] = {}
    async for _, records in Reading(cluster, [FIGURES]).on():
        found |= {one.key: one.value for one in records}
    now = {key.decode(): parse(Figure, value) for key, value in found.items() if value is not None}
    return {key: (one.count, one.total_seconds) for key, one in now.items()}


async def shown(cluster: Cluster, some: list[Fact]) -> Figures:
    """Wait until the figures are those of the facts."""
    aim = expected(some)

    found: Figures = {}

    async def there() -> bool:
        nonlocal found
        found = await figures(cluster)
        return found == aim

    try:
        await until(there, DEADLINE_SECONDS, what="the figures of the facts")
    except AssertionError:
        differing = {
            key: (found.get(key), aim.get(key)) for key in found.keys() | aim if found.get(key) != aim.get(key)
        }
        pytest.fail(
            f"{len(differing)} of {len(aim)} figures differ (found, expected): {dict(sorted(differing.items())[:9])}"
        )
    return aim


@contextmanager
def tally(cluster: Cluster, datadir: Path) -> Iterator[Callable[[], None]]:
    """A tally in its own process; the value kills it with SIGKILL."""
    given = {"servers": cluster.bootstrap_servers, "prefix": cluster.prefix, "datadir": str(datadir)}
    command = [sys.executable, "-m", "tests.broker.tally_worker", orjson.dumps(given).decode()]
    with running(command, datadir.parent) as process:

        def kill() -> None:
            process.kill()
            process.wait()

        yield kill


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process, its output in a file of the folder; killed at the end."""
    log = (folder / "process.log").open("ab")
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(Path.cwd())})

    try:
        yield process
    finally:
        process.kill()
        process.wait()
        log.close()


async def test_figures_are_right_killed_and_rebuilt(place: Cluster, tmp_path: Path):
    """Right for a log; killed in the middle of more and started again, right in the end; rebuilt, equal."""
    first, second = facts(0, 300), facts(300, 1_500)
    await put(place, first)
    with tally(place, tmp_path / "data") as kill:
        await shown(place, first)
        await put(place, second)

        async def moving() -> bool:
            return await figures(place) != expected(first)

        await until(moving, DEADLINE_SECONDS, what="some of the second facts")
        kill()
    with tally(place, tmp_path / "data"):
        aim = await shown(place, first + second)
    group = told({"servers": "", "prefix": place.prefix, "datadir": "x"}).app_id
    done = await reset(place, group)
    assert (done.entries, done.figures) == (len(aim), len(aim))
    assert await figures(place) == {}
    with tally(place, tmp_path / "data"):
        assert await shown(place, first + second) == aim

        async def caught_up() -> bool:
            progress = Progress(place, group)
            await progress.look()
            return progress.lag == 0

        await until(caught_up, DEADLINE_SECONDS, what="the tally has no lag")


async def test_the_running_role_rebuilds_when_asked(place: Cluster, tmp_path: Path):
    """`sztab run tally` counts; asked through the data folder it takes all back, counts anew and still runs."""
    some = facts(0, 200)
    await put(place, some)
    config = tmp_path / "sztab.toml"
    config.write_text(
        f'data_dir = "data"\n[installation]\nprefix = "{place.prefix}"\nmode = "exercise"\n'
        f'[kafka]\nbootstrap_servers = "{place.bootstrap_servers}"\nwide = 2\n',
        encoding="utf-8",
    )
    settings = load(config)
    with running([sys.executable, "-m", "ops", "--config", str(config), "run", "tally"], tmp_path) as process:
        await shown(place, some)
        told_by = await rebuild_figures(settings, DEADLINE_SECONDS)
        assert "the running tally" in str(told_by["by"])
        await shown(place, some)
        here = runtime.running(settings, "tally")
        assert here is not None
        assert here.pid == process.pid
        process.terminate()
        assert await asyncio.to_thread(process.wait, 10) == 0


async def test_a_reset_of_nothing(place: Cluster):
    """An installation that never tallied is reset without a complaint; a key of the catalogue names the figure."""
    parts = sum(
        topic.partitions if name == ALARMS_NOW else 2
        for name, topic in catalogue().items()
        if name in {FACTS, ALARMS_NOW}
    )
    assert await reset(place, f"{place.prefix}tally") == Reset(0, 0, parts)
    assert figure_of("reports_by_unit|a|600|0", [3, None, 7]).count == 3

"""`sztab feed` on a real broker: every row once, whatever stops it; run again nothing is new; the clock in the end."""

import asyncio
import gzip
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition

from ops import feed as feeding
from ops import kafka as clients
from ops import runtime
from ops.broker import EmbeddedKafka
from ops.feed import feed
from ops.feed_summary import Order, Summary
from ops.provision_cli import provision_installation
from ops.settings import Settings, load
from schemas.command import Tick
from schemas.errors import Misconfigured, Unavailable
from schemas.report import Report
from schemas.topics import LOG, POLICE, QUARANTINE
from schemas.wire import payload
from tests.waiting import until

MAPPING = """
name: calls
title: Calls of a county
unit: county
clock: records
time: {column: at, zone: UTC}
category: {column: kind}
text: {description: kind}
"""
ROWS = 1_200


@pytest.fixture
def settings(kafka: EmbeddedKafka, prefix: str, tmp_path: Path) -> Settings:
    """A provisioned installation without sources."""
    file = tmp_path / "sztab.toml"
    file.write_text(
        f'[installation]\nprefix = "{prefix}"\n[kafka]\nbootstrap_servers = "{kafka.bootstrap_servers}"\nwide = 3\n'
    )
    told = load(file)
    runtime.prepare(told)
    provision_installation(told, dry_run=False)
    return told


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """A file of 1,200 rows: 40 equal to an earlier one, one that is broken."""
    (tmp_path / "calls.yaml").write_text(MAPPING)
    rows = [f"2016-01-01 {n // 60 % 24:02d}:{n % 60:02d}:00,FIRE {n}" for n in range(ROWS - 41)]
    rows += [*rows[:40], "no time at all,FIRE"]
    (tmp_path / "calls.csv").write_text("at,kind\n" + "\n".join(rows) + "\n")
    return Order(tmp_path / "calls.csv", str(tmp_path / "calls.yaml"), wait_seconds=0.0)


async def normalised(settings: Settings) -> None:
    """Let the group of normalise have committed everything in the lane, as if the streams role had run."""
    cluster = clients.cluster(settings)
    consumer = cluster.consumer(f"{cluster.prefix}normalise.{POLICE}", None)
    await consumer.start()
    try:
        places = [TopicPartition(cluster.prefix + POLICE, part) for part in range(3)]
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))
    finally:
        await consumer.stop()


async def told(settings: Settings, topic: str) -> list[object]:
    """The payloads of a topic."""
    return [payload(one.headers, one.value) async for one in clients.read_all(settings, [topic])]


async def reports(settings: Settings) -> Counter[str]:
    """Report ids of the lane, with how often each is there."""
    return Counter(one.report_id for one in await told(settings, POLICE) if isinstance(one, Report))


async def ticks(settings: Settings) -> list[str]:
    """Units and times of the ticks in the log."""
    return [f"{one.unit} {one.at.isoformat()}" for one in await told(settings, LOG) if isinstance(one, Tick)]


def counts(done: Summary) -> tuple[int, ...]:
    """What became of the rows."""
    return done.before, done.rows, done.accepted, done.repeated, done.quarantined


async def test_every_row_arrives_once_and_again_changes_nothing(settings: Settings, order: Order) -> None:
    """Equal rows are as many reports; the broken one is in quarantine; fed again, from any place, nothing is new."""
    first = await feed(settings, order)
    assert counts(first) == (0, ROWS, ROWS - 1, 0, 1)
    found = await reports(settings)
    assert (len(found), found.total()) == (ROWS - 1, ROWS - 1)
    assert len(await told(settings, QUARANTINE)) == 1
    resumed = await feed(settings, order)
    assert counts(resumed) == (ROWS, 0, 0, 0, 0)
    assert resumed.as_json()["nothing_new"]
    repeated = await feed(settings, replace(order, again=True))
    assert counts(repeated) == (0, ROWS, 0, ROWS, 0)
    assert await reports(settings) == found


async def test_the_log_can_have_the_order_of_the_file(settings: Settings, order: Order) -> None:
    """Time passes by these rows: they lie in one partition, each behind the row before it."""
    await feed(settings, order)
    read = [one async for one in clients.read_all(settings, [POLICE])]
    assert len({one.partition for one in read}) == 1
    found = [payload(one.headers, one.value) for one in read]
    rows = [one.document.row for one in found if isinstance(one, Report)]
    assert len(rows) == ROWS - 1
    assert rows == sorted(rows)


async def test_a_feed_that_was_stopped_goes_on(settings: Settings, order: Order) -> None:
    """Cancelled in the middle, and once more: at the end every row is there, none twice as a report."""
    for rows in (300, 700):
        seen: list[Summary] = []
        task = asyncio.create_task(feed(settings, replace(order, speed=30_000.0), seen.append))
        await until(lambda seen=seen, rows=rows: seen and seen[-1].before + seen[-1].rows >= rows)  # type: ignore[misc]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    last = await feed(settings, order)
    assert last.before >= 300
    assert last.complete
    assert len(await reports(settings)) == ROWS - 1


async def test_the_clock_is_set_when_the_rows_are_normalised(settings: Settings, order: Order) -> None:
    """Not before: a tick that overtakes its rows would make all of them late. The exit status tells."""
    early = await feed(settings, order)
    assert (early.complete, early.ticked, early.good) == (True, False, False)
    assert await ticks(settings) == []
    await normalised(settings)
    done = await feed(settings, order)
    assert (done.rows, done.good) == (0, True)
    assert await ticks(settings) == ["county 2016-01-01T19:18:00+00:00"]
    assert (await feed(settings, order)).good
    assert len(await ticks(settings)) == 1


async def test_a_file_that_breaks_is_told(settings: Settings, order: Order) -> None:
    """Its whole rows count, a document in quarantine says so, and the feed has not ended well."""
    order.path.write_bytes(gzip.compress(order.path.read_bytes())[:-400])
    done = await feed(settings, order)
    assert not done.complete
    assert not done.good
    assert 0 < done.accepted < ROWS
    assert done.quarantined == 1


async def test_a_pace_is_kept(settings: Settings, order: Order) -> None:
    """A speed of 120 plays two minutes of the file in no less than a second; rows of one moment go together."""
    order.path.write_text("at,kind\n" + "".join(f"2016-01-01 00:0{n}:00,X{n}\n" * 3 for n in range(3)))
    done = await feed(settings, replace(order, speed=120.0))
    assert done.accepted == 9
    assert done.seconds >= 1.0


async def test_a_broker_that_is_away_is_said(
    settings: Settings, order: Order, kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is safe, and the next feed sends it."""
    monkeypatch.setattr(feeding, "STUCK_SECONDS", 0.5)
    with pytest.raises(Unavailable, match="safe in the journal"):
        await feed(
            settings.model_copy(
                update={"kafka": settings.kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"})}
            ),
            order,
        )
    done = await feed(settings, order)
    assert done.complete
    assert len(await reports(settings)) == ROWS - 1


async def test_a_wrong_order_feeds_nothing(settings: Settings, order: Order) -> None:
    """A missing column is told before a journal exists."""
    order.path.write_text("when,kind\nx,y\n")
    with pytest.raises(Misconfigured, match="at"):
        await feed(settings, order)
    assert list((settings.data_dir / "journal").glob("feed-*")) == []

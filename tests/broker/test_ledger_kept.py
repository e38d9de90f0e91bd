"""The ledger that keeps itself up to date, on a real broker: the same verdicts as the one that reads everything."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
from aiokafka import TopicPartition

from connectors.journal import Journal
from connectors.journal_rows import Entry, Mark, RowState
from ops.bookkeeping.judging import Verdict
from ops.bookkeeping.keeper import Keeper
from ops.bookkeeping.store import Store
from ops.ledger_sources import Where
from ops.reading import Cluster
from schemas.errors import Unavailable
from schemas.topics import FACTS
from streams.contract import Output
from tests.broker.test_ledger_read import REPORTS, decision, fact, feed_status, receipt, write
from tests.broker.test_ledger_read import where as where
from tests.waiting import until

MAKERS = (fact, decision, receipt)


@pytest.fixture
async def keeper(where: Where) -> AsyncIterator[Keeper]:
    """A ledger with a file of its own."""
    one = Keeper(where, Store(where.journal_file.parent / "ledger" / "ledger.db", "here"))
    await one.open()
    try:
        yield one
    finally:
        await one.close()


async def worked(cluster: Cluster, group: str = f"route.{FACTS}", topic: str = FACTS) -> None:
    """A stage has worked on everything that its topic holds: its group has committed the ends."""
    parts = [TopicPartition(cluster.prefix + topic, at) for at in (await cluster.partitions([topic]))[topic]]
    consumer = cluster.consumer(cluster.prefix + group, None)
    await consumer.start()
    try:
        consumer.assign(parts)
        await consumer.commit(await consumer.end_offsets(parts))
    finally:
        await consumer.stop()


async def judged(keeper: Keeper, *, route: bool = True) -> Verdict:
    """The verdict once nothing is fresh any more, and route has worked on all facts."""
    if route:
        await worked(keeper.where.cluster)

    async def known() -> bool:
        """A cluster that has just started has no coordinator for some seconds: until then nobody knows."""
        with suppress(Unavailable):
            await keeper.judge()
            return True
        return False

    await until(known, 60, "a first verdict")
    return await keeper.judge()


async def test_everything_is_settled_and_leaves_memory(keeper: Keeper, where: Where) -> None:
    """Three reports with their facts, decisions and receipts balance, and nothing stays open."""
    await write(where.cluster, [make(name) for name in REPORTS for make in MAKERS])
    verdict = await judged(keeper)
    told = verdict.ledger
    assert (told.balanced, told.accepted, told.delivered, told.in_flight, told.reports) == (True, 3, 3, 0, 3)
    assert not keeper.book.news
    assert verdict.oldest_ms == {}


async def test_what_is_lost_is_named_and_what_comes_after_all_is_counted(keeper: Keeper, where: Where) -> None:
    """A receipt that was never written is named; once it is there, everything balances."""
    everything = [make(name) for name in REPORTS for make in MAKERS]
    left_out = everything.pop()
    await write(where.cluster, everything)
    lost = (await judged(keeper)).ledger
    assert (lost.balanced, lost.missing) == (False, {"without_receipt": ["d-report-2"]})
    assert (lost.accepted, lost.delivered, lost.in_flight) == (3, 2, 0)
    await write(where.cluster, [left_out])
    told = (await judged(keeper)).ledger
    assert (told.balanced, told.accepted, told.delivered) == (True, 3, 3)


async def test_it_goes_on_after_a_restart(keeper: Keeper, where: Where) -> None:
    """What was read is not read again; what comes to something settled, or open before, is put to it."""
    await write(where.cluster, [make(REPORTS[0]) for make in MAKERS] + [fact(REPORTS[1]), decision(REPORTS[1])])
    await judged(keeper)
    await keeper.close()
    again = Keeper(where, Store(keeper.store.path, "here"))
    await again.open()
    try:
        assert set(again.book.facts) == {"f-report-1"}
        rest = [receipt(REPORTS[1]), *(make(REPORTS[2]) for make in MAKERS), receipt(REPORTS[0])]
        await write(where.cluster, rest)
        told = (await judged(again)).ledger
        assert (told.balanced, told.accepted, told.delivered, told.reports) == (True, 3, 3, 3)
        assert again.counts["incident.facts"] == 1
        assert again.counts["rebuilt"] == 0
    finally:
        await again.close()


async def test_it_is_built_anew_when_its_file_is_gone(keeper: Keeper, where: Where) -> None:
    """A file that was deleted, damaged or is another version's: the same account, from the topics."""
    await write(where.cluster, [make(name) for name in REPORTS for make in MAKERS])
    before = (await judged(keeper)).ledger
    await keeper.close()
    path = keeper.store.path
    for harm in (
        path.unlink,
        lambda: path.write_bytes(b"no database" * 1000),
        lambda: sqlite3.connect(path).executescript("UPDATE told SET value = x'22' WHERE name = 'mark'").close(),
    ):
        harm()
        again = Keeper(where, Store(path, "here"))
        await again.open()
        try:
            assert (await judged(again)).ledger == before
            assert again.counts["rebuilt"] == 1
        finally:
            await again.close()


async def test_other_topics_than_those_it_read_make_it_begin_anew(keeper: Keeper, where: Where) -> None:
    """Offsets beyond a topic's end: the topics were made anew, or are another cluster's."""
    await write(where.cluster, [make(name) for name in REPORTS for make in MAKERS])
    await judged(keeper)
    await keeper.pause()
    db = sqlite3.connect(keeper.store.path)
    db.execute("UPDATE told SET value = CAST(replace(value, ':0', ':900') AS BLOB) WHERE name = 'offsets'")
    db.commit()
    db.close()
    await keeper.open()
    assert (await judged(keeper)).ledger.balanced is True
    assert keeper.counts["rebuilt"] == 2


async def test_a_journal_that_cannot_be_read_makes_it_unknown(keeper: Keeper, where: Where) -> None:
    """Nobody can say yes without every node's journal."""
    await write(where.cluster, [make(name) for name in REPORTS for make in MAKERS])
    assert (await judged(keeper)).ledger.balanced is True
    elsewhere = Keeper(
        replace(where, others={"intake-2": "http://127.0.0.1:9"}),
        Store(where.journal_file.parent / "b" / "ledger.db", "here"),
    )
    await elsewhere.open()
    try:
        told = (await judged(elsewhere)).ledger
        assert (told.balanced, told.unreachable, told.missing) == (None, ["intake-2"], {})
    finally:
        await elsewhere.close()


async def test_a_row_is_looked_at_until_it_is_published(keeper: Keeper, where: Where) -> None:
    """A row that waits for its publisher is in flight; marked, it is what it became."""
    await write(where.cluster, [make(name) for name in REPORTS for make in MAKERS])
    journal = Journal(where.journal_file, b"k" * 32)
    await journal.start()
    try:
        stored = await journal.append(Entry("desk", "desk", b"late"))
        verdict = await judged(keeper)
        assert (verdict.ledger.balanced, verdict.ledger.in_flight) == (True, 1)
        assert set(verdict.oldest_ms) == {"publish"}
        await journal.note(Mark(stored.row, RowState.PUBLISHED, (("report-9", "Report"),)))
        lost = (await judged(keeper)).ledger
        assert (lost.balanced, lost.missing) == (False, {"in_facts": ["report-9"]})
    finally:
        await journal.close()


async def test_a_loss_is_named_under_load_too(keeper: Keeper, where: Where) -> None:
    """Route is never at rest, but has worked past what is missing; what came since is on its way."""
    await write(where.cluster, [fact(REPORTS[0]), *(make(name) for name in REPORTS[1:] for make in MAKERS)])

    async def known() -> bool:
        await keeper.turn()
        return "f-report-0" in keeper.book.facts

    await until(known, what="the fact, before route is asked how far it is")
    told = (await judged(keeper, route=False)).ledger
    assert (told.balanced, told.in_flight) == (True, 1), "route has not come to it yet"
    await worked(where.cluster)
    told_later = {"factid": "f-later", "kind": "StateChanged", "causeid": "c"}
    headers = tuple((f"ce_{name}", text.encode()) for name, text in told_later.items())
    await write(where.cluster, [Output(FACTS, b"u", b"{}", headers)])
    told = (await judged(keeper, route=False)).ledger
    assert told.missing == {"without_decision": ["f-report-0"]}


async def test_a_node_that_comes_after_the_ledger_is_known_at_once(where: Where) -> None:
    """Roles start in any order: the journal that an intake begins a moment later is read with the next look."""
    away = where.journal_file.with_suffix(".away")
    where.journal_file.rename(away)
    one = Keeper(
        replace(where, others={"other": "http://127.0.0.1:9"}), Store(away.parent / "ledger" / "ledger.db", "here")
    )
    await one.open()
    try:
        await one.turn()
        assert one.nodes() == ["other"]
        away.rename(where.journal_file)
        await one.turn()
        assert one.nodes() == sorted([where.node, "other"])
        assert one.counts["journal"] == len(REPORTS)
    finally:
        await one.close()


async def test_a_node_of_which_nobody_told_is_asked_for_when_its_reports_are_missed(
    keeper: Keeper, where: Where
) -> None:
    """A report of which no journal knows may be that of a node that came a moment ago."""
    await write(where.cluster, [make(name) for name in (*REPORTS, "stranger") for make in MAKERS])
    assert (await judged(keeper)).ledger.missing == {"not_in_journal": ["stranger"]}
    await write(where.cluster, [feed_status("late-node")])
    await keeper.turn()
    assert "late-node" in keeper.nodes()

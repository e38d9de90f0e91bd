"""The ledger's sources on a real broker and a real journal."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from connectors.journal import Journal
from connectors.journal_rows import Entry, Mark, RowState
from ops.delivering.messages import receipted
from ops.ledger import balance
from ops.ledger_sources import Where, read
from ops.provision import provision, wanted
from ops.reading import Cluster
from schemas.delivery import Outcome, RoutingDecided
from schemas.feed import FeedState, FeedStatus
from schemas.topics import DECISIONS, FACTS, FEEDS, catalogue
from schemas.wire import record
from streams.contract import Output
from tests.contract.sink_suite import delivery

NOW = datetime.now(UTC)
REPORTS = tuple(f"report-{n}" for n in range(3))


@pytest.fixture
async def where(kafka, prefix, tmp_path) -> Where:
    """An installation with three accepted reports in its journal, and empty topics."""
    cluster = Cluster(kafka.bootstrap_servers, prefix)
    await provision(
        {"bootstrap_servers": cluster.bootstrap_servers}, wanted(catalogue(["lab"]), prefix, 1, 1, {}), dry_run=False
    )
    file = tmp_path / "journal.db"
    journal = Journal(file, b"k" * 32)
    await journal.start()
    try:
        for name in REPORTS:
            stored = await journal.append(Entry("desk", "desk", name.encode()))
            await journal.note(Mark(stored.row, RowState.PUBLISHED, ((name, "Report"),)))
    finally:
        await journal.close()
    return Where(cluster, "intake-1", file, {})


async def write(cluster: Cluster, outputs: list[Output]) -> None:
    """Acknowledged records."""
    producer = cluster.producer()
    await producer.start()
    try:
        for out in outputs:
            await producer.send_and_wait(
                cluster.prefix + out.topic, key=out.key, value=out.value, headers=list(out.headers)
            )
    finally:
        await producer.stop()


async def delete(cluster: Cluster, topic: str) -> None:
    """Delete all records of a topic, as its retention does."""
    parts = [TopicPartition(cluster.prefix + topic, at) for at in (await cluster.partitions([topic]))[topic]]
    reader, admin = cluster.reader(), cluster.admin()
    await reader.start()
    await admin.start()
    try:
        ends = await reader.end_offsets(parts)
        await admin.delete_records({part: RecordsToDelete(before_offset=end) for part, end in ends.items()})
    finally:
        await admin.close()
        await reader.stop()


def fact(name: str) -> Output:
    """The fact of a report's arrival; the ledger reads its headers alone."""
    told = {"factid": f"f-{name}", "kind": "IncidentOpened", "reportid": name, "causeid": name}
    value = {"fact_id": f"f-{name}", "at": NOW.isoformat(), "change": {"kind": "IncidentOpened"}}
    return Output(FACTS, b"u", orjson.dumps(value), tuple((f"ce_{key}", text.encode()) for key, text in told.items()))


def decision(name: str) -> Output:
    """The decision to deliver it to `lab`."""
    told = RoutingDecided(
        fact_id=f"f-{name}",
        kind="IncidentOpened",
        report_id=name,
        rules=("all",),
        rules_version="0",
        deliveries={"lab": f"d-{name}"},
        decided_at=NOW,
    )
    ids = {"factid": f"f-{name}", "kind": "IncidentOpened", "reportid": name}
    value, headers = record(told, id=f"decision-{name}", source="/sztab/route", extensions=ids)
    return Output(DECISIONS, told.fact_id.encode(), value, headers)


def receipt(name: str) -> Output:
    """The receipt of that delivery."""
    one = delivery(1, delivery_id=f"d-{name}", fact_id=f"f-{name}")
    return receipted(one, Outcome.DELIVERED, ("urgent", 0, 0), NOW, 1)


def feed_status(node: str) -> Output:
    """What an intake node says of one of its sources."""
    status = FeedStatus(feed="cpr", system="cpr", node=node, state=FeedState.UP, since=NOW, said_at=NOW, emergency=True)
    value, headers = record(status, id="s", source=f"/sztab/{node}")
    return Output(FEEDS, f"cpr@{node}".encode(), value, headers)


async def test_what_is_read_balances_and_a_record_removed_by_hand_does_not(where) -> None:
    """All stages read by header and file agree; a receipt that was never written is named."""
    everything = [make(name) for name in REPORTS for make in (fact, decision, receipt)]
    left_out = everything.pop()
    await write(where.cluster, everything)
    lost = balance(await read(where))
    assert (lost.balanced, lost.missing) == (False, {"without_receipt": ["d-report-2"]})
    await write(where.cluster, [left_out])
    told = balance(await read(where))
    assert told.balanced is True
    assert (told.accepted, told.delivered, told.in_flight, told.reports) == (3, 3, 0, 3)


async def test_what_left_a_topic_by_retention_is_counted_and_not_named(where, tmp_path) -> None:
    """A journal older than the oldest facts names nothing as lost; within the least retention all is asked for."""
    await write(where.cluster, [fact(name) for name in REPORTS[:2]])
    await delete(where.cluster, FACTS)
    assert balance(await read(where)).missing == {"in_facts": list(REPORTS)}
    old = tmp_path / "old" / "journal.db"
    old.parent.mkdir()
    journal = Journal(old, b"k" * 32, clock=lambda: time.time() - 30 * 86_400)
    await journal.start()
    try:
        stored = await journal.append(Entry("desk", "desk", b"old"))
        await journal.note(Mark(stored.row, RowState.PUBLISHED, (("report-0", "Report"),)))
    finally:
        await journal.close()
    told = balance(await read(replace(where, journal_file=old)))
    assert (told.balanced, told.missing, told.beyond_retention, told.accepted) == (True, {}, 1, 0)


async def test_a_report_that_never_became_a_fact_is_named(where) -> None:
    """The journal's ids are held against the facts'."""
    await write(where.cluster, [make(name) for name in REPORTS[:2] for make in (fact, decision, receipt)])
    told = balance(await read(where))
    assert (told.balanced, told.missing) == (False, {"in_facts": ["report-2"]})


async def test_a_journal_without_a_row_makes_its_fact_unexpected(where) -> None:
    """A fact whose report no journal accepted is named, unless it is younger than the reading of the journal."""
    everything = [make(name) for name in (*REPORTS, "stranger") for make in (fact, decision, receipt)]
    await write(where.cluster, everything)
    sources = await read(where)
    assert balance(sources).missing == {"not_in_journal": ["stranger"]}
    journal = sources.journals["intake-1"]
    assert journal is not None
    early = replace(journal, read_ms=int(time.time() * 1000) - 3_600_000)
    assert balance(replace(sources, journals={"intake-1": early})).balanced is True


async def test_a_node_that_cannot_be_reached_makes_the_answer_unknown(where) -> None:
    """A node that said something of its feeds has a journal; until it is read, nobody can say that it balances."""
    await write(where.cluster, [make(name) for name in REPORTS for make in (fact, decision, receipt)])
    await write(where.cluster, [feed_status("intake-2")])
    told = balance(await read(where))
    assert (told.balanced, told.unreachable) == (None, ["intake-2"])
    nowhere = replace(where, others={"intake-2": "http://127.0.0.1:9"})
    assert balance(await read(nowhere)).balanced is None
    assert balance(await read(replace(where, gone=("intake-2",)))).balanced is True

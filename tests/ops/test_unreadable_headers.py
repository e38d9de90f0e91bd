"""A header that is null or no text ends no reader of many records: the record is passed over, or set aside."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from ops import ledger_sources
from ops.commands import Outcomes
from ops.console.board import Board
from ops.console.follow import take
from ops.console.hub import Hub
from ops.delivering import recipient
from ops.delivering.lane import Lane
from ops.delivering.memory import Memory
from ops.delivering.messages import receipted
from ops.reading import Cluster
from ops.roles import intake
from ops.trail import Trail
from schemas.delivery import Outcome, Quarantined
from schemas.envelope import Headers
from schemas.errors import Code
from schemas.topics import DECISIONS, FACTS, INCIDENTS_NOW, QUARANTINE, RECEIPTS
from schemas.wire import record
from tests.contract.sink_suite import delivery
from tests.ops.delivering.far import Clock, FarSink, Paper, courier
from tests.ops.test_commands import ACCEPTED, fact
from tests.ops.test_console_board import summary
from tests.schemas.samples import AT

UNREADABLE = pytest.mark.parametrize("raw", [b"\xff", None], ids=["no UTF-8", "null"])
PLACE = ("urgent", 0, 7)


def spoilt(headers: Headers, name: str, raw: bytes | None) -> Any:
    """The headers with this one spoilt, or with it beside the others."""
    return (*((key, one) for key, one in headers if key != name), (name, raw))


def message(headers: Any, value: bytes | None, offset: int = 1) -> Any:
    """A record as the client gives it."""
    return SimpleNamespace(headers=headers, value=value, partition=0, offset=offset, timestamp=offset, key=b"k")


class Topics:
    """Stands for `ops.reading.Reading`: gives what lies in these topics."""

    def __init__(self, records: Mapping[str, list[Any]]) -> None:
        self.records = records

    def __call__(self, _cluster: Cluster, topics: Collection[str], _since_ms: int | None = None) -> Any:
        """A reading of some of the topics."""
        return SimpleNamespace(on=lambda: self._on(topics), emptied=False)

    async def _on(self, topics: Collection[str]) -> AsyncIterator[tuple[str, list[Any]]]:
        for topic in topics:
            yield topic, self.records.get(topic, [])


@UNREADABLE
@pytest.mark.parametrize("name", ["ce_type", "ce_traceparent"])
def test_the_console_passes_it_over(name: str, raw: bytes | None) -> None:
    """The page goes on, and starts again, whatever lies in its topics."""
    board = Board()
    hub = Hub("run", board.snapshot)
    value, headers = record(summary(), id="i-1.1", source="/t")
    take(board, hub, message(spoilt(headers, name, raw), value))
    assert board.incidents == {}
    take(board, hub, message(headers, value))
    assert list(board.incidents) == ["i-1"]


@UNREADABLE
@pytest.mark.parametrize("name", ["ce_incidentid", "ce_unit", "ce_causeid"])
@pytest.mark.parametrize("topic", [FACTS, INCIDENTS_NOW])
async def test_the_commands_outcomes_pass_it_over(topic: str, name: str, raw: bytes | None) -> None:
    """Who waits for the fact of another record gets it."""
    outcomes = Outcomes()
    outcomes.expect("dyz/k", "digest")
    headers, value = fact("dyz/k", ACCEPTED)
    outcomes.take(topic, spoilt(headers, name, raw), value)
    assert (outcomes.units, await outcomes.of("dyz/k", 0)) == ({}, None)
    outcomes.take(FACTS, headers, value)
    assert await outcomes.of("dyz/k", 0) is not None


async def test_a_fact_that_is_none_is_passed_over() -> None:
    """The headers of a fact with another value: nobody's answer, and no stop at this place for ever."""
    outcomes = Outcomes()
    outcomes.expect("dyz/k", "digest")
    headers, value = fact("dyz/k", ACCEPTED)
    outcomes.take(FACTS, headers, b"{}")
    outcomes.take(FACTS, headers, value)
    assert await outcomes.of("dyz/k", 0) is not None


async def test_following_facts_outlives_any_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task that nobody awaits never ends unseen: it begins again."""
    tries: list[Outcomes] = []
    again = asyncio.Event()

    async def once(_settings: Any, outcomes: Outcomes) -> None:
        tries.append(outcomes)
        if len(tries) > 2:
            again.set()
        raise ZeroDivisionError

    monkeypatch.setattr(intake, "_follow_once", once)
    monkeypatch.setattr(intake, "PAUSE_SECONDS", 0)
    settings: Any = None
    following = asyncio.create_task(intake._follow(settings, Outcomes()))
    try:
        await asyncio.wait_for(again.wait(), 10)
        assert not following.done()
    finally:
        await intake._ended(following)


@UNREADABLE
async def test_the_ledger_passes_it_over(raw: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What such a record would have proved is not there; the account is of the others."""
    value = b'{"rules": [], "deliveries": {}, "stage": "deliver", "delivery_id": "d-1"}'
    ids = (("ce_factid", b"f-1"), ("ce_deliveryid", b"d-1"), ("ce_kind", b"delivered"))
    lying = {
        topic: [
            message(spoilt(ids, "ce_kind", raw), value, 0),
            message((("ce_kind", b"k"),), value, 1),
            message(ids, value, 2),
        ]
        for topic in (FACTS, DECISIONS, RECEIPTS, QUARANTINE)
    }
    monkeypatch.setattr(ledger_sources, "Reading", Topics(lying))
    cluster = Cluster("nowhere:9092")
    facts, since_ms = await ledger_sources._facts(ledger_sources._Whole(cluster, FACTS))
    decisions, _ = await ledger_sources._decisions(ledger_sources._Whole(cluster, DECISIONS))
    assert (list(facts), since_ms, facts["f-1"].kind) == (["f-1"], 0, "delivered")
    assert list(decisions) == ["f-1"]
    assert await ledger_sources._receipts(cluster) == {"d-1": (frozenset({"delivered"}), 2)}
    aside, _ = await ledger_sources._aside(ledger_sources._Whole(cluster, QUARANTINE))
    assert [one.delivery_id for one in aside] == ["d-1"] * 3


@UNREADABLE
@pytest.mark.parametrize("name", ["ce_type", "ce_traceparent", "ce_deliveryid"])
async def test_the_lane_sets_it_aside(name: str, raw: bytes | None) -> None:
    """An outbox record that cannot be read stands in quarantine, and nothing was sent."""
    sink, paper = FarSink(), Paper()

    async def caught_up() -> None:
        """Nothing."""

    lane = Lane(Cluster("nowhere:9092"), courier(sink, paper, Clock()), "urgent", None, caught_up)
    told = delivery(1)
    value, headers = record(told, id=told.delivery_id, source="/t", extensions={"deliveryid": told.delivery_id})
    await lane._deliver(message(spoilt(headers, name, raw), value), PLACE)
    (aside,) = paper.on(QUARANTINE)
    assert isinstance(aside, Quarantined)
    known = None if name == "ce_deliveryid" else told.delivery_id
    assert (aside.code, aside.delivery_id, sink.tries) == (Code.RECORD_INVALID, known, [])
    await lane._deliver(message(headers, value), PLACE)
    assert sink.tries == [told.delivery_id]


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("ce_recipient", b"\xff"),
        ("ce_kind", None),
        ("ce_place", b"\xff"),
        ("ce_sequence", b"seven"),
        ("ce_place", b"somewhere"),
    ],
)
async def test_the_memory_of_receipts_passes_it_over(
    name: str, raw: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receipt that is none stops no lane; those behind it are learnt."""
    first, second = (
        receipted(delivery(sequence, recipient="lab"), Outcome.DELIVERED, ("urgent", 2, sequence), AT, 1).headers
        for sequence in (8, 3)
    )
    lying = {RECEIPTS: [message(spoilt(first, name, raw), b"{}"), message(second, b"{}", 2)]}
    monkeypatch.setattr(recipient, "Reading", Topics(lying))
    memory = Memory("lab")
    await recipient.Receipts(Cluster("nowhere:9092"), memory).catch_up()
    assert memory.receipted(("urgent", 2, 3), delivery(3).delivery_id)
    assert memory.superseded(delivery(3).subject_id, 2)


@UNREADABLE
@pytest.mark.parametrize("name", ["ce_factid", "ce_kind", "ce_unit"])
def test_a_trace_shows_what_can_be_read_of_it(name: str, raw: bytes | None) -> None:
    """The rest of the record's ids still ties it to what is sought."""
    trail = Trail("dyz/k")
    headers, value = fact("dyz/k", ACCEPTED)
    headers = (*headers, ("ce_factid", b"f-1"), ("ce_kind", b"StateChanged"))
    assert trail.take(FACTS, message(spoilt(headers, name, raw), value))
    (shown,) = trail.records
    assert name.removeprefix("ce_") not in shown

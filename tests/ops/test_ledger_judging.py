"""When an absence is a loss: only behind a stage that has worked past everything known of it."""

import pytest

from ops.bookkeeping.book import Aside, Part, Placed
from ops.bookkeeping.judging import Read, Verdict, judge, settled
from ops.ledger_rows import DELIVER, GONE, INCIDENTS, ROUTE, DecisionRow, FactRow, Journal, Row

WHOLE = {"facts_since_ms": 0, "decisions_since_ms": 0, "aside_since_ms": 0}
ROW = {"doc": Placed("n", 1, Row("doc", "published", 100, ("r",)))}
FACT = {"f": FactRow("IncidentOpened", "r", "r", 110, "doc")}
DECIDED = {"f": DecisionRow("IncidentOpened", "r", ("all",), {"lab": "d"}, 150, 120)}
UNTOLD, UNDECIDED, UNRECEIPTED = Part(ROW), Part(ROW, FACT), Part(ROW, FACT, DECIDED)


def judged(part: Part, news_ms: int = 500, fresh_ms: int = 900, **horizons: int) -> Verdict:
    """The verdict on one component that was heard of last at `news_ms`."""
    part = Part(part.rows, part.facts, part.decisions, part.receipts, news_ms)
    named = {{"incidents": INCIDENTS, "route": ROUTE}.get(name, DELIVER + name): at for name, at in horizons.items()}
    journals = {"n": Journal((), 10_000)}
    return judge([part], Aside(), Read(1_000, fresh_ms, journals, WHOLE, named, 10_000, 10_000), {}, 60_000)


@pytest.mark.parametrize(
    ("part", "horizons", "missing"),
    [
        (UNTOLD, {"incidents": 501}, {"in_facts": ["r"]}),
        (UNTOLD, {"incidents": 500, "route": 999, "lab": 999}, {}),
        (UNTOLD, {}, {}),
        (UNDECIDED, {"incidents": 501, "route": 501}, {"without_decision": ["f"]}),
        (UNDECIDED, {"incidents": 999, "route": 500}, {}),
        (UNRECEIPTED, {"incidents": 501, "route": 501, "lab": 501}, {"without_receipt": ["d"]}),
        (UNRECEIPTED, {"incidents": 501, "route": 501, "lab": 500}, {}),
        (UNRECEIPTED, {"incidents": 501, "route": 400, "lab": 999}, {}),
    ],
)
def test_a_stage_is_held_to_what_it_has_worked_past(part: Part, horizons: dict[str, int], missing: object) -> None:
    """Behind its horizon an absence is a loss, ahead of it on its way.

    A decision that route has not committed may still lack its delivery, whatever the recipient's stage has done.
    """
    told = judged(part, **horizons).ledger
    assert told.missing == missing
    assert (told.balanced, told.in_flight) == (not missing, 0 if missing else 1)


def test_what_is_fresh_is_judged_by_nobody() -> None:
    """What was heard of while this verdict was being made may have been read in part."""
    everywhere = {"incidents": 9_999, "route": 9_999, "lab": 9_999}
    told = judged(UNRECEIPTED, news_ms=900, **everywhere).ledger
    assert (told.balanced, told.in_flight, told.missing) == (True, 1, {})
    orphan = Part(receipts={"x": (frozenset({"delivered"}), 5)})
    assert judged(orphan, news_ms=900, **everywhere).ledger.missing == {}
    assert judged(orphan, **everywhere).ledger.missing == {"receipt_without_decision": ["x"]}


def test_the_oldest_work_of_each_stage() -> None:
    """What each stage has to do, and since when; a row that waits too long for its publisher, by node."""
    waiting = Part({"doc": Placed("n", 1, Row("doc", "received", 100, ()))})
    assert judged(waiting).oldest_ms == {"publish": 100}
    assert judged(waiting).stuck == {}
    late = judge([waiting], Aside(), Read(70_000, 0, {}, WHOLE, {}, 0, 0), {}, 60_000)
    assert late.stuck == {"n": ["doc"]}
    lost = Part({"doc": Placed("n", 1, Row("doc", GONE, 100, ()))})
    assert judged(lost).oldest_ms == {}, "nobody will publish it any more"
    assert judged(lost).ledger.untraced == []
    told = judged(lost, incidents=501).ledger
    assert (told.balanced, told.untraced) == (True, ["doc"])
    assert not settled(told)
    assert judged(UNTOLD).oldest_ms == {"incidents": 100}
    assert judged(UNDECIDED).oldest_ms == {"route": 110}
    assert judged(UNRECEIPTED).oldest_ms == {"deliver": 120}
    assert judged(UNRECEIPTED).ledger.overdue == [{"delivery": "d", "recipient": "lab", "deadline_ms": 150}]

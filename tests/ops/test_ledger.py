"""The ledger's account: what balances, and what is named when one id is gone."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.ledger import balance
from ops.ledger_rows import DELIVER, GONE, INCIDENTS, ROUTE, AsideRow, DecisionRow, FactRow, Journal, Row, Sources
from schemas.topic import HOUR_MS

NOW = 1_000_000
DONE = frozenset({"delivered"})


def sources() -> Sources:
    """Three reports for two recipients or nobody, a refused delivery, a document set aside, a command, a step's bug."""
    rows = (
        Row("doc-1", "published", 90, ("r1",)),
        Row("doc-2", "published", 90, ("r2",)),
        Row("doc-3", "published", 90, ("r3",)),
        Row("doc-4", "quarantined", 90, ()),
        Row("doc-5", "published", 90, (), ("c1",)),
        Row("doc-6", "published", 90, ("r4",)),
    )
    facts = {
        "f1": FactRow("IncidentOpened", "r1", "r1", 100),
        "f2": FactRow("ReportLinked", "r2", "r2", 110),
        "f2b": FactRow("LinkSuggested", None, "r2", 110),
        "f3": FactRow("IncidentOpened", "r3", "r3", 120),
        "f4": FactRow("StateChanged", None, "c1", 130),
    }
    decisions = {
        "f1": DecisionRow("IncidentOpened", "r1", ("crime",), {"dispatch": "d1", "fire": "e1"}, None, 101),
        "f2": DecisionRow("ReportLinked", "r2", ("crime",), {"dispatch": "d2"}, 500, 111),
        "f2b": DecisionRow("LinkSuggested", None, ("internal",), {}, None, 111),
        "f3": DecisionRow("IncidentOpened", "r3", ("noise",), {}, None, 121),
        "f4": DecisionRow("StateChanged", None, ("crime",), {"dispatch": "d4"}, None, 131),
    }
    receipts = {
        "d1": (DONE, 102),
        "e1": (frozenset({"quarantined"}), 103),
        "d2": (frozenset({"superseded"}), 112),
        "d4": (DONE, 132),
    }
    aside = (
        AsideRow("deliver", delivery_id="e1"),
        AsideRow("intake", document_id="doc-4"),
        AsideRow("normalise", report_id="r4", cause_id="x"),
    )
    return Sources(
        {"intake-1": Journal(rows, 10_000)},
        facts,
        decisions,
        receipts,
        aside,
        facts_ms=10_000,
        decisions_ms=10_000,
        now_ms=NOW,
    )


def without(mapping: Any, key: str) -> dict[str, Any]:
    """The mapping without a key."""
    return {name: value for name, value in mapping.items() if name != key}


def journal(*documents: str, **changes: Any) -> dict[str, Journal | None]:
    """The journal without these documents."""
    whole = sources().journals["intake-1"]
    assert whole is not None
    rows = tuple(row for row in whole.rows if row.document_id not in documents)
    return {"intake-1": replace(whole, rows=rows, **changes)}


def test_everything_has_its_place() -> None:
    """Pairs are counted once each; nobody by the rule's name; the equation holds."""
    told = balance(sources())
    assert told.balanced is True
    assert (told.accepted, told.delivered, told.quarantined, told.in_flight) == (6, 3, 3, 0)
    assert told.nobody == {"noise": 1}
    assert (told.reports, told.superseded, told.overdue, told.missing) == (4, 1, [], {})
    assert told.changes == {"deliveries": 1, "delivered": 1, "quarantined": 0, "in_flight": 0}
    assert told.commands == {"accepted": 1, "answered": 1, "in_flight": 0}


LOSSES: dict[str, tuple[dict[str, Any], dict[str, list[str]]]] = {
    "journal": ({"journals": journal("doc-1")}, {"not_in_journal": ["r1"]}),
    "facts": (
        {"facts": without(sources().facts, "f1")},
        {"in_facts": ["r1"], "decision_without_fact": ["f1"]},
    ),
    "a fact of a command": (
        {"facts": without(sources().facts, "f4")},
        {"without_answer": ["c1"], "decision_without_fact": ["f4"]},
    ),
    "decisions": (
        {"decisions": without(sources().decisions, "f2")},
        {"without_decision": ["f2"], "receipt_without_decision": ["d2"]},
    ),
    "a decision for nobody": ({"decisions": without(sources().decisions, "f3")}, {"without_decision": ["f3"]}),
    "receipts": ({"receipts": without(sources().receipts, "d1")}, {"without_receipt": ["d1"]}),
    "a receipt of a change": ({"receipts": without(sources().receipts, "d4")}, {"without_receipt": ["d4"]}),
    "quarantine of a delivery": ({"aside": sources().aside[1:]}, {"not_in_quarantine": ["e1"]}),  # type: ignore[index]
    "quarantine of a document": (
        {"aside": [one for one in sources().aside if one.stage != "intake"]},
        {"not_in_quarantine": ["doc-4"]},
    ),
    "quarantine of a report": (
        {"aside": [one for one in sources().aside if one.stage != "normalise"]},
        {"in_facts": ["r4"]},
    ),
}


@pytest.mark.parametrize(("change", "named"), LOSSES.values(), ids=LOSSES)
def test_one_id_less_in_any_source_is_false_and_named(change: dict[str, Any], named: dict[str, list[str]]) -> None:
    """Whichever source loses an id, the account does not balance, and says which id is missing where."""
    told = balance(replace(sources(), **change))
    assert told.balanced is False
    assert told.missing == named


def test_an_unreachable_journal_makes_it_unknown() -> None:
    """Without one node's journal nobody can say yes; what is certainly lost is still named."""
    assert (
        balance(replace(sources(), journals={"intake-1": sources().journals["intake-1"], "b": None})).balanced is None
    )
    lost = balance(replace(sources(), journals={**journal(), "b": None}, receipts=without(sources().receipts, "d1")))
    assert (lost.balanced, lost.missing, lost.unreachable) == (False, {"without_receipt": ["d1"]}, ["b"])


def test_what_a_moving_stage_has_not_yet_read_is_in_flight() -> None:
    """While a stage has something left to read, an absence behind it is no loss."""
    late = replace(
        sources(),
        facts=without(sources().facts, "f1"),
        decisions=without(sources().decisions, "f1"),
        receipts=without(without(sources().receipts, "d1"), "e1"),
        moving={INCIDENTS},
    )
    told = balance(late)
    assert (told.balanced, told.in_flight, told.accepted) == (True, 1, 5)
    undecided = replace(
        sources(),
        decisions=without(sources().decisions, "f1"),
        receipts=without(without(sources().receipts, "d1"), "e1"),
        moving={ROUTE},
    )
    assert (balance(undecided).balanced, balance(undecided).in_flight) == (True, 1)
    # Delivered already, while the broker that leads the decisions takes nothing.
    ahead = replace(sources(), decisions=without(sources().decisions, "f2"), moving={ROUTE})
    assert (balance(ahead).balanced, balance(ahead).missing) == (True, {})
    unsent = replace(sources(), receipts=without(sources().receipts, "d2"), moving={DELIVER + "dispatch"})
    told = balance(unsent)
    assert (told.balanced, told.in_flight) == (True, 1)
    assert told.overdue == [{"delivery": "d2", "recipient": "dispatch", "deadline_ms": 500}]
    other = replace(sources(), receipts=without(sources().receipts, "d2"), moving={DELIVER + "fire"})
    assert balance(other).balanced is False


@pytest.mark.parametrize("state", ["received", "quarantine-pending"])
def test_what_the_journal_has_not_published_is_in_flight(state: str) -> None:
    """A row on its way is in flight, whether it was translated already or not."""
    whole = sources()
    rows = (Row("doc-9", state, 90, ()), Row("doc-8", "received", 90, ("r9",), ("c9",)))
    assert whole.journals["intake-1"] is not None
    more = {"intake-1": Journal((*whole.journals["intake-1"].rows, *rows), 10_000)}
    told = balance(replace(whole, journals=more))
    assert (told.balanced, told.in_flight, told.commands["in_flight"]) == (True, 2, 1)


def test_what_came_after_a_source_was_read_is_not_held_against_it() -> None:
    """Later stages are read later and may know more; old facts whose journal rows were trimmed are no fault."""
    early = replace(sources(), journals=journal("doc-1", read_ms=90))
    assert balance(early).balanced is True
    trimmed = replace(sources(), journals=journal("doc-1", since_ms=50))
    assert balance(trimmed).balanced is True
    fresh = replace(
        sources(), facts=without(sources().facts, "f2b"), decisions=sources().decisions, facts_ms=105, decisions_ms=105
    )
    assert balance(fresh).balanced is True


def test_a_published_row_that_is_not_yet_marked_is_in_flight() -> None:
    """The journal notes what a row became a moment after it was published; its facts are no surprise meanwhile."""
    facts = {**sources().facts, "f1": FactRow("IncidentOpened", "r1", "r1", 100, "doc-1")}
    rows = (*journal("doc-1")["intake-1"].rows, Row("doc-1", "received", 90, ()))  # type: ignore[union-attr]
    told = balance(replace(sources(), facts=facts, journals={"intake-1": Journal(rows, 10_000)}))
    assert (told.balanced, told.in_flight) == (True, 1)


def restored(rows: tuple[Row, ...], gap: tuple[int, int]) -> dict[str, Journal | None]:
    """The journal with these rows alone, and what it does not know."""
    return {"intake-1": Journal(rows, 10_000_000, gaps=(gap,))}


def test_what_a_lost_journal_had_published_is_accounted_for_all_the_same() -> None:
    """A backup was put back: what was taken since it was made stands in the topics alone, and is followed there."""
    rows = journal("doc-1")["intake-1"].rows  # type: ignore[union-attr]
    told = balance(replace(sources(), journals=restored(tuple(rows), (50, 110))))
    assert told == balance(sources()), "no figure changes"
    lost = balance(
        replace(sources(), journals=restored(tuple(rows), (50, 110)), receipts=without(sources().receipts, "d1"))
    )
    assert lost.missing == {"without_receipt": ["d1"]}
    long_ago = balance(replace(sources(), journals=restored(tuple(rows), (-9 * HOUR_MS, -8 * HOUR_MS))))
    assert long_ago.missing == {"not_in_journal": ["r1"]}


@pytest.mark.parametrize(
    ("document", "moving", "untraced", "in_flight"),
    [
        ("doc-9", "", ["doc-9"], 0),
        ("doc-9", INCIDENTS, [], 1),
        ("doc-1", "", [], 0),
        ("doc-4", "", [], 0),
    ],
)
def test_what_was_read_and_then_lost_with_its_journal(
    document: str, moving: str, untraced: list[str], in_flight: int
) -> None:
    """Read before it was published: if no topic tells of the document either, a person gets its id.

    It may have been a sign of life: so the account balances all the same.
    """
    facts = {**sources().facts, "f1": FactRow("IncidentOpened", "r1", "r1", 100, "doc-1")}
    rows = (*journal("doc-1", "doc-4")["intake-1"].rows, Row(document, GONE, 95, ()))  # type: ignore[union-attr]
    told = balance(replace(sources(), facts=facts, journals=restored(rows, (50, 110)), moving={moving}))
    assert (told.untraced, told.in_flight) == (untraced, in_flight)
    assert (told.balanced, told.reports) == (True, 4)


def test_a_repeated_report_counts_once() -> None:
    """The same document again gives a fact and a decision more, and no pair more."""
    whole = sources()
    facts = {**whole.facts, "f9": FactRow("ReportRepeated", "r1", "r1", 140)}
    decisions = {**whole.decisions, "f9": DecisionRow("ReportRepeated", "r1", ("repeats",), {}, None, 141)}
    told = balance(replace(whole, facts=facts, decisions=decisions))
    assert (told.balanced, told.accepted, told.repeated) == (True, 6, 1)


def test_a_report_known_by_a_repeat_alone_is_named() -> None:
    """That something came again is no proof that it came: the fact of its arrival must be there."""
    whole = sources()
    facts = {**without(whole.facts, "f1"), "f9": FactRow("ReportRepeated", "r1", "r1", 140)}
    decisions = {**without(whole.decisions, "f1"), "f9": DecisionRow("ReportRepeated", "r1", ("x",), {}, None, 141)}
    receipts = without(without(whole.receipts, "d1"), "e1")
    told = balance(replace(whole, facts=facts, decisions=decisions, receipts=receipts))
    assert (told.balanced, told.missing, told.repeated) == (False, {"in_facts": ["r1"]}, 1)


@given(st.sets(st.sampled_from(["d1", "e1", "d2", "d4"])), st.booleans())
def test_the_equation_holds_or_names_what_breaks_it(gone: set[str], moving: bool) -> None:
    """Accepted = delivered + quarantined + in flight, unless ids are named as missing."""
    receipts = {name: value for name, value in sources().receipts.items() if name not in gone}
    stages = {DELIVER + "dispatch", DELIVER + "fire"} if moving else set()
    told = balance(replace(sources(), receipts=receipts, moving=stages))
    rest = told.accepted - told.delivered - told.quarantined - told.in_flight
    assert rest == (0 if moving else len(gone & {"d1", "e1", "d2"}))
    assert told.balanced is (moving or not gone)

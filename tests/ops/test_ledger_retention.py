"""The ledger's account where topics and journals have lawfully deleted what is old."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.journal import Journal
from connectors.journal_rows import Entry, Mark, RowState
from connectors.journal_store import Limits
from ops.ledger import balance
from ops.ledger_rows import DecisionRow, FactRow
from ops.ledger_sources import _from_file
from tests.ops.test_ledger import sources, without

HOUR, WEEK = 3_600_000, 7 * 24 * 3_600_000
OLD: dict[str, tuple[dict[str, Any], str, int]] = {
    "a fact": (
        {
            "facts": without(sources().facts, "f1"),
            "decisions": without(sources().decisions, "f1"),
            "receipts": without(without(sources().receipts, "d1"), "e1"),
        },
        "facts_since_ms",
        90,
    ),
    "a fact of a command": (
        {
            "facts": without(sources().facts, "f4"),
            "decisions": without(sources().decisions, "f4"),
            "receipts": without(sources().receipts, "d4"),
        },
        "facts_since_ms",
        90,
    ),
    "a decision": ({"decisions": without(sources().decisions, "f3")}, "decisions_since_ms", 120),
    "a decision on a change": ({"decisions": without(sources().decisions, "f2b")}, "decisions_since_ms", 110),
    "a document set aside": (
        {"aside": [one for one in sources().aside if one.stage != "intake"]},
        "aside_since_ms",
        90,
    ),
    "a report set aside": (
        {"aside": [one for one in sources().aside if one.stage != "normalise"]},
        "aside_since_ms",
        90,
    ),
    "a delivery set aside": ({"aside": sources().aside[1:]}, "aside_since_ms", 101),  # type: ignore[index]
}


@pytest.mark.parametrize(("change", "bound", "at_ms"), OLD.values(), ids=OLD)
def test_what_retention_may_have_deleted_is_no_loss(change: dict[str, Any], bound: str, at_ms: int) -> None:
    """What outlives the topic behind it is counted and not named; what is younger than that topic's bound is lost."""
    gone = replace(sources(), **change)
    told = balance(replace(gone, **{bound: at_ms + 1}))  # type: ignore[arg-type]
    assert (told.balanced, told.missing, told.beyond_retention) == (True, {}, 1)
    assert told.accepted == told.delivered + told.quarantined + told.in_flight
    for nothing_deleted in (0, at_ms - HOUR):
        lost = balance(replace(gone, **{bound: nothing_deleted}))  # type: ignore[arg-type]
        assert (lost.balanced, lost.beyond_retention) == (False, 0)


def test_what_a_late_stage_wrote_after_its_cause_left_is_no_surprise() -> None:
    """A decision or receipt a little younger than what is kept before it may have lost its cause lawfully."""
    old = replace(sources(), facts=without(sources().facts, "f2b"), facts_since_ms=110)
    assert balance(old).balanced is True
    facts = {**sources().facts, "f2": FactRow("ReportLinked", "r2", "r2", 110)}
    gone = replace(sources(), facts=facts, decisions=without(sources().decisions, "f2"), decisions_since_ms=112)
    assert balance(gone).balanced is True
    late = DecisionRow("LinkSuggested", None, ("internal",), {}, None, WEEK + 200)
    orphan = replace(old, decisions={**old.decisions, "f9": late}, facts_ms=2 * WEEK)
    assert balance(orphan).missing == {"decision_without_fact": ["f9"]}


async def test_a_journal_trimmed_to_nothing_does_not_disown_its_facts(tmp_path: Path) -> None:
    """A node that was quiet for longer than its journal keeps rows held rows once: their facts are no strangers."""
    now = [1000.0]
    limits = Limits(keep_seconds=60.0, keep_longest_seconds=600.0)
    kept = Journal(tmp_path / "journal.db", b"k" * 32, limits, clock=lambda: now[0])
    await kept.start()
    try:
        stored = await kept.append(Entry("desk", "desk", b"old"))
        await kept.note(Mark(stored.row, RowState.PUBLISHED, (("r1", "Report"),)))
        now[0] += 3600
        kept._store.trim()
        kept._store.trim()
    finally:
        await kept.close()
    found = _from_file(tmp_path / "journal.db")
    assert found is not None
    assert (found.rows, found.since_ms) == ([], found.read_ms)

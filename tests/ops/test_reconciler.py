"""The reconciler's choices: what is acted on, how often, and when a person is told instead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ops.bookkeeping.book import Part, Placed
from ops.bookkeeping.judging import Verdict
from ops.ledger import Ledger
from ops.ledger_rows import DecisionRow, FactRow, Row
from ops.reconciler import ACTS, GRACE_MS, PAUSES_MS, Act, Reconciler, given_up
from schemas.ledger import ActOutcome, ActStage, ReconcilerActed

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)


def book() -> Part:
    """A report without a fact, and a delivery without a receipt that was asked for again once."""
    return Part(
        rows={"doc": Placed("intake-2", 7, Row("doc", "published", NOW_MS - 600_000, ("r",), ("c",)))},
        facts={
            "f": FactRow("IncidentOpened", "r2", "r2", NOW_MS - 600_000, "doc-2", "i", "kmp", "real"),
            "g": FactRow("DeliveryRequested", None, "command", NOW_MS - 300_000, None, "i", "kmp", "real"),
        },
        decisions={
            "f": DecisionRow("IncidentOpened", "r2", ("all",), {"lab": "d"}, NOW_MS - 1, NOW_MS - 600_000),
            "g": DecisionRow("DeliveryRequested", None, ("delivery-again",), {"lab": "d"}, None, NOW_MS - 300_000),
        },
    )


def verdict(missing: dict[str, list[str]], seconds: float = 0.0) -> Verdict:
    """A verdict that names these, so many seconds from now."""
    return Verdict(Ledger(balanced=not missing, missing=missing), NOW_MS + round(seconds * 1000))


def done(act: Act, seconds: float, outcome: ActOutcome = ActOutcome.ASKED) -> ReconcilerActed:
    """The record of an act."""
    return ReconcilerActed(
        act_id=f"{act.subject_id}-{act.attempt}-{outcome}-{seconds}",
        stage=act.stage,
        subject_id=act.subject_id,
        why=act.why,
        attempt=act.attempt,
        outcome=outcome,
        acted_at=NOW + timedelta(seconds=seconds),
        missed_since=NOW,
    )


def test_what_is_missed_twice_is_acted_on() -> None:
    """One verdict alone is no reason; the next one is. What is mended meanwhile is left alone."""
    one = Reconciler()
    lost = {"in_facts": ["r"], "without_receipt": ["d"]}
    assert one.choose(verdict(lost), book(), ()) == []
    first, second = one.choose(verdict(lost, 5), book(), ())
    assert first == Act(
        ActStage.DELIVER, "d", "without_receipt", 1, NOW_MS, incident_id="i", unit="kmp", mode="real", recipient="lab"
    )
    assert second == Act(ActStage.INCIDENTS, "r", "in_facts", 1, NOW_MS, document_id="doc", node="intake-2")
    assert one.choose(verdict({}, 10), book(), ()) == []
    assert one.choose(verdict(lost, 15), book(), ()) == [], "missed anew"


@pytest.mark.parametrize(("what", "name"), [("without_answer", "c"), ("not_in_quarantine", "doc")])
def test_what_is_missing_behind_the_journal_is_published_again(what: str, name: str) -> None:
    """A command without a fact, a document without its quarantine record: their row goes to the broker again."""
    one = Reconciler()
    one.choose(verdict({what: [name]}), book(), ())
    (act,) = one.choose(verdict({what: [name]}, 5), book(), ())
    assert (act.stage, act.document_id, act.node) == (ActStage.INCIDENTS, "doc", "intake-2")


@pytest.mark.parametrize("what", ["without_decision", "not_in_journal", "receipt_without_decision"])
def test_what_no_machine_mends_is_left_to_people(what: str) -> None:
    """A fact without a decision cannot be given to route again; the alarm of the ledger stands."""
    one = Reconciler()
    one.choose(verdict({what: ["f"]}), book(), ())
    assert one.choose(verdict({what: ["f"]}, 5), book(), ()) == []


def test_a_delivery_has_its_time() -> None:
    """Not before its deadline; without one, not before a minute after its decision."""
    for deadline_ms, at_ms, due_seconds in ((NOW_MS + 9_000, NOW_MS, 9), (None, NOW_MS, GRACE_MS / 1000)):
        part = book()
        part.decisions = {"f": part.decisions["f"]._replace(deadline_ms=deadline_ms, at_ms=at_ms)}
        one, lost = Reconciler(), {"without_receipt": ["d"]}
        one.choose(verdict(lost), part, ())
        assert one.choose(verdict(lost, due_seconds - 1), part, ()) == []
        assert len(one.choose(verdict(lost, due_seconds), part, ())) == 1


def test_each_act_is_waited_for_longer_and_after_three_a_person_is_told() -> None:
    """One, then after a minute, then after five; then it is given up, once."""
    one, lost = Reconciler(), {"without_receipt": ["d"]}
    acts: list[ReconcilerActed] = []
    seconds = 0.0
    one.choose(verdict(lost), book(), acts)
    for attempt, pause_ms in enumerate(PAUSES_MS[:ACTS], 1):
        if attempt > 1:
            assert one.choose(verdict(lost, seconds + pause_ms / 1000 - 1), book(), acts) == []
        seconds += pause_ms / 1000
        (act,) = one.choose(verdict(lost, seconds), book(), acts)
        assert (act.attempt, act.give_up) == (attempt, False)
        acts.append(done(act, seconds))
    assert given_up(verdict(lost), acts) == {}
    seconds += PAUSES_MS[ACTS] / 1000
    assert one.choose(verdict(lost, seconds - 1), book(), acts) == []
    (act,) = one.choose(verdict(lost, seconds), book(), acts)
    assert act.give_up
    acts.append(done(act, seconds, ActOutcome.GIVEN_UP))
    assert one.choose(verdict(lost, seconds + 9_999), book(), acts) == []
    assert given_up(verdict(lost), acts) == {"deliver": 1}
    assert given_up(verdict({}), acts) == {}, "it came after all"


def test_an_intake_that_is_away_is_asked_again() -> None:
    """Not reaching it is no act: it is tried again after a minute, and counts for nothing."""
    one, lost, acts = Reconciler(), {"in_facts": ["r"]}, list[ReconcilerActed]()
    one.choose(verdict(lost), book(), acts)
    for number in range(5):
        (act,) = one.choose(verdict(lost, 1 + 60 * number), book(), acts)
        assert (act.attempt, act.give_up) == (1, False)
        acts.append(done(act, 1 + 60 * number, ActOutcome.UNREACHABLE))
        assert one.choose(verdict(lost, 30 + 60 * number), book(), acts) == []


def test_so_many_a_minute() -> None:
    """A storm of losses is no storm of commands; the rest has its turn in the next minute."""
    part = book()
    part.rows = {f"doc-{n}": Placed("n", n, Row(f"doc-{n}", "published", NOW_MS, (f"r{n}",))) for n in range(25)}
    lost = {"in_facts": [f"r{n}" for n in range(25)]}
    one, acts = Reconciler(), list[ReconcilerActed]()
    one.choose(verdict(lost), part, acts)
    counts: list[Any] = []
    for seconds in (1, 5, 59, 62, 130):
        chosen = one.choose(verdict(lost, seconds), part, acts)
        acts += [done(act, seconds) for act in chosen]
        counts.append(len(chosen))
    assert counts == [10, 0, 0, 10, 10]

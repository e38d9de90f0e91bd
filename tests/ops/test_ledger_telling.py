"""What the ledger's verdicts become: alarms raised and ended, metrics, the word for the page."""

from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from ops.bookkeeping import telling
from ops.bookkeeping.judging import Verdict
from ops.bookkeeping.telling import GAVE_UP, MISSING, OVERDUE, OVERDUE_SECONDS, UNPUBLISHED, Alarms, Figures
from ops.ledger import Ledger
from ops.metrics import Metrics
from schemas.feed import Alarm
from schemas.ledger import LedgerTold
from schemas.wire import payload
from streams.contract import Output

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)
LOST = {"without_receipt": ["d1", "d2"], "in_facts": ["r"]}
LATE = [{"delivery": "d9", "recipient": "lab", "deadline_ms": NOW_MS - 5}]


def verdict(seconds: float = 0.0, **told: Any) -> Verdict:
    """A verdict so many seconds from now."""
    extra = {name: told.pop(name) for name in ("oldest_ms", "stuck") if name in told}
    balanced = False if told.get("missing") else None if told.get("unreachable") else True
    return Verdict(Ledger(balanced=balanced, **told), NOW_MS + round(seconds * 1000), **extra)


def said(outputs: list[Output]) -> list[tuple[str, str, bool]]:
    """Kind, subject and whether it holds."""
    found = [payload(one.headers, one.value) for one in outputs]
    return [(one.kind, one.subject, one.active) for one in found if isinstance(one, Alarm)]


def test_a_quiet_installation_raises_nothing() -> None:
    """Nor does one of which nobody knows: unknown is not false."""
    alarms = Alarms()
    for seconds, told in ((0, {}), (5, {"unreachable": ["intake-2"]}), (10, {})):
        assert alarms.of(verdict(seconds, **told), {}) == []


def test_a_loss_is_told_when_two_verdicts_name_it_and_ended_when_none_is_left() -> None:
    """The same id twice in a row; other ids each time are things on their way. It ends when nothing is missing."""
    alarms = Alarms()
    assert alarms.of(verdict(0, missing={"in_facts": ["a"]}), {}) == []
    assert alarms.of(verdict(5, missing={"in_facts": ["b"]}), {}) == []
    assert alarms.of(verdict(10, missing=LOST), {}) == []
    (raised,) = alarms.of(verdict(15, missing=LOST), {})
    assert said([raised]) == [(MISSING, "ledger", True)]
    told = payload(raised.headers, raised.value)
    assert isinstance(told, Alarm)
    assert "2 without receipt" in told.detail
    assert "d1" not in told.detail
    assert alarms.of(verdict(20, missing={"in_facts": ["r"]}), {}) == [], "it stands already"
    assert said(alarms.of(verdict(25), {})) == [(MISSING, "ledger", False)]
    assert alarms.of(verdict(30), {}) == []


def test_what_is_late_is_told_after_a_while() -> None:
    """After an outage everything late goes out first; only what then still waits is told, by recipient."""
    alarms = Alarms()
    assert alarms.of(verdict(0, overdue=LATE), {}) == []
    assert alarms.of(verdict(OVERDUE_SECONDS - 1, overdue=LATE), {}) == []
    assert said(alarms.of(verdict(OVERDUE_SECONDS, overdue=LATE), {})) == [(OVERDUE, "lab", True)]
    assert said(alarms.of(verdict(OVERDUE_SECONDS + 5), {})) == [(OVERDUE, "lab", False)]
    other = [{**LATE[0], "delivery": "d10"}]
    assert alarms.of(verdict(200, overdue=other), {}) == [], "its own while begins anew"


def test_other_alarms() -> None:
    """A journal whose publisher stands still, by node; what the reconciler gave up, by stage."""
    alarms = Alarms()
    raised = alarms.of(verdict(0, stuck={"intake-1": ["doc"]}), {"deliver": 2, "incidents": 0})
    assert said(raised) == [(UNPUBLISHED, "intake-1", True), (GAVE_UP, "deliver", True)]
    assert sorted(said(alarms.of(verdict(5), {}))) == [(UNPUBLISHED, "intake-1", False), (GAVE_UP, "deliver", False)]


def test_alarms_survive_a_restart() -> None:
    """What stood before ends when it is over; where that is not known any more, all that do not hold are ended once."""
    kept = Alarms({f"{MISSING}|ledger": NOW_MS})
    assert said(kept.of(verdict(), {})) == [(MISSING, "ledger", False)]
    lost = Alarms(unsure=telling.subjects(["lab"], ["intake-1"]))
    assert lost.of(verdict(0, unreachable=["intake-1"]), {}) == []
    ended = said(lost.of(verdict(5), {}))
    assert {active for *_, active in ended} == {False}
    assert {(kind, subject) for kind, subject, _ in ended} == {
        (MISSING, "ledger"),
        (OVERDUE, "lab"),
        (UNPUBLISHED, "intake-1"),
        (GAVE_UP, "incidents"),
        (GAVE_UP, "deliver"),
    }
    assert lost.of(verdict(10), {}) == []


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    """A metric's value."""
    return registry.get_sample_value(name, labels)


def test_figures_name_counts_and_no_ids() -> None:
    """Balanced, missing, overdue and ages; unknown is neither yes nor no."""
    metrics = Metrics()
    figures, registry = Figures(metrics, ["lab", "fire"]), metrics.registry
    assert value(registry, "sztab_ledger_balanced") == -1
    assert value(registry, "sztab_ledger_verdict_age_seconds") == -1
    ledger = {"accepted": 9, "delivered": 4, "quarantined": 1, "in_flight": 1, "missing": LOST, "overdue": LATE}
    figures.verdict(verdict(0, **ledger, oldest_ms={"route": NOW_MS - 7_000}))
    assert value(registry, "sztab_ledger_balanced") == 0
    assert value(registry, "sztab_ledger_pairs", state="missing") == 3
    assert value(registry, "sztab_ledger_missing", what="without_receipt") == 2
    assert value(registry, "sztab_ledger_missing", what="not_in_journal") == 0
    assert value(registry, "sztab_ledger_overdue", recipient="lab") == 1
    assert value(registry, "sztab_ledger_overdue", recipient="fire") == 0
    assert value(registry, "sztab_ledger_oldest_seconds", stage="route") == 7
    assert value(registry, "sztab_ledger_oldest_seconds", stage="publish") == 0
    figures.verdict(None)
    assert value(registry, "sztab_ledger_balanced") == -1
    age = value(registry, "sztab_ledger_verdict_age_seconds")
    assert age is not None
    assert age >= 0
    figures.verdict(verdict(1))
    assert value(registry, "sztab_ledger_balanced") == 1
    figures.counted({"journal": 5, "rebuilt": 1})
    figures.counted({"journal": 7, "rebuilt": 1})
    assert value(registry, "sztab_ledger_records_total", source="journal") == 7
    assert value(registry, "sztab_ledger_rebuilt_total") == 1


def test_the_word_for_the_page() -> None:
    """Counts whole, lists cut; an unknown account says so, and reads back."""
    many = {"in_facts": [f"r{n}" for n in range(200)]}
    told = telling.told(verdict(0, accepted=3, missing=many, overdue=LATE * 60), NOW, NOW_MS, ())
    out = telling.output(told)
    again = payload(out.headers, out.value)
    assert again == told
    assert isinstance(again, LedgerTold)
    assert (again.missing, len(again.missing_ids["in_facts"]), again.overdue_count) == ({"in_facts": 200}, 50, 60)
    unknown = telling.output(telling.told(None, NOW, NOW_MS, ()))
    assert b"balanced" not in (unknown.value or b"")
    assert getattr(payload(unknown.headers, unknown.value), "balanced", "") is None

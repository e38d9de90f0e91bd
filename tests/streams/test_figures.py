"""The derived figures, without faust."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Code
from schemas.feed import Alarm, AlarmClass
from schemas.incident import CommandRefused, Fact, IncidentState, Stage, StageTime, StateChanged
from schemas.report import Urgency
from streams.figures import NOTHING, Book, Count, Counted, of_alarm, of_fact
from tests.schemas.samples import AT
from tests.streams.facts import linked, opened, summary

WINDOW = 600


def names(fact: Fact) -> list[tuple[str, str]]:
    """Figure and label of each count."""
    return [(one.figure, one.label) for one in of_fact(fact.to_json(), WINDOW).counts]


def test_a_report_counts_for_source_hour_and_unit():
    """A report that opens an incident counts for it too; one that joins does not open another."""
    reports = [
        ("reports_by_source", "kmp-kalisz/cpr"),
        ("reports_by_hour", "kmp-kalisz/cpr"),
        ("reports_by_unit", "kmp-kalisz"),
    ]
    assert names(linked()) == reports
    assert names(opened()) == [*reports, ("incidents_by_category", "kmp-kalisz/traffic.accident")]


@pytest.mark.parametrize(("urgency", "figures"), [(Urgency.URGENT, 2), (Urgency.ORDINARY, 1)])
def test_reaction_is_accepted_to_on_scene(urgency, figures):
    """The police measure: seconds from acceptance to the first unit on scene; urgent ones also by themselves."""
    change = StateChanged(verb="arrive", before=IncidentState.DISPATCHED, after=IncidentState.ON_SCENE, actor="a")
    stages = tuple(
        StageTime(stage=stage, at=AT + timedelta(seconds=after), how="measured", by="a")
        for stage, after in ((Stage.ACCEPTED, 30), (Stage.ON_SCENE, 430.5))
    )
    fact = opened(change=change, summary=summary(stages=stages, urgency=urgency))
    counts = of_fact(fact.to_json(), WINDOW).counts
    assert [one.seconds for one in counts] == [400.5] * figures
    assert counts[0].figure == "reactions"
    without = opened(change=change, summary=summary(stages=()))
    assert of_fact(without.to_json(), WINDOW).counts == ()


def test_other_facts_count_for_nothing():
    """A refused command, a state that stays, what is no fact: nothing, and no error."""
    refused = CommandRefused(command_id="c", verb="accept", code=Code.STATE_FORBIDS)
    same = StateChanged(verb="dispatch", before=IncidentState.DISPATCHED, after=IncidentState.DISPATCHED, actor="a")
    ended = StateChanged(verb="end", before=IncidentState.ON_SCENE, after=IncidentState.ENDED, actor="a")
    for change in (refused, same, ended):
        assert names(opened(change=change)) == []
    for raw in (b"", b"{", b"[]", b"{}", b'{"at": "x"}', b'{"at": 3, "unit": 1, "change": {}}'):
        assert of_fact(raw, WINDOW) == NOTHING
        assert of_alarm(raw, WINDOW) == NOTHING


def test_an_alarm_counts_when_it_is_raised():
    """Its end counts for nothing."""
    alarm = Alarm(
        alarm_id="a",
        kind="feed-down",
        subject="cpr",
        alarm_class=AlarmClass.URGENT,
        active=True,
        raised_at=AT,
        changed_at=AT,
    )
    assert [one.label for one in of_alarm(alarm.to_json(), WINDOW).counts] == ["feed-down/cpr"]
    assert of_alarm(alarm.model_copy(update={"active": False}).to_json(), WINDOW) == NOTHING


def one(at_s: float, label: str = "u", seconds: float | None = None, id: str = "") -> Counted:
    """One count."""
    return Counted(id or f"{at_s}|{label}", (Count("f", label, at_s, seconds, WINDOW),))


def test_windows_are_added_up():
    """Counts and durations of a window are summed; the next window begins at its own start."""
    book = Book({}, 1e9)
    book.count(0, one(0, seconds=1.5))
    book.count(1, one(599.9, seconds=2))
    book.count(2, one(600))
    told = {key: (figure.count, figure.total_seconds) for key, figure in book.figures()}
    assert told == {"f|u|600|0": (2, 3.5), "f|u|600|600": (1, None)}
    assert list(book.figures()) == []


def test_a_record_read_again_counts_once():
    """The same offset after a restart, and the same id at another offset, change nothing."""
    table: dict[str, list[Any]] = {}
    book = Book(table, 1e9)
    book.count(7, one(0, id="x"))
    book.count(8, one(0, id="x"))
    again = Book(table, 1e9)
    again.recovered()
    again.count(7, one(0, id="x"))
    assert table == {"f|u|600|0": [1, None, 7]}
    again.count(9, one(0, id="y"))
    assert table == {"f|u|600|0": [2, None, 9]}


def test_old_windows_leave():
    """What is older than a unit's newest window by more than the limit is dropped, of that unit alone."""
    table: dict[str, list[Any]] = {}
    book = Book(table, 1_200)
    for number, at_s in enumerate((0, 600, 1_200, 1_800)):
        book.count(number, one(at_s, "u/a"))
    book.count(9, one(0, "v"))
    book.count(10, one(0, "u/b"))
    assert sorted(table) == ["f|u/a|600|1200", "f|u/a|600|1800", "f|u/a|600|600", "f|v|600|0"]
    assert "f|u/a|600|0" not in dict(book.figures())


def test_everything_is_told_again_after_recovery():
    """What was counted and not told before a crash is told after it."""
    table: dict[str, list[Any]] = {}
    Book(table, 1e9).count(0, one(0))
    book = Book(table, 1_200)
    book.recovered()
    assert [figure.count for _, figure in book.figures()] == [1]
    book.count(1, one(6_000))
    assert list(table) == ["f|u|600|6000"]


@settings(max_examples=100, deadline=None)
@given(
    times=st.lists(st.tuples(st.integers(0, 5_000), st.sampled_from("uvw")), max_size=40),
    crash=st.integers(0, 40),
    back=st.integers(0, 40),
)
def test_a_crash_anywhere_changes_nothing(times, crash, back):
    """Killed after any record and read again from any earlier one: the same table as without a crash."""
    log = [(offset, one(at_s, label, id=str(offset))) for offset, (at_s, label) in enumerate(times)]
    straight: dict[str, list[Any]] = {}
    book = Book(straight, 1e9)
    for offset, counted in log:
        book.count(offset, counted)
    crashed: dict[str, list[Any]] = {}
    first = Book(crashed, 1e9)
    for offset, counted in log[:crash]:
        first.count(offset, counted)
    second = Book(crashed, 1e9)
    second.recovered()
    for offset, counted in log[max(0, min(crash, len(log)) - back) :]:
        second.count(offset, counted)
    assert crashed == straight


def test_ids_are_remembered_for_so_long(monkeypatch: pytest.MonkeyPatch):
    """A repeat is known while the shell may bring one, not for ever."""
    monkeypatch.setattr("streams.figures.REMEMBERED_IDS", 2)
    table: dict[str, list[Any]] = {}
    book = Book(table, 1e9)
    for offset, name in enumerate(["a", "b", "b", "c", "a"]):
        book.count(offset, one(0, id=name))
    assert table["f|u|600|0"][0] == 4

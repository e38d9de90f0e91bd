"""The page's projection: right, bounded, without personal fields."""

from datetime import timedelta

from ops.console.board import MAX_INCIDENTS, Board
from schemas.feed import Alarm, AlarmClass, FeedState, FeedStatus
from schemas.incident import (
    Change,
    Explanation,
    Fact,
    IncidentFlagged,
    IncidentOpened,
    IncidentState,
    IncidentSummary,
    ObservationMade,
    ReportLinked,
    ReportUnlinked,
    SuggestionSettled,
)
from tests.schemas.samples import AT, normalised


def summary(incident_id: str = "i-1", sequence: int = 1, **changes: object) -> IncidentSummary:
    """An incident with one report."""
    one = normalised()
    values: dict[str, object] = {
        "incident_id": incident_id,
        "unit": "kmp-kalisz",
        "sequence": sequence,
        "state": IncidentState.OPEN,
        "urgency": one.urgency,
        "category": one.category,
        "cap_category": one.cap_category,
        "place": one.place,
        "opened_at": AT,
        "event_at": AT,
        "updated_at": AT,
        "reports": 1,
    }
    return IncidentSummary.model_validate(values | changes)


def fact(change: Change, incident_id: str = "i-1", sequence: int = 1) -> Fact:
    """A fact about an incident."""
    return Fact(
        fact_id=f"f-{incident_id}-{sequence}",
        caused_by="r-1",
        unit="kmp-kalisz",
        at=AT,
        incident_id=incident_id,
        change=change,
        summary=summary(incident_id, sequence),
    )


def test_an_opened_incident_is_shown_with_its_report() -> None:
    """The officer sees the incident and who reported it."""
    board = Board()
    events = board.apply(fact(IncidentOpened(report=normalised())))
    assert [name for name, _ in events] == ["incident"]
    view = board.incident("i-1")
    assert view is not None
    assert [report["id"] for report in view["report_list"]] == ["r-1"]
    assert view["place"]["line"] == "Śródmiejska 12, Kalisz"


def test_no_personal_or_free_text_reaches_the_page() -> None:
    """Neither caller nor description stand anywhere in what browsers get."""
    board = Board()
    board.apply(fact(IncidentOpened(report=normalised())))
    shown = str(board.snapshot())
    assert "Kolizja dwóch aut" not in shown
    assert "ciphertext" not in shown
    assert "op-17" not in shown


def test_an_older_change_never_overwrites_a_newer() -> None:
    """Facts and the compacted topic may arrive in any order."""
    board = Board()
    board.apply(summary(sequence=5, state=IncidentState.ACCEPTED))
    assert board.apply(summary(sequence=4)) == []
    assert board.incidents["i-1"]["state"] == "accepted"


def test_a_report_moved_by_a_person_moves_on_the_page() -> None:
    """Linking and unlinking show where each report is now."""
    board = Board()
    board.apply(fact(IncidentOpened(report=normalised())))
    board.apply(fact(ReportUnlinked(report_id="r-1", moved_to="i-2"), sequence=2))
    board.apply(summary("i-2"))
    assert board.incident("i-1")["report_list"] == []  # type: ignore[index]
    assert [r["id"] for r in board.incident("i-2")["report_list"]] == ["r-1"]  # type: ignore[index]
    back = ReportLinked(report_id="r-1", explanation=Explanation(rule="person"))
    board.apply(fact(back, sequence=3))
    assert [r["id"] for r in board.incident("i-1")["report_list"]] == ["r-1"]  # type: ignore[index]


def test_a_doubtful_link_is_marked_until_a_person_decides() -> None:
    """At the report that it is about; left or moved by a person, it is a link as any other."""
    board = Board()
    board.apply(fact(IncidentOpened(report=normalised())))

    def marked(incident: str) -> list[bool]:
        return [one["doubtful"] for one in board.incident(incident)["report_list"]]  # type: ignore[index]

    board.apply(fact(IncidentFlagged(flag="unanswered", report_id="r-1"), sequence=2))
    assert marked("i-1") == [False]
    board.apply(fact(IncidentFlagged(flag="link-doubtful", report_id="r-1"), sequence=3))
    assert marked("i-1") == [True]
    board.apply(fact(SuggestionSettled(target_id="i-1", confirmed=True, report_id="r-1"), sequence=4))
    assert marked("i-1") == [False]
    board.apply(fact(IncidentFlagged(flag="link-doubtful", report_id="r-1"), sequence=5))
    board.apply(fact(ReportUnlinked(report_id="r-1", moved_to="i-2"), sequence=6))
    board.apply(summary("i-2"))
    assert marked("i-2") == [False]


def test_what_a_neighbour_has_stands_beside_the_incident() -> None:
    """Whose it is, which incident there if that is known, and why; the same again is there once."""
    board = Board()
    board.apply(fact(IncidentOpened(report=normalised())))
    why = Explanation(rule="weights", weight_bits=2.34)
    for sequence in (2, 3):
        told = ObservationMade(from_unit="kpp-pleszew", report_id="theirs", other_incident_id="i-9", explanation=why)
        board.apply(fact(told, sequence=sequence))
    (one,) = board.incident("i-1")["neighbours"]  # type: ignore[index]
    assert (one["unit"], one["incident"], one["why"]["bits"]) == ("kpp-pleszew", "i-9", 2.3)
    board.apply(fact(ObservationMade(from_unit="kmp-leszno", report_id="other"), sequence=4))
    assert [one["why"] for one in board.incident("i-1")["neighbours"]][1] is None  # type: ignore[index]


def test_the_page_is_bounded_and_forgets_finished_incidents_first() -> None:
    """A storm night does not grow the console for ever, and hides nothing that is open while something is closed."""
    board = Board()
    board.apply(summary("open", state=IncidentState.OPEN))
    for number in range(MAX_INCIDENTS + 10):
        board.apply(summary(f"i-{number}", state=IncidentState.ENDED))
    assert len(board.incidents) == MAX_INCIDENTS
    assert "open" in board.incidents


def test_an_ended_alarm_leaves() -> None:
    """What needs no response any more is not shown."""
    board = Board()
    raised = Alarm(
        alarm_id="a",
        kind="feed-silent",
        subject="cpr",
        alarm_class=AlarmClass.URGENT,
        active=True,
        raised_at=AT,
        changed_at=AT,
    )
    board.apply(raised)
    assert board.snapshot()["alarms"]
    board.apply(raised.model_copy(update={"active": False}))
    assert board.snapshot()["alarms"] == []


def test_a_feed_is_shown_per_node() -> None:
    """Two intake nodes with one partner are two rows."""
    board = Board()
    status = FeedStatus(
        feed="cpr", system="cpr", node="intake-1", state=FeedState.UP, since=AT, said_at=AT + timedelta(minutes=1)
    )
    board.apply(status)
    board.apply(status.model_copy(update={"node": "intake-2"}))
    assert len(board.snapshot()["feeds"]) == 2

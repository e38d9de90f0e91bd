"""Warnings, observations of neighbours and versions of reference data in a territory."""

from datetime import timedelta

import pytest

from schemas.command import ReferenceActivated
from schemas.errors import Rejected
from schemas.notice import Notice, NoticeChanged
from schemas.report import Mode
from schemas.topics import NOTICES_NOW
from schemas.unit import Observation
from tests.streams.incident_log import (
    START,
    THERE,
    UNIT,
    Country,
    Territory,
    identity,
    incident_of,
    kinds,
    place,
    report,
)


@pytest.fixture
def territory():
    """An empty territory."""
    return Territory()


def notice(degree="1", hours=6.0):
    """A storm warning."""
    ends = START + timedelta(hours=hours)
    return Notice(notice_id="n-1", feed="imgw", far_id="1", event="Burze", degree=degree, ends_at=ends, teryt=("3061",))


def change(one, *, withdrawn=False, cause="snapshot"):
    """Normalise's conclusion about it."""
    return NoticeChanged(unit=UNIT, notice=one, withdrawn=withdrawn, caused_by=cause)


def now(territory):
    """What `notice.current` holds of it."""
    return [one.value for one in territory.outputs if one.topic == NOTICES_NOW and one.key == b"n-1"]


def test_issued_changed_withdrawn(territory):
    """Each word is told once and stands in `notice.current`; withdrawn, it is gone from there."""
    assert kinds(territory.put(change(notice()))) == ["NoticeIssued"]
    assert kinds(territory.put(change(notice(), cause="next snapshot"))) == []
    facts = territory.put(change(notice("3"), cause="third"))
    assert [(fact.change.kind, fact.change.notice.degree, fact.incident_id) for fact in facts] == [
        ("NoticeIssued", "3", None)
    ]
    assert kinds(territory.put(change(notice("3"), withdrawn=True, cause="fourth"))) == ["NoticeWithdrawn"]
    assert kinds(territory.put(change(notice("3"), withdrawn=True, cause="fourth"))) == []
    assert now(territory) == [notice().to_json(), notice("3").to_json(), None]


def test_issued_again_after_withdrawal(territory):
    """What was withdrawn may come again."""
    territory.put(change(notice()))
    territory.put(change(notice(), withdrawn=True, cause="a"))
    assert kinds(territory.put(change(notice(), cause="b"))) == ["NoticeIssued"]


def test_an_ended_notice_is_forgotten(territory):
    """Long after its end it leaves state and `notice.current`; one without end stays."""
    territory.put(change(notice(hours=1)))
    open_end = notice().model_copy(update={"notice_id": "n-2", "ends_at": None})
    territory.put(change(open_end))
    territory.at(16 * 86_400).put(report("any"))
    assert now(territory)[-1] is None
    assert f"n|{UNIT}|n-1" not in territory.memory.values
    assert f"n|{UNIT}|n-2" in territory.memory.values


def observation(name, at, category="traffic.collision"):
    """What a neighbour lets us know."""
    assert at.position is not None
    return Observation(
        report_id=identity(name),
        from_unit="kpp-pleszew",
        to_unit=UNIT,
        category=category,
        position=at.position,
        event_at=START,
    )


def test_an_observation_is_told_at_the_incident_near_it(territory):
    """A neighbour's report beside our incident is told there, once; it opens nothing and links nothing."""
    incident_id = incident_of(territory.put(report("one", at=place(2_000))))
    facts = territory.put(observation("theirs", place(2_100)))
    assert [(fact.change.kind, fact.incident_id) for fact in facts] == [("ObservationMade", incident_id)]
    assert facts[0].change.from_unit == "kpp-pleszew"
    assert territory.summary(incident_id).reports == 1
    assert territory.put(observation("theirs", place(2_100))) == []


def test_both_sides_of_the_border_are_told():
    """Whoever has the later report, each desk sees the other's incident and why; once, also when all comes again."""
    country = Country()
    ours = incident_of(country.put(report("ours", at=place(2_000))))
    theirs = incident_of(country.put(report("theirs", at=place(2_100), unit=THERE)))
    facts = country.put(observation("theirs", place(2_100)))
    assert [(one.unit, one.incident_id, one.change.from_unit, one.change.other_incident_id) for one in facts] == [
        (UNIT, ours, THERE, None),
        (THERE, theirs, UNIT, ours),
    ]
    assert {one.change.report_id for one in facts} == {identity("theirs")}
    here, there = (one.change.explanation for one in facts)
    assert here == there
    assert {"distance", "time-gap", "category-pair"} < {one.feature for one in here.evidence}
    assert all("neighbour-observed" in country.territory.summary(one).flags for one in (ours, theirs))
    assert country.put(observation("theirs", place(2_100))) == []


def test_an_answer_that_comes_before_its_report_waits_for_it(territory):
    """The neighbour's log may be quicker than ours: what it answered is told once the report is here, and once only."""
    answer = observation("ours", place(2_100)).model_copy(update={"incident_id": "theirs"})
    assert territory.put(answer) == []
    assert territory.put(report("other", at=place(9_000)))[-1].change.kind == "IncidentOpened"
    facts = territory.put(report("ours", at=place(2_000)))
    assert kinds(facts) == ["IncidentOpened", "ObservationMade"]
    assert facts[1].change.other_incident_id == "theirs"
    assert territory.summary(facts[0].incident_id).flags == ("neighbour-observed",)
    assert territory.put(answer) == []
    assert kinds(territory.put(report("ours", at=place(2_000)))) == ["ReportRepeated"]


def test_an_answer_whose_report_never_comes_is_forgotten(territory):
    """It leaves no state behind; ten of one report are kept at the most."""
    for at in range(20):
        territory.put(observation("ours", place(2_100)).model_copy(update={"incident_id": f"theirs{at}"}))
    assert len(territory.memory.get(f"e|{UNIT}|{identity('ours')}")) == 10
    for day in range(16, 60):
        territory.tick(day * 86_400)
    assert [key for key in territory.memory.values if key[0] in "es"] == []


def test_an_exercise_at_the_border_is_told_in_the_exercise_alone():
    """What is played next door says nothing of what happens here."""
    country = Country()
    country.put(report("ours", at=place(2_000)))
    played = incident_of(country.put(report("played", at=place(2_000), mode=Mode.EXERCISE)))
    country.put(report("theirs", at=place(2_100), unit=THERE, mode=Mode.EXERCISE))
    facts = country.put(observation("theirs", place(2_100)), mode="exercise")
    assert [one.unit for one in facts] == [UNIT, THERE]
    assert facts[0].incident_id == played
    with pytest.raises(Rejected):
        country.put(observation("other", place(2_100)), mode="nonsense")


def test_an_answer_about_what_is_not_here_is_silent():
    """A report that went elsewhere meanwhile, or was never here, is told nowhere."""
    answer = observation("unheard-of", place(2_100)).model_copy(update={"incident_id": "theirs"})
    assert Territory().put(answer) == []


def test_an_observation_of_something_else_is_silent(territory):
    """Far away, or nothing here: nothing is told, nothing is opened."""
    assert territory.put(observation("before", place())) == []
    territory.put(report("one", at=place(2_000)))
    assert territory.put(observation("far", place(-4_000))) == []
    assert len(territory.homes()) == 1


def test_activated_reference_is_noted(territory):
    """Another version of reference data is remembered, and tells no fact."""
    assert territory.put(ReferenceActivated(kind="weights", version="2", digest="abc")) == []
    assert territory.memory.get("ref|weights") == ("2", "abc")

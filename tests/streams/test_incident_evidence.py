"""What counts as evidence, and what never does: modes, lateness, missing places, clocks, sizes."""

from datetime import timedelta

import pytest

from schemas.errors import Code, Rejected
from schemas.place import Obtained, Place, Position
from schemas.report import Mode
from schemas.wire import record
from tests.streams.incident_log import START, Territory, command, identity, incident_of, kinds, place, report


@pytest.fixture
def territory():
    """An empty territory."""
    return Territory()


def test_test_never_meets_real(territory):
    """Neither weight, nor thread, nor another system's id joins a test with something real."""
    real = incident_of(territory.put(report("real", references=(("cpr_id", "1"),), text="a red car in a ditch")))
    test = report("test", thread="real", mode=Mode.TEST, references=(("cpr_id", "1"),), text="a red car in a ditch")
    facts = territory.put(test)
    assert kinds(facts) == ["IncidentOpened"]
    assert facts[0].summary.mode is Mode.TEST
    facts = territory.put(report("named", mode=Mode.TEST, references=(("incident", real),), at=place(north_m=9_000)))
    assert kinds(facts) == ["IncidentOpened"]
    facts = territory.put(command("mix", "accept", real, mode=Mode.TEST))
    assert facts[0].change.code is Code.MODE_MIXED


def test_a_late_report_opens_nothing(territory):
    """Received longer ago than ids are kept: told to a person as late, once, in no incident."""
    late = report("late", received=-16 * 86_400)
    assert kinds(territory.put(late)) == ["ReportHeldLate"]
    assert kinds(territory.put(late)) == ["ReportRepeated"]
    assert territory.homes() == {}


def test_seen_ids_are_forgotten_after_the_window_and_not_before():
    """State does not grow without bound: 15 days later a busy territory has forgotten what nobody touched."""
    territory = Territory()
    for at in range(40):
        territory.put(report(f"old{at}", at=place(east_m=at * 5_000), references=(("cpr_id", str(at)),)))
    day = 86_400
    territory.tick(day // 2)
    for at in range(30):
        territory.at(14 * day + at).put(report(f"early{at}", at=Place(), seconds=14 * day + at))
    assert f"r|kmp-kalisz|{identity('old0')}" in territory.memory.values
    for at in range(100):
        territory.at(16 * day + at).put(report(f"new{at}", at=Place(), seconds=16 * day + at))
    old = {identity(f"old{at}") for at in range(40)}
    assert not [key for key in territory.memory.values if key.rsplit("|", 1)[-1] in old or "cpr_id" in key]
    incidents = [key for key in territory.memory.values if key.startswith("i|")]
    assert len(incidents) == 130


@pytest.mark.parametrize(
    "where",
    [
        Place(),
        Place(locality="Kalisz"),
        Place(position=Position(lat=0, lon=0, uncertainty_m=1, obtained=Obtained.MEASURED)),
        Place(position=Position(lat=51.76, lon=18.09, uncertainty_m=20_000, obtained=Obtained.TERRITORY)),
    ],
)
def test_without_a_point_no_weight(territory, where):
    """No place, a name only, (0, 0), a whole territory: two such reports do not meet by weight."""
    territory.put(report("one", at=where, text="awaria światła na całej ulicy"))
    assert kinds(territory.put(report("two", at=where, system="psp", text="awaria światła na całej ulicy"))) == [
        "IncidentOpened"
    ]


def test_without_a_point_by_token(territory):
    """The same caller within minutes is at least suggested; ten different things of one caller are not one incident."""
    first = incident_of(territory.put(report("one", at=Place(), tokens=("t1",))))
    facts = territory.put(report("two", at=Place(), tokens=("t1",), system="psp"))
    assert facts[0].incident_id == first or facts[1].change.suggestion.target_id == first
    far = territory.put(report("three", at=place(east_m=15_000), tokens=("t1",), category="order.noise"))
    assert kinds(far) == ["IncidentOpened"]


def test_a_record_that_cannot_be_read_is_set_aside(territory):
    """Unknown type, broken JSON, a missing field, headers that are no text: Rejected, and the state is as before."""
    good_value, good_headers = record(report("one"), id="1", source="/t")
    for value, headers in (
        (good_value, ()),
        (b"{", good_headers),
        (None, good_headers),
        (good_value.replace(b'"unit"', b'"tinu"'), good_headers),
        (good_value, (*good_headers, ("ce_unit", b"\xff"))),
        (good_value, (*good_headers, ("ce_firstappended", b"yesterday"))),
    ):
        with pytest.raises(Rejected) as caught:
            territory.step(value, headers)
        assert caught.value.code is Code.RECORD_INVALID
    assert territory.memory.values == {}


def test_unknown_category_is_taken_from_the_next_report(territory):
    """An incident of unknown kind takes the kind of a report that knows it."""
    incident_id = incident_of(territory.put(report("one", category="unknown", references=(("cpr_id", "1"),))))
    territory.put(report("two", system="psp", category="fire.building", references=(("cpr_id", "1"),)))
    assert territory.summary(incident_id).category == "fire.building"


def test_a_better_place_replaces_a_worse_one(territory):
    """Another report's point counts when it is at least twice as sure; a vaguer one changes nothing."""
    incident_id = incident_of(territory.put(report("one", at=place(uncertainty_m=500), references=(("cpr_id", "1"),))))
    vague = report("two", system="psp", at=place(100, uncertainty_m=400), references=(("cpr_id", "1"),))
    sure = report("three", system="prm", at=place(200, uncertainty_m=10), references=(("cpr_id", "1"),))
    territory.put(vague)
    assert territory.summary(incident_id).place == place(uncertainty_m=500)
    territory.put(sure)
    assert territory.summary(incident_id).place == sure.place


def test_first_append_time_of_a_copy_is_its_time(territory):
    """A copied log decides as the first one did: its records carry the first append time in a header."""
    facts = territory.at(5_000).put(report("one"), firstappended=str(round(START.timestamp() * 1000)))
    assert facts[0].at == START


def test_clock_of_records():
    """Fed history goes by its own times: the 45 s pass by the next report's time, not by the time of feeding."""
    territory = Territory()
    year_2016 = -300_000_000
    territory.put(report("one", seconds=year_2016, received=0, clock="records"))
    facts = territory.at(1).put(report("two", seconds=year_2016 + 100, received=1, clock="records", at=place(9_000)))
    assert kinds(facts) == ["DeadlinePassed", "IncidentOpened"]
    assert facts[1].at == START + timedelta(seconds=year_2016 + 100)
    assert territory.due() is None, "the ticker's clock is not theirs"
    assert kinds(territory.tick(year_2016 + 146, unit="kmp-kalisz")) == ["DeadlinePassed"]


def test_five_thousand_reports_of_one_incident(territory):
    """An incident of 5,000 reports works, its summary stays small, and no value in state grows with it."""
    first = territory.put(report("r0", thread="t", references=(("cpr_id", "1"),)))
    for at in range(1, 5_000):
        territory.put(report(f"r{at}", thread="t", order=at, system=f"s{at % 80}", text="x" * 300))
        territory.outputs = territory.outputs[-2:]
    summary = territory.summary(incident_of(first))
    assert (summary.reports, len(summary.first_reports), len(summary.last_reports)) == (5_000, 20, 20)
    assert summary.last_reports[-1] == identity("r4999")
    assert len(summary.to_json()) < 32_768
    assert max(len(territory.made.encode(one)) for one in territory.memory.values.values()) < 20_000


def test_a_summary_stays_below_its_bound(territory):
    """Whatever a far side writes, the summary stays below 32 KiB."""
    long = "ż" * 5_000
    told = None
    for at in range(120):
        references = tuple((f"cpr_id{n}", f"{at}-{n}" * 20) for n in range(60))
        flags = tuple(f"{long}{at}{n}" for n in range(50))
        where = place(at, locality=long, street=long, object_name=long, text=long, hamlet=long, gmina=long)
        told = territory.put(
            report(f"r{at}", thread="t", order=at, at=where, system=f"{long}{at}", references=references, flags=flags)
        )
    assert told is not None
    assert len(told[-1].summary.to_json()) < 32_768

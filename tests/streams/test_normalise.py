"""The step of normalise: what goes to which territory's log."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.command import Command, Verb
from schemas.envelope import attribute
from schemas.errors import Code, Rejected
from schemas.feed import FeedState, FeedStatus
from schemas.finding import Finding, FindingCode
from schemas.report import Mode, ReportNormalised, Revision
from schemas.topics import LOG, POLICE
from schemas.unit import Observation
from schemas.wire import payload
from streams.normalise import NormaliseReference, SourceRule, processor
from tests.schemas.samples import AT
from tests.streams.places import Memory, on_topic, reference, report, two_units

IDS = {"documentid": "d-1", "reportid": "r-1", "threadid": "t-1", "mode": "real", "traceparent": "00-1-2-01"}


def stepped(one: Any, which: NormaliseReference | None = None, **ids: str) -> list[Any]:
    """The payloads that a record leads to, from an empty state."""
    outcome = processor(POLICE, which or reference()).step({}, on_topic(one, **ids))
    return [payload(output.headers, output.value) for output in outcome.outputs]


def normalised(told: dict[str, Any] | None = None, **changes: Any) -> ReportNormalised:
    """The report as it reaches the log."""
    found = stepped(report(told, **changes))[0]
    assert isinstance(found, ReportNormalised)
    return found


def test_a_report_reaches_its_territorys_log():
    """Key is the unit, the report inside is untouched, ids and trace are passed on."""
    one = report()
    (output,) = processor(POLICE, reference()).step({}, on_topic(one, **IDS)).outputs
    found = payload(output.headers, output.value)
    assert isinstance(found, ReportNormalised)
    assert (output.topic, output.key, found.report) == (LOG, b"kmp-kalisz", one)
    assert (found.category, found.cap_category, found.urgency_rule) == (
        "traffic.collision",
        "Transport",
        "source-urgent",
    )
    assert {name: attribute(output.headers, name) for name in IDS} == IDS
    assert attribute(output.headers, "unit") == "kmp-kalisz"
    assert set(found.versions) == {"catalogue", "territory", "urgency"}


def test_unknown_code_is_routed_all_the_same():
    """A code of nobody becomes category `unknown`, with a finding beside the report's own."""
    own = Finding(code=FindingCode.CHECKSUM_WRONG, at="/caller/pesel")
    found = normalised({"category": "999", "subcategory": None}, findings=(own,))
    assert found.category == "unknown"
    assert {finding.code for finding in found.findings} == {FindingCode.CHECKSUM_WRONG, FindingCode.UNKNOWN_CODE}


def test_the_mapping_is_the_sources():
    """A source without a rule uses the mapping that bears its name, or its far system's."""
    told = {"category": "EMS: OVERDOSE", "subcategory": None}
    assert normalised(told, source="montgomery911").category == "health.overdose"
    assert normalised(told, source="x", far_system="montgomery911").category == "health.overdose"
    assert normalised(told, source="x", far_system="x").category == "unknown"
    one = reference()
    file = NormaliseReference(one.territory, one.catalogue, one.urgency, {"montgomery911": SourceRule("file")})
    assert stepped(report(told, source="montgomery911"), file)[0].category == "health.overdose"


@pytest.mark.parametrize(
    ("event", "taken"),
    [
        (timedelta(hours=-24), True),
        (timedelta(hours=-24, seconds=-1), False),
        (timedelta(minutes=5), True),
        (timedelta(minutes=5, seconds=1), False),
        (timedelta(0), True),
    ],
)
def test_event_time_must_be_plausible(event, taken):
    """Within 24 h before and 5 min after receipt it is taken, outside receipt is, with a finding."""
    found = normalised({"event_at": AT + event})
    assert found.event_at == (AT + event if taken else AT)
    assert (FindingCode.TIME_IMPLAUSIBLE in {finding.code for finding in found.findings}) is not taken


def test_event_time_of_fed_history_is_taken():
    """A territory with clock `records` lives by the told times, however old."""
    old = datetime(2015, 12, 10, 17, 10, 52, tzinfo=UTC)
    assert normalised({"event_at": old, "clock": "records"}).event_at == old


def test_event_time_without_zone_is_not_taken():
    """A time without zone never decides; no time at all means registration, else receipt, without a finding."""
    found = normalised({"event_at": AT.replace(tzinfo=None), "registered_at": None})
    assert found.event_at == AT
    assert {finding.code for finding in found.findings} == {FindingCode.TIME_IMPLAUSIBLE}
    assert normalised({"event_at": None, "registered_at": AT - timedelta(60)}).event_at == AT
    later = normalised({"event_at": None, "registered_at": AT - timedelta(seconds=60)})
    assert later.event_at == AT - timedelta(seconds=60)
    assert normalised({"event_at": None, "registered_at": None}).findings == ()


def test_the_window_is_the_sources_setting():
    """A source may tell older events."""
    one = reference()
    wide = NormaliseReference(one.territory, one.catalogue, one.urgency, {"cpr": SourceRule("cpr", 9e6, 0)})
    (found,) = stepped(report({"event_at": AT - timedelta(days=90)}), wide)
    assert found.event_at == AT - timedelta(days=90)


def test_all_revisions_go_to_one_log():
    """The first report of a thread decides; a later one elsewhere follows it, also after a restart."""
    one = processor(POLICE, two_units())
    memory = Memory(one)
    first = memory.step(on_topic(report({"place": {"teryt": "3061011"}, "caller_network": None})))
    later = memory.step(on_topic(report({"place": {"teryt": "3007083"}, "caller_network": None}, report_id="r-2")))
    other = memory.step(on_topic(report({"place": {"teryt": "3007083"}, "caller_network": None}, thread_id="t-2")))
    assert [one.outputs[0].key for one in (first, later, other)] == [b"city", b"city", b"county"]


def test_memory_of_threads_is_bounded():
    """The oldest thread is forgotten when there are too many; what stays is still right."""
    base = two_units()
    small = NormaliseReference(base.territory, base.catalogue, base.urgency, remembered_threads=3)
    one = processor(POLICE, small)
    memory = Memory(one)
    for number in range(20):
        memory.step(on_topic(report(thread_id=f"t-{number}")))
    assert {key for key in memory.values if key.startswith("t|")} == {"t|t-17", "t|t-18", "t|t-19"}
    assert len(memory.values) == 3 + 3 + 1


def test_neighbours_learn_of_reports_near_the_border():
    """An observation without text or persons goes to the neighbour's log; none for tests and cancellations."""
    place = {"teryt": "3061011", "position": {"lat": 51.73, "lon": 18.15, "uncertainty_m": 9, "obtained": "typed"}}
    found = stepped(report({"place": place}), two_units(), **IDS)
    assert isinstance(found[1], Observation)
    assert (found[1].from_unit, found[1].to_unit, found[1].report_id) == ("city", "county", "r-1")
    assert len(stepped(report({"place": place}, mode=Mode.TEST), two_units())) == 1
    assert len(stepped(report({"place": place, "revision": Revision.CANCELLATION}), two_units())) == 1


def test_commands_pass_unchanged():
    """A command reaches its unit's log as it is, with unit and verb for readers that only count."""
    asked = Command(command_id="c-1", verb=Verb.ACCEPT, incident_id="i-1", unit="city", actor="a", asked_at=AT)
    incoming = on_topic(asked, traceparent="00-1")
    (output,) = processor(POLICE, two_units()).step({}, incoming).outputs
    assert (output.topic, output.key, output.value) == (LOG, b"city", incoming.value)
    assert (attribute(output.headers, "unit"), attribute(output.headers, "kind")) == ("city", "accept")
    assert attribute(output.headers, "traceparent") == "00-1"


@pytest.mark.parametrize(
    ("installation", "mode", "fits"),
    [
        (Mode.REAL, Mode.REAL, True),
        (Mode.REAL, Mode.TEST, True),
        (Mode.REAL, Mode.EXERCISE, False),
        (Mode.EXERCISE, Mode.EXERCISE, True),
        (Mode.EXERCISE, Mode.REAL, False),
    ],
)
def test_modes_do_not_mix(installation, mode, fits):
    """On the real prefix only tests stand beside real; an exercise refuses the real; commands likewise."""
    base = two_units()
    which = NormaliseReference(base.territory, base.catalogue, base.urgency, mode=installation)
    asked = Command(command_id="c", verb=Verb.READ, incident_id="i", unit="city", actor="a", asked_at=AT, mode=mode)
    for one in (report(mode=mode), asked):
        if fits:
            assert stepped(one, which)
        else:
            with pytest.raises(Rejected) as caught:
                stepped(one, which)
            assert caught.value.code is Code.MODE_MIXED


def test_what_is_not_ours_is_set_aside():
    """Another type, or a value that does not fit, is refused with a pointer and without input text."""
    status = FeedStatus(feed="f", system="s", node="n", state=FeedState.UP, since=AT, said_at=AT)
    with pytest.raises(Rejected) as caught:
        stepped(status)
    assert caught.value.code is Code.RECORD_INVALID
    broken = on_topic(report())._replace(value=b'{"report_id": 1}')
    with pytest.raises(Rejected) as caught:
        processor(POLICE, reference()).step({}, broken)
    assert caught.value.code is Code.RECORD_INVALID


def test_a_loop_is_said():
    """A report that came through us before carries a finding."""
    found = normalised({"via": ("kalisz",)})
    assert FindingCode.LOOP in {finding.code for finding in found.findings}


PLACES = st.fixed_dictionaries(
    {},
    optional={
        "position": st.fixed_dictionaries(
            {
                "lat": st.floats(-90, 90),
                "lon": st.floats(-180, 180),
                "uncertainty_m": st.floats(0, 1e6),
                "obtained": st.sampled_from(["measured", "typed", "cell", "territory"]),
            }
        ),
        "teryt": st.sampled_from(["3061011", "3007", "30", "1465011", "x"]),
        "simc": st.sampled_from(["0936569", "1"]),
        "locality": st.text(max_size=12) | st.sampled_from(["Kalisz", "Opatówek"]),
        "street": st.text(max_size=12) | st.just("Łódzka"),
        "road": st.text(max_size=4),
        "road_km": st.floats(0, 1e4),
    },
)


@settings(max_examples=150, deadline=None)
@given(
    place=PLACES,
    network=st.none() | PLACES,
    category=st.none() | st.text(max_size=20),
    event_at=st.none() | st.datetimes(timezones=st.just(UTC) | st.none()),
    flags=st.lists(st.text(max_size=8), max_size=3),
)
def test_any_report_is_normalised_the_same_way_twice(place, network, category, event_at, flags):
    """Whatever it says, it reaches a log; the same state and record give the same bytes; twice changes nothing."""
    one = processor(POLICE, two_units())
    told = {"place": place, "caller_network": network, "category": category, "event_at": event_at, "flags": flags}
    incoming = on_topic(report(told), **IDS)
    memory = Memory(one)
    first, again = one.step(memory, incoming), memory.step(incoming)
    assert first == again
    before = dict(memory.values)
    second = memory.step(incoming)
    assert memory.values == before
    assert second.outputs[0].key == first.outputs[0].key
    assert isinstance(payload(first.outputs[0].headers, first.outputs[0].value), ReportNormalised)


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(4)))
def test_independent_threads_commute(order):
    """The order of reports of different threads changes nothing but their order."""
    one = processor(POLICE, two_units())
    places = [{"teryt": "3061011"}, {"teryt": "3007083"}, {"locality": "Kalisz", "street": "Łódzka"}, {}]
    records = [on_topic(report({"place": place}, thread_id=f"t-{n}")) for n, place in enumerate(places)]
    straight, mixed = Memory(one), Memory(one)
    expected = [straight.step(record).outputs for record in records]
    got = {n: mixed.step(records[n]).outputs for n in order}
    assert [got[n] for n in range(4)] == expected

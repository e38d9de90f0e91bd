"""Incidents that go to another unit and come back, and what arrives for them on the way."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.errors import Code
from schemas.summary import IncidentState, IncidentSummary
from schemas.topics import LOG
from schemas.wire import payload
from streams.incidents import processor
from tests.streams.incident_log import (
    THERE,
    UNIT,
    Country,
    Territory,
    command,
    identity,
    incident_of,
    kinds,
    place,
    reference,
    refusal,
    report,
)


@pytest.mark.parametrize("receiver", [UNIT, THERE])
def test_hand_over_and_receive(receiver):
    """The incident goes to the other log with its id; until received the sender answers; then all is forwarded."""
    country = Country()
    summary = country.territory.summary
    incident_id = incident_of(country.put(report("one", references=(("cpr_id", "1"),))))
    facts = country.put(command("go", "hand-over", incident_id, to_unit=THERE))
    assert kinds(facts) == ["IncidentHandedOver"]
    assert (summary(incident_id).state, summary(incident_id).handed_to) == ("handed-over", THERE)
    assert country.put(report("two", thread="one"))[0].unit == UNIT, "until received the sender answers"
    facts = country.put(command("mine", "receive", incident_id, unit=receiver, actor="officer-2"))
    assert kinds(facts) == ["IncidentReceived"]
    assert (facts[0].unit, facts[0].incident_id, facts[0].actor) == (THERE, incident_id, "officer-2")
    assert facts[0].caused_by == identity("command mine")
    taken = summary(incident_id)
    assert (taken.unit, taken.state, taken.handed_to, taken.reports) == (THERE, IncidentState.ACCEPTED, None, 2)
    for later in (report("three", thread="one"), report("four", system="psp", references=(("cpr_id", "1"),))):
        facts = country.put(later)
        assert [(fact.unit, fact.incident_id) for fact in facts] == [(THERE, incident_id)]
    assert summary(incident_id).reports == 4
    facts = country.put(command("d", "dispatch", incident_id))
    assert [(fact.unit, fact.change.kind) for fact in facts] == [(THERE, "StateChanged")]
    again = country.put(command("mine", "receive", incident_id, unit=receiver, actor="officer-2"))
    assert summary(incident_id).state is IncidentState.DISPATCHED
    assert {fact.fact_id for fact in again} <= {
        fact.fact_id for fact in again if fact.change.kind == "IncidentReceived"
    }


def handed_over(country, incident_id, there=THERE, here=UNIT):
    """The incident goes from one unit to the other and is received there."""
    number = country.territory.offset
    country.put(command(f"give {number}", "hand-over", incident_id, unit=here, to_unit=there))
    country.put(command(f"take {number}", "receive", incident_id, unit=here))


def test_a_delivery_is_asked_for_again_where_it_was_made():
    """The incident has gone to another unit; its earlier deliveries are known to the facts of this one's log alone."""
    country = Country()
    incident_id = incident_of(country.put(report("one")))
    handed_over(country, incident_id)
    facts = country.put(command("again", "redeliver", incident_id, unit=UNIT, delivery_id="d-1"))
    assert [(fact.unit, fact.change.kind) for fact in facts] == [(UNIT, "DeliveryRequested")]


def test_merging_what_came_by_hand_over():
    """Reports that another log holds go along: counted, named one by one, never by the incident's id."""
    country = Country()
    theirs = incident_of(country.put(report("one", references=(("cpr_id", "1"),), system="psp")))
    country.put(report("two", thread="one"))
    country.put(report("three", thread="one"))
    handed_over(country, theirs)
    country.put(report("four", thread="one"))
    ours = incident_of(country.put(report("own", unit=THERE, at=place(9_000))))
    facts = country.put(command("all", "link", theirs, unit=THERE, target_id=ours))
    linked = [fact for fact in facts if fact.change.kind == "ReportLinked"]
    assert [fact.change.report_id for fact in linked] == [identity(name) for name in ("one", "two", "three", "four")]
    kept = country.territory.summary(ours)
    assert (kept.reports, kept.sources, kept.unread) == (5, {"cpr": 4, "psp": 1}, 4)
    assert kept.first_reports == tuple(identity(name) for name in ("own", "one", "two", "three", "four"))
    assert [(one.system, one.id) for one in kept.references][:1] == [("cpr_id", "1")]
    assert {fact.incident_id for fact in country.put(report("five", thread="one"))} == {ours}


def test_merging_reports_that_nobody_can_name():
    """The forty that its summary lists are gone, the others stay with the sender: they are counted all the same."""
    country = Country()
    theirs = incident_of(country.put(report("r0", thread="big")))
    for at in range(1, 42):
        country.put(report(f"r{at}", thread="big", order=at))
    listed = country.territory.summary(theirs)
    for report_id in (*listed.first_reports, *listed.last_reports):
        country.put(command(f"out {report_id}", "unlink", theirs, report_id=report_id, reason="another thing"))
    handed_over(country, theirs)
    ours = incident_of(country.put(report("own", unit=THERE, at=place(9_000))))
    facts = country.put(command("all", "link", theirs, unit=THERE, target_id=ours))
    assert kinds(facts) == ["StateChanged", "StateChanged"]
    assert [(fact.incident_id, fact.summary.state) for fact in facts] == [(ours, "accepted"), (theirs, "merged")]
    kept = country.territory.summary(ours)
    assert (kept.reports, kept.sources, kept.first_reports) == (3, {"cpr": 3}, (identity("own"),))


def test_a_report_follows_merges_and_moves_and_comes_to_rest():
    """Its first incident went there and was merged into one that came here: it does not go to and fro for ever."""
    country = Country()
    first = incident_of(country.put(report("first", thread="t")))
    other = incident_of(country.put(report("other", thread="o", at=place(9_000))))
    handed_over(country, first)
    handed_over(country, other)
    country.put(command("merge", "link", first, unit=THERE, target_id=other))
    handed_over(country, other, UNIT, THERE)
    facts = country.put(report("again", thread="t", order=1))
    assert (kinds(facts), incident_of(facts), facts[0].unit) == (["ReportLinked"], other, UNIT)


moves = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.integers(0, 11), st.integers(0, 3)),
        st.tuples(st.just("hand-over"), st.integers(0, 3), st.none()),
        st.tuples(st.just("merge"), st.integers(0, 3), st.integers(0, 3)),
    ),
    max_size=25,
)


@given(moves)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_report_is_lost_between_units(moves):
    """Handed to and fro and merged: every report is in one incident, which names and counts it and its references."""
    country, came = Country(), dict[str, str]()
    summary = country.territory.summary
    ids = [incident_of(country.put(report(f"first {at}", thread=f"t{at}", at=place(at * 9_000)))) for at in range(4)]
    for at, (what, one, other) in enumerate(moves):
        if what == "report":
            told = report(f"r{one}", thread=f"t{other}", references=(("jed", f"r{one}"),))
            came.setdefault(told.report.report_id, f"r{one}")
            country.put(told)
            continue
        here = summary(ids[one]).unit
        if what == "hand-over":
            handed_over(country, ids[one], THERE if here == UNIT else UNIT, here)
        else:
            country.put(command(f"m{at}", "link", ids[one], unit=here, target_id=ids[other]))
    live = [one for one in map(summary, ids) if one.merged_into is None]
    listed = [report_id for one in live for report_id in (*one.first_reports, *one.last_reports)]
    assert len(listed) == sum(one.reports for one in live) == sum(sum(one.sources.values()) for one in live)
    assert set(listed) == {*came, *(identity(f"first {at}") for at in range(4))}
    assert {one.id for held in live for one in held.references if one.system == "jed"} == set(came.values())
    homes = country.territory.homes()
    assert {report_id: homes[report_id] for report_id in listed} == {
        report_id: one.incident_id for one in live for report_id in (*one.first_reports, *one.last_reports)
    }


def test_a_transfer_that_comes_twice_changes_nothing():
    """The record of a transfer is at least once; the second one finds it done."""
    country = Country()
    incident_id = incident_of(country.put(report("one")))
    country.put(command("go", "hand-over", incident_id, to_unit=THERE))
    country.territory.put(command("mine", "receive", incident_id, actor="officer-2"))
    (moved,) = [one for one in country.territory.outputs if one.topic == LOG]
    assert kinds(country.territory.step(moved.value, moved.headers)) == ["IncidentReceived"]
    before = country.territory.summary(incident_id)
    first = country.territory.outputs[-2].value
    country.territory.step(moved.value, moved.headers)
    assert country.territory.outputs[-1].value == first, "the same fact again, and nothing else"
    assert country.territory.summary(incident_id) == before


def test_handed_back():
    """An incident that comes back is here again, and nothing is forwarded any more."""
    country = Country()
    incident_id = incident_of(country.put(report("one")))
    country.put(command("1", "hand-over", incident_id, to_unit=THERE))
    country.put(command("2", "receive", incident_id))
    country.put(command("3", "hand-over", incident_id, unit=THERE, to_unit=UNIT))
    country.put(command("4", "receive", incident_id, unit=THERE))
    assert country.territory.summary(incident_id).unit == UNIT
    assert country.put(report("two", thread="one"))[0].unit == UNIT


@pytest.mark.parametrize("last", [UNIT, "kpp-konin"])
def test_a_report_crosses_an_incident_on_its_way_back(last):
    """Forwarded while the incident was handed back, and perhaps on: the report follows it and joins it, once."""
    country = Country()
    incident_id = incident_of(country.put(report("one")))
    handed_over(country, incident_id)
    assert country.territory.put(report("two", thread="one")) == [], "on its way to the other unit"
    (crossing,) = country.written()
    handed_over(country, incident_id, UNIT, THERE)
    if last != UNIT:
        handed_over(country, incident_id, last, UNIT)
    facts = country.play([crossing])
    assert [(fact.change.kind, fact.unit, fact.incident_id) for fact in facts] == [("ReportLinked", last, incident_id)]
    assert country.territory.summary(incident_id).reports == 2
    assert kinds(country.play([crossing])) == ["ReportRepeated"], "forwarded twice is joined once"
    assert country.territory.summary(incident_id).reports == 2


def test_a_forwarded_report_of_a_known_thread_says_so():
    """The thread leads to the incident that its sender named: the thread is why, and nobody called again."""
    country = Country()
    incident_id = incident_of(country.put(report("one")))
    handed_over(country, incident_id)
    country.put(report("two", thread="one"))
    handed_over(country, incident_id, UNIT, THERE)
    handed_over(country, incident_id)
    (fact,) = country.put(report("three", thread="one"))
    assert fact.unit == THERE
    assert [evidence.value for evidence in fact.change.explanation.evidence] == ["thread"]


def test_not_received_in_time(territory, incident_id):
    """Nobody receives for two minutes: the sender is told; taking it back clears the flag."""
    territory.put(command("go", "hand-over", incident_id, to_unit=THERE))
    assert territory.tick(119) == []
    (fact,) = territory.tick(120)
    assert (fact.change.kind, fact.change.deadline) == ("DeadlinePassed", "receive")
    assert territory.summary(incident_id).flags == ("not-received",)
    territory.put(command("back", "accept", incident_id))
    assert territory.summary(incident_id).flags == ()
    assert territory.summary(incident_id).handed_to is None


@pytest.mark.parametrize(("to_unit", "code"), [(None, Code.FIELD_MISSING), (UNIT, Code.FIELD_INVALID)])
def test_hand_over_refused(territory, incident_id, to_unit, code):
    """To nobody, or to oneself, nothing is handed over."""
    assert refusal(territory.put(command("x", "hand-over", incident_id, to_unit=to_unit))) is code


def test_hand_over_to_a_unit_that_is_not_configured():
    """Nobody would ever receive it there: refused where units are configured."""
    territory = Territory(processor(reference(clocks={UNIT: "wall", THERE: "wall"})))
    incident_id = incident_of(territory.put(report("one")))
    wrong = command("wrong", "hand-over", incident_id, to_unit="kpp-plezsew")
    assert refusal(territory.put(wrong)) is Code.FIELD_INVALID
    right = command("right", "hand-over", incident_id, to_unit=THERE)
    assert kinds(territory.put(right)) == ["IncidentHandedOver"]


def test_every_record_to_another_log_can_be_read(territory, incident_id):
    """What goes into another log is a payload of the catalogue, keyed by the unit."""
    territory.put(command("go", "hand-over", incident_id, to_unit=THERE))
    (offer,) = [one for one in territory.outputs if one.topic == LOG]
    assert offer.key == THERE.encode()
    offered = payload(offer.headers, offer.value)
    assert isinstance(offered, IncidentSummary)
    assert offered.incident_id == incident_id

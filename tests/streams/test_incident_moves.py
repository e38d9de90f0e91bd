"""Reports that persons move: merging, unlinking, linking."""

import pytest

from schemas.errors import Code
from schemas.report import Urgency
from schemas.summary import IncidentState
from tests.streams.incident_log import (
    UNIT,
    command,
    identity,
    incident_of,
    kinds,
    place,
    refusal,
    report,
)


def suggested(territory):
    """Two incidents of which the second has the first as a suggestion: first, second."""
    first = incident_of(territory.put(report("tree", category="crime.weapon", text="mężczyzna z nożem przed sklepem")))
    facts = territory.put(report("tree too", category="crime.weapon", system="psp"))
    assert kinds(facts) == ["IncidentOpened", "LinkSuggested"]
    assert facts[1].change.suggestion.target_id == first
    return first, incident_of(facts)


def test_confirm_merges(territory):
    """All reports go to the suggested incident with a fact each, the empty one is merged and names it."""
    first, second = suggested(territory)
    territory.put(report("tree three", thread="tree too", order=1, urgency=Urgency.URGENT))
    territory.put(command("go", "accept", second))
    facts = territory.put(command("yes", "confirm", second, target_id=first))
    assert kinds(facts) == ["SuggestionSettled", "ReportLinked", "ReportLinked", "StateChanged", "StateChanged"]
    kept, merged = territory.summary(first), territory.summary(second)
    assert (merged.state, merged.merged_into, merged.suggestions) == (IncidentState.MERGED, first, ())
    assert (kept.state, kept.reports, kept.unread, kept.urgency) == (IncidentState.ACCEPTED, 3, 2, Urgency.URGENT)
    assert {one.stage for one in kept.stages} >= {"accepted_at", "received_at"}
    assert set(territory.homes().values()) == {first}
    later = territory.put(report("tree four", thread="tree too", order=2))
    assert later[0].incident_id == first
    assert refusal(territory.put(command("again", "confirm", second, target_id=first))) is Code.STATE_FORBIDS


def test_reject_only_settles(territory):
    """The suggestion goes away; both incidents stay; what is not suggested cannot be settled."""
    first, second = suggested(territory)
    facts = territory.put(command("no", "reject", second, target_id=first, reason="another child"))
    assert kinds(facts) == ["SuggestionSettled"]
    assert not facts[0].change.confirmed
    assert territory.summary(second).suggestions == ()
    no = command("no no", "reject", second, target_id=first, reason="another child")
    assert refusal(territory.put(no)) is Code.STATE_FORBIDS
    assert refusal(territory.put(command("yes", "confirm", second, target_id=first))) is Code.STATE_FORBIDS


def test_unlink_moves_a_report_into_its_own_incident(territory, incident_id):
    """It gets its own place and kind, asks for an answer, and its thread follows it; the last one cannot leave."""
    there = place(east_m=900)
    told = report("two", at=there, category="order.noise", system="psp", references=(("incident", incident_id),))
    territory.put(told)
    facts = territory.at(10).put(
        command("out", "unlink", incident_id, report_id=identity("two"), reason="another thing")
    )
    assert kinds(facts) == ["ReportUnlinked", "ReportLinked"]
    own = facts[1].incident_id
    assert facts[0].change.moved_to == own
    assert territory.homes() == {identity("one"): incident_id, identity("two"): own}
    summary = territory.summary(own)
    assert (summary.state, summary.place, summary.category, summary.reports) == ("open", there, "order.noise", 1)
    assert territory.summary(incident_id).first_reports == (identity("one"),)
    assert territory.put(report("three", thread="two", order=3, system="psp"))[0].incident_id == own
    last = command("last", "unlink", incident_id, report_id=identity("one"), reason="x")
    assert refusal(territory.put(last)) is Code.STATE_FORBIDS
    unknown = command("unknown", "unlink", incident_id, report_id=identity("two"), reason="x")
    assert refusal(territory.put(unknown)) is Code.REPORT_UNKNOWN
    assert [fact.incident_id for fact in territory.tick(10 + 45)] == [incident_id, own]


def test_link_moves_one_report_or_all(territory, incident_id):
    """A person moves one report; where it was the last one, its incident is merged."""
    other = incident_of(territory.put(report("two", at=place(9_000))))
    territory.put(report("three", thread="two"))
    facts = territory.put(command("one", "link", other, target_id=incident_id, report_id=identity("three")))
    assert kinds(facts) == ["ReportUnlinked", "ReportLinked"]
    assert territory.homes()[identity("three")] == incident_id
    territory.put(command("rest", "link", other, target_id=incident_id, report_id=identity("two")))
    assert territory.summary(other).state is IncidentState.MERGED
    assert territory.summary(incident_id).reports == 3
    assert territory.summary(incident_id).first_reports == tuple(map(identity, ("one", "three", "two")))


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ({}, Code.FIELD_MISSING),
        ({"target_id": "nobody"}, Code.INCIDENT_UNKNOWN),
        ({"target_id": "itself"}, Code.STATE_FORBIDS),
        ({"target_id": "test"}, Code.MODE_MIXED),
        ({"target_id": "ended"}, Code.STATE_FORBIDS),
        ({"target_id": "other", "report_id": "nobody"}, Code.REPORT_UNKNOWN),
    ],
)
def test_link_refused(territory, incident_id, rest, code):
    """A link to nothing, itself, a test, something that is over, or of a report that is not here, is refused."""
    test = incident_of(territory.put(report("test", mode="test")))
    ended = incident_of(territory.put(report("ended", at=place(9_000))))
    other = incident_of(territory.put(report("other", at=place(-9_000))))
    territory.put(command("1", "accept", ended))
    territory.put(command("2", "end", ended))
    names = {"itself": incident_id, "test": test, "ended": ended, "other": other}
    rest = {key: names.get(value, value) for key, value in rest.items()}
    assert refusal(territory.put(command("x", "link", incident_id, **rest))) is code


def test_a_merge_keeps_the_summary_within_its_bounds(territory):
    """Of the merged incident's sources only those are added that there is room for; its reports count all the same."""
    for at in range(50):
        territory.put(report(f"r{at}", thread="many", order=at, system=f"s{at}"))
    many = territory.homes()[identity("r0")]
    other = incident_of(territory.put(report("far", at=place(9_000), system="s3")))
    territory.put(report("far too", thread="far", system="one more"))
    territory.put(command("all", "link", other, target_id=many))
    summary = territory.summary(many)
    assert (summary.reports, len(summary.sources), summary.sources["s3"]) == (52, 50, 2)


def test_the_trace_of_a_report_shows_its_moves(territory, incident_id):
    """Each fact by which a person moves a report bears its id in the headers, as its arrival did."""
    territory.put(report("two", thread="one"))
    other = incident_of(territory.put(report("far", at=place(9_000))))
    territory.outputs.clear()
    territory.put(command("out", "unlink", incident_id, report_id=identity("two"), reason="another thing"))
    territory.put(command("all", "link", incident_id, target_id=other))
    named = [
        dict(one.headers).get("ce_reportid", b"").decode() for one in territory.outputs if one.topic == "incident.facts"
    ]
    assert named == [identity("two"), identity("two"), identity("one"), ""], "taken out, opened, merged, and the merge"


def test_merge_of_a_large_incident(territory, incident_id):
    """1,000 reports are moved one by one; only the last fact carries the summary."""
    for at in range(1_000):
        territory.put(report(f"r{at}", thread="big", order=at, at=place(9_000)))
    big = territory.homes()[identity("r0")]
    facts = territory.put(command("all", "link", big, target_id=incident_id))
    linked = [fact for fact in facts if fact.change.kind == "ReportLinked"]
    assert len(linked) == 1_000
    assert [fact.summary is None for fact in linked] == [True] * 999 + [False]
    assert territory.summary(incident_id).reports == 1_001
    assert set(territory.homes().values()) == {incident_id}
    assert not [key for key in territory.memory.values if key.startswith(f"p|{UNIT}|{big}")]


def test_merging_what_is_older_than_the_memory_of_reports(territory):
    """Single reports are forgotten after the seen window, and still count where their incident goes."""
    old = incident_of(territory.put(report("one", references=(("cpr_id", "1"),))))
    day = 86_400
    for at in range(1, 20):
        territory.at(at * day).put(command(f"r{at}", "read", old))
    territory.put(report("two", thread="two", seconds=19 * day, at=place(9_000)))
    new = territory.homes()[identity("two")]
    assert not [key for key in territory.memory.values if key.endswith(identity("one"))], "forgotten"
    facts = territory.put(command("all", "link", old, target_id=new))
    assert identity("one") in [fact.change.report_id for fact in facts if fact.change.kind == "ReportLinked"]
    assert territory.summary(new).reports == 2
    assert territory.summary(new).first_reports == (identity("two"), identity("one"))

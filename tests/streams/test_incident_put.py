"""What follows when a person has put a report elsewhere: ids, place, urgency, suggestions, doubts go with it."""

import pytest

from schemas.errors import Code
from schemas.place import Place
from schemas.report import Casualties, Urgency
from schemas.summary import IncidentState
from tests.streams.incident_log import (
    UNIT,
    Country,
    Territory,
    command,
    identity,
    incident_of,
    kinds,
    place,
    refusal,
    report,
)

CRASH = "zderzenie dwóch samochodów, jedna osoba ranna"


@pytest.fixture
def territory():
    """An empty territory."""
    return Territory()


def crash(name, at, **told):
    """One more report of a collision in the same words."""
    return report(name, at=at, category="traffic.accident", text=CRASH, **told)


def out(incident_id, name):
    """A person takes the report out."""
    return command(f"out {name}", "unlink", incident_id, report_id=identity(name), reason="another matter")


def test_ids_follow_a_report_that_was_taken_out(territory):
    """What names the same matter goes where the person put the report that had named it first."""
    first = incident_of(territory.put(crash("one", place(), system="desk")))
    linked = territory.put(crash("two", place(40), seconds=30, references=(("cpr_id", "77"),), tokens=("caller",)))
    assert linked[0].incident_id == first
    own = territory.put(out(first, "two"))[1].incident_id
    named = territory.put(crash("three", place(40), seconds=60, system="psp", references=(("cpr_id", "77"),)))
    assert named[0].incident_id == own
    again = territory.put(crash("four", place(40), seconds=90, tokens=("caller",)))
    assert again[0].incident_id == own, "the same caller"


def test_ids_follow_a_report_that_was_linked_by_hand(territory):
    """The same where it went to an incident that was there."""
    first = incident_of(territory.put(crash("one", place(), system="desk")))
    territory.put(crash("two", place(40), seconds=30, references=(("cpr_id", "77"),)))
    other = incident_of(territory.put(crash("far", place(9_000), system="desk")))
    territory.put(command("put", "link", first, target_id=other, report_id=identity("two")))
    named = territory.put(crash("three", place(9_000), seconds=60, system="psp", references=(("cpr_id", "77"),)))
    assert named[0].incident_id == other


def test_an_old_revision_does_not_take_its_thread_along(territory):
    """Only one that has no newer word where it was."""
    first = incident_of(territory.put(report("one", thread="t", order=1)))
    territory.put(report("two", thread="t", order=2))
    territory.put(report("late", thread="t", order=0))
    own = territory.put(out(first, "one"))[1].incident_id
    assert territory.put(report("three", thread="t", order=3))[0].incident_id == first
    assert own != first


def test_what_a_report_brought_leaves_with_it(territory):
    """Place, people and urgency are those of the reports that are left, and these are matched again."""
    first = incident_of(territory.put(crash("one", place(0, 0, 500))))
    dead = Casualties(dead=2)
    territory.put(crash("two", place(300, 0, 20), seconds=30, system="psp", urgency=Urgency.URGENT, casualties=dead))
    summary = territory.summary(first)
    assert (summary.urgency, summary.casualties, summary.place) == (Urgency.URGENT, dead, place(300, 0, 20))
    territory.put(out(first, "two"))
    summary = territory.summary(first)
    assert (summary.urgency, summary.casualties, summary.place) == (Urgency.ORDINARY, None, place(0, 0, 500))
    seen = territory.memory.get(f"i|{UNIT}|{first}")
    assert [one.report_id for one in seen.sightings] == [identity("one")]
    facts = territory.put(crash("three", place(0, 0, 400), seconds=60, system="psp"))
    asked = {one.target_id for one in territory.summary(facts[0].incident_id).suggestions}
    assert first in asked | {facts[0].incident_id}


def test_what_a_person_decided_stays_when_a_report_leaves(territory):
    """An urgency that an officer set is not taken back by the machine."""
    first = incident_of(territory.put(crash("one", place())))
    territory.put(crash("two", place(40), seconds=30, system="psp"))
    territory.put(command("up", "recategorise", first, urgency="urgent"))
    territory.put(out(first, "two"))
    assert territory.summary(first).urgency is Urgency.URGENT


def test_of_an_incident_that_came_from_elsewhere_nothing_is_taken_away():
    """Its older reports are not held here: what the summary says of people may have come with one of them."""
    country = Country()
    dead = Casualties(dead=1)
    one = incident_of(country.put(crash("one", place(), casualties=dead, urgency=Urgency.URGENT)))
    country.put(command("1", "hand-over", one, to_unit="kpp-pleszew"))
    country.put(command("2", "receive", one, unit="kpp-pleszew"))
    country.put(crash("two", place(10), seconds=60, unit="kpp-pleszew", references=(("incident", one),)))
    country.put(command("3", "unlink", one, unit="kpp-pleszew", report_id=identity("two"), reason="another"))
    summary = country.territory.summary(one)
    assert (summary.casualties, summary.urgency) == (dead, Urgency.URGENT)


def test_a_report_put_in_by_hand_counts_as_one_that_joined(territory):
    """It raises the urgency, gives a place where there was none, wakes the incident, and others are matched with it."""
    old = incident_of(territory.put(report("old", at=Place(), category="traffic.accident")))
    territory.tick(24 * 3_600)
    assert territory.summary(old).dormant
    day = 24 * 3_600
    other = incident_of(territory.put(crash("far", place(9_000), seconds=day)))
    territory.put(crash("more", place(), thread="far", order=1, seconds=day, urgency=Urgency.URGENT))
    territory.put(command("put", "link", other, target_id=old, report_id=identity("more")))
    summary = territory.summary(old)
    assert (summary.urgency, summary.place, summary.dormant) == (Urgency.URGENT, place(), False)
    assert territory.put(crash("next", place(20), seconds=day + 60, system="psp"))[0].incident_id == old


def test_a_merged_incident_is_found_by_what_both_had(territory):
    """A caller of the merged one, at its spot, comes to where its reports are now."""
    first = incident_of(territory.put(crash("one", place(), system="desk")))
    second = incident_of(territory.put(report("two", at=place(900), category="order.noise", tokens=("caller",))))
    territory.put(command("all", "link", second, target_id=first))
    again = territory.put(crash("again", place(905), seconds=60, tokens=("caller",)))
    assert again[0].incident_id == first
    assert kinds(again) == ["ReportLinked"]


def test_a_merge_into_one_without_a_place_is_found_at_the_place_it_got(territory):
    """The incident is a candidate where the merged one was."""
    first = incident_of(territory.put(report("one", at=Place(), category="traffic.accident", system="desk")))
    second = incident_of(territory.put(crash("two", place(), seconds=10)))
    territory.put(command("all", "link", second, target_id=first))
    assert territory.put(crash("three", place(10), seconds=60, system="psp"))[0].incident_id == first


def test_a_better_place_by_merge_raises_the_doubt(territory):
    """A link by weight that the place of the merged incident makes impossible is told, as when a report brings it."""
    first = incident_of(territory.put(crash("one", place(0, 0, 1_500))))
    assert territory.put(crash("two", place(0, 0, 1_000), seconds=20, system="psp"))[0].incident_id == first
    other = incident_of(territory.put(crash("there", place(8_000, 0, 20), seconds=30, system="desk")))
    facts = territory.put(command("all", "link", other, target_id=first))
    assert "IncidentFlagged" in kinds(facts)
    assert territory.summary(first).flags == ("link-doubtful",)


def test_a_doubt_goes_with_its_report_when_the_incident_is_merged(territory):
    """There it can be decided, and then the flag goes."""
    first = incident_of(territory.put(crash("one", place(0, 0, 1_500))))
    territory.put(crash("two", place(0, 0, 1_000), seconds=20, system="psp"))
    territory.put(crash("where", place(8_000, 0, 20), thread="one", order=1, seconds=30))
    assert territory.summary(first).flags == ("link-doubtful",)
    other = incident_of(territory.put(crash("far", place(-9_000), seconds=40, system="desk")))
    territory.put(command("all", "link", first, target_id=other))
    assert territory.summary(other).flags == ("link-doubtful",)
    territory.put(command("kept", "confirm", other, target_id=other, report_id=identity("two")))
    assert territory.summary(other).flags == ()


def test_nobody_answered_is_said_only_where_nobody_has(territory):
    """Merged into an accepted incident, or received, it is answered."""
    first = incident_of(territory.put(crash("one", place())))
    second = incident_of(territory.put(crash("two", place(9_000))))
    territory.tick(60)
    assert territory.summary(second).flags == ("unanswered",)
    territory.put(command("yes", "accept", first))
    territory.put(command("all", "link", second, target_id=first))
    assert territory.summary(first).flags == ()


def twice_named(territory):
    """Two incidents that are suggested to each other, because both threads name one id: first, second."""
    first = incident_of(territory.put(report("one", references=(("cpr_id", "1"),))))
    second = incident_of(territory.put(report("two", at=place(9_000), system="psp")))
    named = territory.put(report("two.1", thread="two", order=1, at=place(9_000), references=(("cpr_id", "1"),)))
    assert kinds(named) == ["ReportLinked", "LinkSuggested"]
    return first, second


def test_a_suggestion_is_made_once_and_after_a_rejection_never(territory):
    """Whatever comes of the thread that raised it, and from whichever side."""
    first, second = twice_named(territory)
    ids = (("cpr_id", "1"),)
    assert kinds(territory.put(report("two.2", thread="two", order=2, at=place(9_000), references=ids))) == [
        "ReportLinked"
    ]
    territory.put(command("no", "reject", second, target_id=first, reason="two matters"))
    for order in (3, 4):
        told = territory.put(report(f"two.{order}", thread="two", order=order, at=place(9_000), references=ids))
        assert kinds(told) == ["ReportLinked"]
    assert kinds(territory.put(report("one.1", thread="one", order=1, references=ids))) == ["ReportLinked"]
    assert territory.put(report("three", system="desk", references=ids))[0].incident_id == first, "it names the first"


def test_what_was_taken_out_is_not_suggested_back(territory):
    """The person has said that these are two; the report still names the incident where it was."""
    first = incident_of(territory.put(report("one")))
    ids = (("incident", first),)
    territory.put(report("two", system="psp", references=ids))
    own = territory.put(out(first, "two"))[1].incident_id
    told = territory.put(report("two.1", thread="two", order=1, system="psp", references=ids))
    assert [(one.change.kind, one.incident_id) for one in told] == [("ReportLinked", own)]


def test_a_suggestion_of_both_sides_is_settled_on_both(territory):
    """One answer suffices."""
    first, second = twice_named(territory)
    third = incident_of(territory.put(report("three", at=place(-9_000), system="desk")))
    territory.put(report("three.1", thread="three", order=1, at=place(-9_000), references=(("incident", second),)))
    territory.put(report("two.9", thread="two", order=9, at=place(9_000), references=(("incident", third),)))
    assert third in {one.target_id for one in territory.summary(second).suggestions}
    assert [one.target_id for one in territory.summary(third).suggestions] == [second]
    facts = territory.put(command("no", "reject", second, target_id=third, reason="two matters"))
    assert kinds(facts) == ["SuggestionSettled", "SuggestionSettled"]
    assert [one.target_id for one in territory.summary(second).suggestions] == [first]
    assert territory.summary(third).suggestions == ()


def test_other_suggestions_go_with_a_merge(territory):
    """What was asked of the merged incident is asked of the one that it became, but not whether that is itself."""
    first, second = twice_named(territory)
    third = incident_of(territory.put(report("three", at=place(-9_000), system="desk")))
    territory.put(command("all", "link", second, target_id=third))
    assert [one.target_id for one in territory.summary(third).suggestions] == [first]
    territory.put(command("more", "link", third, target_id=first))
    assert territory.summary(first).suggestions == ()


def test_a_suggestion_of_what_is_over_can_be_confirmed(territory):
    """Somebody must act on the new report: the ended incident's reports come to it, not the other way round."""
    first = incident_of(territory.put(crash("one", place())))
    territory.put(command("1", "accept", first))
    territory.put(command("2", "end", first))
    facts = territory.put(crash("two", place(10), seconds=30, system="psp"))
    assert kinds(facts) == ["IncidentOpened", "LinkSuggested"]
    second = incident_of(facts)
    told = territory.put(command("yes", "confirm", second, target_id=first))
    assert kinds(told)[0] == "SuggestionSettled"
    kept, merged = territory.summary(second), territory.summary(first)
    assert (kept.state, kept.reports, kept.suggestions) == (IncidentState.OPEN, 2, ())
    assert (merged.state, merged.merged_into) == (IncidentState.MERGED, second)
    assert refusal(territory.put(command("again", "confirm", second, target_id=first))) is Code.STATE_FORBIDS


def test_what_another_unit_receives_asks_nothing_that_it_cannot_answer():
    """Suggestions, doubts and what nobody answered stay with the log that told them."""
    country = Country()
    _, second = twice_named(country.territory)
    country.written()
    country.territory.tick(60)
    country.put(command("1", "hand-over", second, to_unit="kpp-pleszew"))
    country.put(command("2", "receive", second, unit="kpp-pleszew"))
    summary = country.territory.summary(second)
    assert (summary.unit, summary.suggestions, summary.flags) == ("kpp-pleszew", (), ())

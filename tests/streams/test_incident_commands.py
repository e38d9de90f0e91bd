"""Commands: done once, or refused with a code and without effect."""

from datetime import timedelta

from schemas.errors import Code
from schemas.incident import IncidentState
from schemas.report import Urgency
from streams.incidents import processor
from tests.streams.incident_log import (
    UNIT,
    Territory,
    command,
    incident_of,
    kinds,
    reference,
    refusal,
    report,
)

THERE = "kpp-pleszew"


def test_the_same_command_again_gets_the_same_facts(territory, incident_id):
    """Twice is once: the same bytes again, no second effect, even after a crash; a refusal stays a refusal."""
    accept = command("a", "accept", incident_id)
    again = command("b", "accept", incident_id)
    territory.put(accept)
    territory.put(again)
    first, second = (
        one.value for one in territory.outputs if one.topic == "incident.facts" and b'"actor"' in one.value
    )
    before = territory.summary(incident_id)
    for _ in range(2):
        territory.reload()
        territory.outputs.clear()
        territory.put(accept)
        territory.put(again)
        assert [one.value for one in territory.outputs] == [first, second]
    assert territory.memory.get(f"i|{UNIT}|{incident_id}").summary == before


def test_another_command_under_a_used_id_is_refused(territory, incident_id):
    """Accept, then end with the same key: the end is refused and said to be, the same each time; the accept stands."""
    accept, end = command("a", "accept", incident_id), command("a", "end", incident_id)
    accepted = territory.put(accept)
    told = territory.put(end)
    assert refusal(told) is Code.KEY_REUSED
    assert told[0].fact_id != accepted[0].fact_id
    assert told[0].caused_by == end.command_id
    assert territory.summary(incident_id).state is IncidentState.ACCEPTED
    territory.reload()
    territory.at(60)
    assert territory.put(end) == told
    later = accept.model_copy(update={"asked_at": accept.asked_at + timedelta(seconds=60)})
    assert territory.put(later) == accepted


def test_an_answer_kept_before_digests_were_is_still_given(territory, incident_id):
    """The state of an earlier version loads, and what it answered it answers again."""
    accept = command("a", "accept", incident_id)
    accepted = territory.put(accept)
    del territory.memory.values[f"d|{UNIT}|{accept.command_id}"]
    territory.reload()
    assert territory.put(accept) == accepted
    assert f"d|{UNIT}|{accept.command_id}" not in territory.memory.values


def test_expected_version(territory, incident_id):
    """A command for another version than the incident's is refused: somebody was quicker."""
    assert refusal(territory.put(command("a", "accept", incident_id, expected_version=7))) is Code.VERSION_CONFLICT
    assert kinds(territory.put(command("b", "accept", incident_id, expected_version=1))) == ["StateChanged"]
    assert refusal(territory.put(command("c", "dispatch", incident_id, expected_version=1))) is Code.VERSION_CONFLICT


def test_unknown_incident(territory):
    """What is not known here is refused, and says so."""
    facts = territory.put(command("a", "accept", "nobody"))
    assert refusal(facts) is Code.INCIDENT_UNKNOWN
    assert (facts[0].incident_id, facts[0].summary, facts[0].actor) == (None, None, "officer-1")


def test_roles():
    """A partner's account tells ends and reopenings, never accepts; the reconciler only asks for deliveries again."""
    made = processor(reference(roles={"psp": "partner", "reconciler": "system"}))
    territory = Territory(made)
    incident_id = incident_of(territory.put(report("one")))
    assert refusal(territory.put(command("a", "accept", incident_id, actor="psp"))) is Code.FORBIDDEN
    territory.put(command("b", "accept", incident_id))
    assert refusal(territory.put(command("c", "end", incident_id, actor="reconciler"))) is Code.FORBIDDEN
    assert kinds(territory.put(command("d", "end", incident_id, actor="psp"))) == ["StateChanged"]
    facts = territory.put(command("e", "redeliver", incident_id, actor="reconciler", delivery_id="d-1"))
    assert kinds(facts) == ["DeliveryRequested"]
    assert facts[0].change.delivery_id == "d-1"


def test_redeliver_of_what_was_forgotten(territory):
    """A delivery is sent again even when its incident has left memory; without its id it cannot be."""
    assert kinds(territory.put(command("a", "redeliver", "gone", delivery_id="d-1"))) == ["DeliveryRequested"]
    assert refusal(territory.put(command("b", "redeliver", "gone"))) is Code.FIELD_MISSING


def test_recategorise(territory, incident_id):
    """A person's word on kind and urgency holds against the reports; only a new urgent report raises it again."""
    territory.put(command("a", "recategorise", incident_id, category="crime.weapon", urgency="urgent"))
    summary = territory.summary(incident_id)
    assert (summary.category, summary.cap_category, summary.urgency) == ("crime.weapon", "Security", "urgent")
    territory.put(report("two", thread="one", order=2, category="order.noise"))
    assert territory.summary(incident_id).category == "crime.weapon"
    territory.put(command("b", "recategorise", incident_id, urgency="ordinary"))
    assert territory.summary(incident_id).urgency is Urgency.ORDINARY
    territory.put(report("three", thread="one", order=3, urgency=Urgency.URGENT))
    assert territory.summary(incident_id).urgency is Urgency.URGENT
    assert refusal(territory.put(command("c", "recategorise", incident_id))) is Code.FIELD_MISSING
    assert refusal(territory.put(command("d", "recategorise", incident_id, category="nonsense"))) is Code.FIELD_INVALID


def test_read_clears_unread(territory, incident_id):
    """The supplements are read; those that come afterwards are unread again."""
    territory.put(report("two", thread="one"))
    territory.put(report("three", thread="one"))
    assert territory.summary(incident_id).unread == 2
    territory.put(command("a", "read", incident_id))
    assert territory.summary(incident_id).unread == 0
    territory.put(report("four", thread="one"))
    assert territory.summary(incident_id).unread == 1


def test_patrols_are_listed_once(territory, incident_id):
    """Each patrol that was sent or came is named once."""
    territory.put(command("a", "accept", incident_id))
    for at, (verb, patrol) in enumerate(
        (("dispatch", "K-1"), ("dispatch", "K-2"), ("arrive", "K-1"), ("arrive", None))
    ):
        territory.put(command(f"p{at}", verb, incident_id, resource=patrol))
    assert territory.summary(incident_id).resources == ("K-1", "K-2")


def test_a_reopened_incident_is_awake(territory, incident_id):
    """Reopened long after, it is a candidate again: the next call about it joins, and it falls asleep again later."""
    territory.put(command("a", "accept", incident_id))
    territory.put(command("b", "end", incident_id))
    territory.tick(7_200)
    assert territory.summary(incident_id).dormant
    facts = territory.put(command("c", "reopen", incident_id))
    assert kinds(facts) == ["StateChanged"]
    assert not facts[0].summary.dormant
    cells = [value for key, value in territory.memory.values.items() if key.startswith("c|")]
    assert [one.incident_id for cell in cells for one in cell] == [incident_id]
    joined = territory.at(7_210).put(report("two", thread="one", seconds=7_210))
    assert [(fact.change.kind, fact.incident_id) for fact in joined] == [("ReportLinked", incident_id)]
    assert "IncidentDormant" in kinds(territory.tick(20_000))


# Moving reports

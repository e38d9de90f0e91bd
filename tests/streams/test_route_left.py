"""Who was told of an incident learns what becomes of it, also when no rule gives it to them any more."""

from typing import Any

from schemas.delivery import Delivery
from schemas.incident import (
    Explanation,
    Fact,
    IncidentRecategorised,
    ReportLinked,
    ReportUnlinked,
    StateChanged,
)
from schemas.report import Urgency
from schemas.summary import IncidentState
from schemas.topics import FACTS
from schemas.wire import payload
from streams import categories
from streams.route import RouteReference, processor
from streams.routing import Known, Routing, load
from tests.schemas.samples import AT
from tests.streams.facts import opened, summary
from tests.streams.places import Memory, on_topic

KNOWN = Known(categories=categories.built_in().categories)
STILL_FIRE: dict[str, Any] = {"category": "fire.other", "merged_into": None}
NOW_CRIME: dict[str, Any] = {"category": "crime.sexual", "merged_into": None}
NOTHING_MORE = {"fact_id", "at", "incident_id"}


def routing(**profiles: Any) -> Routing:
    """The police gets everything, the fire service fires, the crisis centre the beginning of urgent ones alone."""
    data: dict[str, Any] = {
        "version": 1,
        "recipients": {"police": {}, "fire": {}, "crisis": {}},
        "profiles": {"all": {"fields": ["summary.state", "summary.category", "summary.place"]}, **profiles},
        "route": {
            "name": "rest",
            "profile": "all",
            "routes": [
                {"name": "fires", "match": {"group": ["fire"]}, "recipients": ["fire"], "continue": True},
                {
                    "name": "begun",
                    "match": {"urgency": ["urgent"], "kind": ["IncidentOpened"]},
                    "recipients": ["crisis"],
                    "continue": True,
                },
                {"name": "everything", "recipients": ["police"]},
            ],
        },
    }
    return load(data, KNOWN)


class Routed:
    """Facts in, deliveries by recipient out, in one memory."""

    def __init__(self, tree: Routing | None = None) -> None:
        self.memory = Memory(processor(RouteReference(tree or routing())))
        self.told = 0

    def __call__(self, change: Any, incident: str = "i-1", **now: Any) -> dict[str, Delivery]:
        """One fact about the incident as it is now."""
        self.told += 1
        fact = Fact(
            fact_id=f"f-{self.told}",
            caused_by="c",
            unit="kmp-kalisz",
            at=AT,
            incident_id=incident,
            change=change,
            summary=summary(incident_id=incident, sequence=self.told, **now),
        )
        outcome = self.memory.step(on_topic(fact, FACTS, mode="real"))
        found = [payload(out.headers, out.value) for out in outcome.outputs]
        return {one.recipient: one for one in found if isinstance(one, Delivery)}


def changed(after: IncidentState, before: IncidentState = IncidentState.OPEN) -> StateChanged:
    """An officer went on."""
    return StateChanged(verb="end", before=before, after=after, actor="officer-1")


def to_crime() -> IncidentRecategorised:
    """An officer learnt what it was."""
    return IncidentRecategorised(category="crime.sexual", urgency=Urgency.URGENT, actor="officer-1")


def test_a_recategorised_incident_is_taken_back_without_a_word_of_what_it_is():
    """The fire service learns that it is over for them, and later that it ended; never what it turned out to be."""
    route = Routed()
    assert set(route(opened().change, **STILL_FIRE)) == {"police", "fire", "crisis"}
    told = route(to_crime(), **NOW_CRIME)
    assert set(told) == {"police", "fire"}
    left = told["fire"]
    assert (left.rule, left.profile, left.deadline_at) == ("left", "left", None)
    assert set(left.body) == {"fact", "change", "summary"}
    assert set(left.body["fact"]) == NOTHING_MORE
    assert left.body["change"] == {"kind": "IncidentRecategorised"}
    assert left.body["summary"].keys() <= {"sequence", "state", "merged_into"}
    assert "crime" not in left.to_json().decode()
    assert told["police"].body["summary"]["category"] == "crime.sexual"
    ended = route(changed(IncidentState.ENDED), **NOW_CRIME, state="ended")
    assert ended["fire"].body["summary"]["state"] == "ended"


def test_more_reports_of_what_is_no_more_theirs_are_not_told():
    """Only what becomes of what they were told."""
    route = Routed()
    route(opened().change, **STILL_FIRE)
    route(to_crime(), **NOW_CRIME)
    linked = ReportLinked(report_id="r-2", explanation=Explanation(rule="person"))
    assert set(route(linked, **NOW_CRIME)) == {"police"}
    assert set(route(ReportUnlinked(report_id="r-2", moved_to="i-2"), **NOW_CRIME)) == {"police", "fire"}


def test_whom_a_rule_tells_the_beginning_alone_is_told_no_more():
    """That a rule is silent about a kind of fact is its will, whatever the incident is now."""
    route = Routed()
    route(opened().change, **STILL_FIRE)
    assert "crisis" not in route(changed(IncidentState.ACCEPTED), **STILL_FIRE)
    assert "crisis" not in route(to_crime(), **NOW_CRIME)


def test_who_is_named_again_gets_everything_again():
    """Recategorised back: the rule decides."""
    route = Routed()
    route(opened().change, **STILL_FIRE)
    route(to_crime(), **NOW_CRIME)
    back = IncidentRecategorised(category="fire.other", urgency=Urgency.URGENT, actor="officer-1")
    assert route(back, **STILL_FIRE)["fire"].rule == "fires"


def test_who_was_told_of_a_merged_incident_is_told_of_the_one_it_became():
    """The fire service had a fire that is now part of another matter: it learns that, and how the whole ends."""
    route = Routed()
    route(opened().change, **STILL_FIRE)
    route(opened().change, "i-2", **NOW_CRIME)
    gone = {**STILL_FIRE, "merged_into": "i-2", "state": "merged"}
    merged = route(changed(IncidentState.MERGED), **gone)
    assert merged["fire"].rule == "fires"
    ended = route(changed(IncidentState.ENDED), "i-2", **NOW_CRIME, state="ended")
    assert (ended["fire"].rule, ended["fire"].subject_id) == ("left", "i-2")
    assert set(route(opened().change, "i-3", **NOW_CRIME)) == {"police", "crisis"}


def test_an_installation_says_itself_what_they_get():
    """A profile of that name in the file goes before ours."""
    route = Routed(routing(left={"fields": ["summary.state"]}))
    route(opened().change, **STILL_FIRE)
    assert route(to_crime(), **NOW_CRIME)["fire"].body == {"summary": {"state": "open"}}


def test_a_pair_from_an_older_state_is_left_in_peace():
    """It does not know what the incident was: silence, as before."""
    route = Routed()
    route(opened().change, **STILL_FIRE)
    made = route.memory.processor
    for key in [one for one in route.memory.values if one.startswith("d|")]:
        older = {name: one for name, one in route.memory.get(key).items() if name != "v"}
        route.memory.values[key] = made.encode(older)
    assert set(route(to_crime(), **NOW_CRIME)) == {"police"}

"""Routing: rules, profiles, lanes, modes, and sending again."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.delivery import Delivery, RoutingDecided
from schemas.envelope import attribute
from schemas.errors import Code, Rejected
from schemas.finding import Finding, FindingCode
from schemas.incident import (
    CommandRefused,
    DeadlinePassed,
    Fact,
    IncidentDormant,
    IncidentOpened,
    ReportLinked,
    ReportRepeated,
    StateChanged,
)
from schemas.report import Mode, Urgency
from schemas.summary import IncidentState
from schemas.topics import DECISIONS, FACTS
from schemas.wire import payload
from streams import categories
from streams.contract import Record
from streams.route import RouteReference, processor
from streams.routing import Known, Routing, built_in, load
from tests.schemas.samples import AT
from tests.streams.facts import explanation, issued, linked, normalised, of_mode, opened, summary
from tests.streams.places import Memory, on_topic, report

KNOWN = Known(categories=categories.built_in().categories)
BUILT_IN = built_in(KNOWN)


def small(**changes: Any) -> Routing:
    """A tree with two recipients, a test receiver and a nobody."""
    data: dict[str, Any] = {
        "version": 1,
        "recipients": {"a": {}, "b": {}, "t": {"modes": ["test"]}},
        "profiles": {"p": {"fields": ["summary.state"]}, "q": {"fields": ["report.report_id"]}},
        "route": {
            "name": "rest",
            "profile": "p",
            "deadline_seconds": 60,
            "routes": [
                {"name": "fire", "match": {"group": ["fire"]}, "recipients": ["b"], "profile": "q", "continue": True},
                {"name": "quiet", "match": {"category": ["desk.information"]}},
                {
                    "name": "all",
                    "recipients": ["a", "t"],
                    "escalation": {"recipients": ["b"], "deadlines": ["unanswered"]},
                },
            ],
        },
    }
    return load(data | changes, KNOWN)


def told(fact: Fact, **extensions: str) -> Record:
    """The record of a fact, with its mode in the headers as incidents writes it."""
    mode = fact.summary.mode if fact.summary else Mode.REAL
    return on_topic(fact, FACTS, **{"mode": mode.value, **extensions})


def stepped(fact: Fact, routing: Routing | None = None, memory: Memory | None = None) -> tuple[Any, list[Any]]:
    """The decision about a fact, and its deliveries."""
    one = processor(RouteReference(routing or small()))
    outcome = (memory or Memory(one)).step(told(fact, traceparent="00-1"))
    found = [payload(out.headers, out.value) for out in outcome.outputs]
    decisions = [one for one in found if isinstance(one, RoutingDecided)]
    assert len(decisions) == 1
    return decisions[0], [one for one in found if isinstance(one, Delivery)]


def test_every_fact_is_decided_and_delivered():
    """One decision, one delivery per recipient, into its outbox, with ids, rule, profile, deadline and trace."""
    one = processor(RouteReference(small()))
    sent, decided = Memory(one).step(told(opened(), traceparent="00-1")).outputs
    delivery, decision = payload(sent.headers, sent.value), payload(decided.headers, decided.value)
    assert isinstance(delivery, Delivery)
    assert isinstance(decision, RoutingDecided)
    assert (sent.topic, sent.key, decided.topic, decided.key) == ("outbox.a.urgent", b"i-1", DECISIONS, b"f-1")
    assert decision.deliveries == {"a": delivery.delivery_id}
    assert (decision.rules, decision.report_id, decision.incident_id) == (("all",), "r-1", "i-1")
    assert (delivery.rule, delivery.profile, delivery.sequence) == ("all", "p", 3)
    assert delivery.deadline_at is not None
    assert (delivery.deadline_at - delivery.decided_at).total_seconds() == 60
    assert delivery.body == {"summary": {"state": "open"}}
    names = {
        name: attribute(sent.headers, name) for name in ("deliveryid", "factid", "incidentid", "recipient", "mode")
    }
    assert names["recipient"] == "a"
    assert (names["incidentid"], names["mode"]) == ("i-1", "real")
    assert attribute(sent.headers, "traceparent") == attribute(decided.headers, "traceparent") == "00-1"


def test_continue_lets_the_next_rule_look():
    """A rule with `continue` does not end the search: both rules are named, each recipient by its own profile."""
    decision, deliveries = stepped(opened(summary=summary(category="fire.building")))
    assert decision.rules == ("fire", "all")
    assert {one.recipient: one.profile for one in deliveries} == {"b": "q", "a": "p"}


def test_nobody_is_a_decision():
    """What a rule gives to nobody is decided all the same, by that rule's name."""
    decision, deliveries = stepped(opened(summary=summary(category="desk.information")))
    assert (decision.rules, decision.deliveries, deliveries) == (("quiet",), {}, [])


def test_rules_that_all_go_on_decide_alone():
    """Where the last rule that matched has `continue`, too, the node above it adds nothing."""
    go_on = {"name": "x", "recipients": ["a"], "profile": "p", "continue": True}
    assert stepped(opened(), small(route={"name": "rest", "routes": [go_on]}))[0].rules == ("x",)


def test_where_no_child_matches_the_node_decides():
    """The root takes what nobody below wants."""
    routing = small(route={"name": "rest", "routes": [{"name": "x", "match": {"unit": ["elsewhere"]}}]})
    assert stepped(opened(), routing)[0].rules == ("rest",)


def test_escalation_when_a_deadline_passes():
    """A passed deadline tells the escalation's recipients beside the rule's own; another deadline does not."""
    late = DeadlinePassed(deadline="unanswered", due_at=AT)
    assert set(stepped(opened(change=late))[0].deliveries) == {"a", "b"}
    other = DeadlinePassed(deadline="call-back", due_at=AT)
    assert set(stepped(opened(change=other))[0].deliveries) == {"a"}


def test_tests_never_reach_a_real_recipient():
    """A fact of mode test reaches only who takes tests; a real fact never reaches the test receiver."""
    assert set(stepped(of_mode(Mode.TEST))[0].deliveries) == {"t"}
    assert set(stepped(of_mode(Mode.REAL))[0].deliveries) == {"a"}
    with pytest.raises(Rejected) as caught:
        stepped(of_mode(Mode.EXERCISE))
    assert caught.value.code is Code.MODE_MIXED


def test_notices_are_routed_in_order_of_time():
    """A warning has its own subject per territory, the step's time as sequence, and its severity decides urgency."""
    routing = built_in(KNOWN._replace(recipients=("crisis",)))
    decision, (delivery,) = stepped(issued(), routing)
    assert (decision.rules, decision.incident_id, delivery.urgency) == (("severe-warnings",), None, Urgency.URGENT)
    assert delivery.sequence == int(AT.timestamp() * 1000)
    assert delivery.body["change"]["notice"]["event"] == "Burze"
    assert stepped(issued(severity="Moderate"), routing)[0].rules == ("other-warnings",)


def test_a_loop_ends_here():
    """A report that came back to where it had been goes to nobody, by rule `loop`."""
    looping = normalised(findings=(Finding(code=FindingCode.LOOP),))
    decision, deliveries = stepped(opened(change=IncidentOpened(report=looping)))
    assert (decision.rules, deliveries) == (("loop",), [])


def test_what_is_no_fact_is_set_aside():
    """Another type or a broken value is refused."""
    one = processor(RouteReference(small()))
    for record in (
        on_topic(report()),
        told(opened())._replace(value=b"{"),
        told(opened())._replace(value=b"[]"),
        told(opened())._replace(value=b'{"fact_id":1,"change":{"kind":"IncidentDormant"},"at":"x"}'),
        on_topic(opened(), FACTS),
        on_topic(opened(), FACTS, mode="odd"),
    ):
        with pytest.raises(Rejected) as caught:
            one.step({}, record)
        assert caught.value.code is Code.RECORD_INVALID


def test_built_in_routing_for_kalisz():
    """The example: police get everything but nonsense, fire gets fires and accidents, nobody gets internal changes."""
    everybody = KNOWN._replace(recipients=("dispatch", "fire", "crisis", "trial"))
    routing = built_in(everybody)

    def who(fact: Fact) -> set[str]:
        return set(stepped(fact, routing)[0].deliveries)

    assert who(opened()) == {"dispatch", "fire"}
    assert who(opened(summary=summary(category="crime.theft"))) == {"dispatch"}
    assert who(opened(summary=summary(category="env.flood"))) == {"dispatch", "crisis"}
    assert who(opened(summary=summary(category="desk.silent-call"))) == set()
    assert who(of_mode(Mode.TEST)) == {"trial"}
    refused = CommandRefused(command_id="c", verb="accept", code=Code.STATE_FORBIDS)
    for change in (IncidentDormant(), refused):
        assert stepped(opened(change=change), routing)[0].rules == ("internal",)
    assert set(built_in(everybody._replace(recipients=("fire",))).recipients) == {"fire"}


def test_only_the_police_profile_gets_the_caller():
    """The sealed caller goes where a profile names it, and nowhere else."""
    routing = built_in(KNOWN._replace(recipients=("dispatch", "fire")))
    _, deliveries = stepped(opened(), routing)
    assert {one.recipient: "caller" in one.body["report"] for one in deliveries} == {"dispatch": True, "fire": False}


@pytest.mark.parametrize("mode", [Mode.TEST, Mode.EXERCISE])
def test_what_tells_nothing_new_goes_to_nobody(mode):
    """A repeat and one of a merge's reports hold neither mode nor kind: decided by a name of their own, never real."""
    repeat = ReportRepeated(report_id="r-1", document_id="d-2")
    moved = ReportLinked(report_id="r-1", explanation=explanation())
    one = processor(RouteReference(small(), mode=mode))
    for change, rule in ((repeat, "repeated"), (moved, "moved")):
        fact = opened(change=change, summary=None)
        (decided,) = Memory(one).step(told(fact, mode=mode.value)).outputs
        decision = payload(decided.headers, decided.value)
        assert isinstance(decision, RoutingDecided)
        assert (decision.rules, decision.deliveries, decision.report_id) == ((rule,), {}, "r-1")
        assert attribute(decided.headers, "mode") == mode.value
    assert stepped(opened(change=moved))[0].rules == ("all",), "the last of a merge tells how the incident is then"


def test_the_mode_stands_in_the_headers():
    """A fact without an incident is routed by the mode that its record bears."""
    unknown = CommandRefused(command_id="c", verb="accept", code=Code.INCIDENT_UNKNOWN)
    fact = opened(change=unknown, summary=None, incident_id=None)
    memory = Memory(processor(RouteReference(small())))
    assert [one.topic for one in memory.step(told(fact, mode="test")).outputs] == ["outbox.t.routine", DECISIONS]


@settings(max_examples=80, deadline=None)
@given(
    category=st.sampled_from(sorted(categories.built_in().categories)),
    urgency=st.sampled_from(Urgency),
    mode=st.sampled_from([Mode.REAL, Mode.TEST]),
    make=st.sampled_from([opened, linked]),
)
def test_same_in_same_out_and_twice_is_once(category, urgency, mode, make):
    """The same fact gives the same bytes, also from a state that has seen it; every fact is decided once."""
    one = processor(RouteReference(BUILT_IN))
    fact = make(summary=summary(category=category, urgency=urgency, mode=mode))
    memory = Memory(one)
    first = memory.step(told(fact))
    before = dict(memory.values)
    assert memory.step(told(fact)).outputs == first.outputs
    assert memory.values == before
    assert sum(out.topic == DECISIONS for out in first.outputs) == 1
    for out in first.outputs:
        assert out.topic in one.outputs


def test_incidents_do_not_meddle():
    """Facts of different incidents in any order lead to the same deliveries."""
    one = processor(RouteReference(small()))
    change = StateChanged(verb="accept", before=IncidentState.OPEN, after=IncidentState.ACCEPTED, actor="a")
    facts = [opened(fact_id="1", incident_id="x"), opened(fact_id="2", incident_id="y", change=change)]
    straight, turned = Memory(one), Memory(one)
    assert [straight.step(told(fact)).outputs for fact in facts] == [
        turned.step(told(fact)).outputs for fact in reversed(facts)
    ][::-1]

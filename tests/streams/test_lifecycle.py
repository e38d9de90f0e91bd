"""The life-cycle: every cell of the table, walked through the real step."""

from datetime import timedelta
from typing import Literal

import pytest

from schemas.command import Verb
from schemas.errors import Code
from schemas.summary import IncidentState, Stage, StageTime
from streams.lifecycle import PERSON, ROLES, TABLE, rule, stamped
from tests.streams.incident_log import START, Territory, command, identity, incident_of, kinds, place, report

PATHS = {
    IncidentState.OPEN: (),
    IncidentState.ACCEPTED: ("accept",),
    IncidentState.DISPATCHED: ("accept", "dispatch"),
    IncidentState.ON_SCENE: ("accept", "dispatch", "arrive"),
    IncidentState.ENDED: ("accept", "end"),
    IncidentState.REFUSED: ("refuse",),
    IncidentState.HANDED_OVER: ("hand-over",),
    IncidentState.MERGED: ("link",),
}
EXPECTED = {
    (IncidentState.OPEN, Verb.ACCEPT): IncidentState.ACCEPTED,
    (IncidentState.OPEN, Verb.REFUSE): IncidentState.REFUSED,
    (IncidentState.OPEN, Verb.HAND_OVER): IncidentState.HANDED_OVER,
    (IncidentState.ACCEPTED, Verb.HAND_OVER): IncidentState.HANDED_OVER,
    (IncidentState.ACCEPTED, Verb.DISPATCH): IncidentState.DISPATCHED,
    (IncidentState.ACCEPTED, Verb.ARRIVE): IncidentState.ON_SCENE,
    (IncidentState.ACCEPTED, Verb.END): IncidentState.ENDED,
    (IncidentState.DISPATCHED, Verb.HAND_OVER): IncidentState.HANDED_OVER,
    (IncidentState.DISPATCHED, Verb.DISPATCH): IncidentState.DISPATCHED,
    (IncidentState.DISPATCHED, Verb.SET_OUT): IncidentState.DISPATCHED,
    (IncidentState.DISPATCHED, Verb.ARRIVE): IncidentState.ON_SCENE,
    (IncidentState.DISPATCHED, Verb.END): IncidentState.ENDED,
    (IncidentState.ON_SCENE, Verb.HAND_OVER): IncidentState.HANDED_OVER,
    (IncidentState.ON_SCENE, Verb.DISPATCH): IncidentState.ON_SCENE,
    (IncidentState.ON_SCENE, Verb.SET_OUT): IncidentState.ON_SCENE,
    (IncidentState.ON_SCENE, Verb.ARRIVE): IncidentState.ON_SCENE,
    (IncidentState.ON_SCENE, Verb.END): IncidentState.ENDED,
    (IncidentState.ENDED, Verb.REOPEN): IncidentState.OPEN,
    (IncidentState.REFUSED, Verb.REOPEN): IncidentState.OPEN,
    (IncidentState.HANDED_OVER, Verb.ACCEPT): IncidentState.ACCEPTED,
    (IncidentState.HANDED_OVER, Verb.HAND_OVER): IncidentState.HANDED_OVER,
}
"""Every cell that leads to a state, written again here: a change of the table must be meant."""


def filled(name: str, verb: str, incident_id: str, **rest):
    """A command of the verb with every field it may need."""
    fields = {
        "reason": "not our kind of matter",
        "report_id": identity("second"),
        "target_id": identity("nobody"),
        "to_unit": "kpp-pleszew",
        "resource": "KZ-1",
        "category": "traffic.accident",
        "delivery_id": "d-1",
    }
    return command(name, verb, incident_id, **{**fields, **rest})


def brought_to(state: IncidentState) -> tuple[Territory, str]:
    """A territory with an incident of two reports in this state."""
    territory = Territory()
    incident_id = incident_of(territory.put(report("first", thread="one", at=place())))
    territory.put(report("second", thread="one", order=1, at=place()))
    other = incident_of(territory.put(report("other", at=place(east_m=9_000), category="order.noise")))
    for verb in PATHS[state]:
        rest = {"report_id": None, "target_id": other} if verb == "link" else {}
        territory.put(filled(f"to {state} by {verb}", verb, incident_id, **rest))
    assert territory.summary(incident_id).state is state
    return territory, incident_id


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("state", list(IncidentState))
def test_every_cell(state, verb):
    """What the table allows leads where this test says; what it does not allow is refused and changes nothing."""
    territory, incident_id = brought_to(state)
    before = territory.summary(incident_id)
    facts = territory.put(filled("the cell", verb, incident_id))
    after = territory.summary(incident_id)
    allowed = rule(state, verb)
    assert (allowed.after if allowed else None) == EXPECTED.get((state, verb))
    if allowed is None:
        assert kinds(facts) == ["CommandRefused"]
        assert facts[0].change.code is Code.STATE_FORBIDS
        assert after == before
    elif allowed.after is not None:
        assert facts[0].change.kind in {"StateChanged", "IncidentHandedOver"}
        assert after.state is allowed.after
        assert after.sequence == before.sequence + 1
    else:
        refusals = {one.change.code for one in facts if one.change.kind == "CommandRefused"}
        assert refusals <= {Code.INCIDENT_UNKNOWN, Code.STATE_FORBIDS}
        assert after.state is state


def test_table_knows_every_state_and_only_known_roles():
    """No state is missing, and who may is always one of the three roles."""
    assert set(TABLE) == set(IncidentState)
    assert {role for row in TABLE.values() for one in row.values() for role in one.who} <= set(ROLES)
    assert {verb for row in TABLE.values() for verb in row} == set(Verb)
    assert TABLE[IncidentState.OPEN][Verb.REFUSE].who == PERSON


@pytest.mark.parametrize("verb", ["refuse", "unlink", "reject"])
def test_reason_is_compulsory(verb):
    """Refusal, taking out and rejecting need a reason (blanks are none); without it nothing changes."""
    territory, incident_id = brought_to(IncidentState.OPEN)
    for at, reason in enumerate((None, "", "  ")):
        facts = territory.put(filled(f"{verb}{at}", verb, incident_id, reason=reason))
        assert facts[0].change.code is Code.REASON_MISSING


@pytest.mark.parametrize("reason", ["territory", "Właściwość miejscowa", "nie nasz teren "])
def test_territory_is_no_ground_for_refusal(reason):
    """A wrong territory is handed over, never refused."""
    territory, incident_id = brought_to(IncidentState.OPEN)
    assert territory.put(filled("no", "refuse", incident_id, reason=reason))[0].change.code is Code.FIELD_INVALID


def test_stages_are_stamped_and_typed_never_replaces_measured():
    """A measured time stands for ever; a typed one is kept where none was measured, and a measured one replaces it."""
    stages: tuple[StageTime, ...] = ()
    told: tuple[tuple[int, Literal["typed", "measured"]], ...] = (
        (5, "typed"),
        (6, "typed"),
        (9, "measured"),
        (1, "typed"),
        (12, "measured"),
    )
    for at, how in told:
        new = StageTime(stage=Stage.ON_SCENE, at=START + timedelta(seconds=at), how=how, by="x")
        stages = stamped(stages, new)
    assert [(one.at, one.how) for one in stages] == [(START + timedelta(seconds=9), "measured")]


def test_stages_of_a_whole_life():
    """Each stage has its time: the source's for call and registration, the journal's for receipt, ours for the rest."""
    territory = Territory()
    told = report(
        "one", registered_at=START - timedelta(seconds=20), call_answered_at=START - timedelta(seconds=90), received=-5
    )
    incident_id = incident_of(territory.put(told))
    territory.at(4).put(filled("s", "read", incident_id))
    territory.at(7).put(filled("s again", "read", incident_id))
    territory.at(10).put(filled("a", "accept", incident_id))
    territory.at(20).put(filled("d", "dispatch", incident_id))
    territory.at(60).put(filled("o", "set-out", incident_id))
    territory.at(300).put(filled("r", "arrive", incident_id, typed_at=START + timedelta(seconds=200)))
    territory.at(900).put(filled("e", "end", incident_id))
    stages = {one.stage: ((one.at - START).total_seconds(), one.how) for one in territory.summary(incident_id).stages}
    assert stages == {
        Stage.CALL_ANSWERED: (-90, "measured"),
        Stage.REGISTERED: (-20, "measured"),
        Stage.RECEIVED: (-5, "measured"),
        Stage.PRESENTED: (4, "measured"),
        Stage.ACCEPTED: (10, "measured"),
        Stage.DISPATCHED: (20, "measured"),
        Stage.EN_ROUTE: (60, "measured"),
        Stage.ON_SCENE: (200, "typed"),
        Stage.ENDED: (900, "measured"),
    }


def test_reading_after_the_answer_says_nothing_of_the_first_look():
    """A supplement read later is no presentation: the officer who accepted had seen the incident before."""
    territory, incident_id = brought_to(IncidentState.ACCEPTED)
    territory.at(300).put(filled("s", "read", incident_id))
    assert Stage.PRESENTED not in {one.stage for one in territory.summary(incident_id).stages}


def test_a_patrol_on_its_way_may_be_typed_afterwards():
    """The officer types it when the patrol is there already; its stage is marked so, and the state stays."""
    territory, incident_id = brought_to(IncidentState.ON_SCENE)
    territory.at(300).put(filled("o", "set-out", incident_id, typed_at=START + timedelta(seconds=100)))
    told = territory.summary(incident_id)
    assert told.state is IncidentState.ON_SCENE
    stages = {one.stage: ((one.at - START).total_seconds(), one.how) for one in told.stages}
    assert stages[Stage.EN_ROUTE] == (100, "typed")


def test_a_typed_time_in_the_future_is_refused():
    """An officer types what was, not what will be."""
    territory, incident_id = brought_to(IncidentState.OPEN)
    facts = territory.put(filled("x", "accept", incident_id, typed_at=START + timedelta(hours=1)))
    assert facts[0].change.code is Code.FIELD_INVALID

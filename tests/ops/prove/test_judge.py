"""The judge: no false accusation of a history that keeps the promise, and no pardon for one that does not."""

import random
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.prove.system import judge as judging
from ops.prove.system.history import AsideRow, Attempt, Evidence
from ops.prove.system.judge import judge, self_test
from ops.prove.system.mutations import MUTATIONS
from tests.ops.prove.histories import START, perfect

DICE = st.randoms(use_true_random=False)
LARGE = perfect(random.Random(5), 400, fault=(4.0, 9.0))


@settings(max_examples=150, deadline=None)
@given(dice=DICE, count=st.integers(0, 80), fault=st.sampled_from([(0.0, 0.0), (1.0, 2.5)]))
def test_a_kept_promise_is_never_convicted(dice, count, fault):
    """Retries, unknown outcomes, repeats, refusals, superseded deliveries and moved reports are no offence."""
    told = judge(perfect(dice, count, fault=fault))
    assert told.reasons == ()
    assert told.passed
    assert told.accepted == told.delivered + told.set_aside


@settings(max_examples=60, deadline=None)
@given(dice=DICE, count=st.integers(0, 60))
def test_a_spoilt_history_is_always_convicted(dice, count):
    """Whatever can be spoilt in a history, of whatever size, is noticed; nothing crashes on a small one."""
    caught = self_test(perfect(dice, count))
    assert set(caught) == set(MUTATIONS)
    assert False not in caught.values(), caught


def test_a_history_of_some_size_is_spoilt_in_every_way():
    """Each way to spoil finds something to spoil: the self-test of a real run is not empty."""
    assert set(self_test(LARGE).values()) == {True}


def test_nothing_at_all_is_judged_and_has_no_ledger():
    """An empty evidence is no pass: without a ledger nothing balances."""
    empty = Evidence("r", "none", 1, (), (), (), (), {})
    told = judge(empty)
    assert (told.accepted, told.lost, told.recovery_seconds, told.answered_2xx_share) == (0, 0, None, None)
    assert told.reasons == ("the books do not balance",)
    assert set(self_test(empty).values()) == {None}


def test_a_judgement_survives_json():
    """What is stored is what was judged."""
    told = judge(LARGE)
    assert judging.read(orjson.loads(orjson.dumps(told.as_dict()))) == told


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_each_way_to_spoil_is_seen_in_the_verdict(name):
    """A spoilt run does not pass, and the field whose business it is tells."""
    spoil, field = MUTATIONS[name]
    spoilt = spoil(LARGE)
    assert spoilt is not None
    before, after = judge(LARGE), judge(spoilt)
    assert not after.passed
    assert getattr(after, field) != getattr(before, field)


def _first(evidence, **wanted):
    """The first operation of which all this is true."""
    return next(
        one for one in evidence.operations if all(getattr(one, name) == value for name, value in wanted.items())
    )


def test_a_report_in_no_fact_is_lost_also_when_nobody_should_get_it():
    """Accepted, routed to nobody, and in no fact: lost."""
    one = next(one for one in LARGE.operations if one.outcome == "ok" and one.what == "new" and not one.recipients)
    told = judge(replace(LARGE, facts=[row for row in LARGE.facts if row.report_id not in one.report_ids]))
    assert told.lost == 1
    assert f"{one.identity} -> (in no fact)" in told.ids["lost"]


def test_an_accepted_document_without_a_report_is_lost():
    """A yes for a document that became nothing and lies nowhere is a loss."""
    other = replace(_first(LARGE, what="new", outcome="ok"), identity="x|1|1", report_ids=(), document_id="gone")
    told = judge(replace(LARGE, operations=[*LARGE.operations, other]))
    assert (told.lost, told.balanced) == (1, False)
    kept = [*LARGE.aside, AsideRow("q", "intake", "malformed", document_id="gone")]
    assert judge(replace(LARGE, operations=[*LARGE.operations, other], aside=kept)).lost == 0


def test_a_refusal_excuses_one_recipient_and_a_set_aside_report_no_other():
    """Quarantine counts by its narrowest name: the delivery, else the report, else the document."""
    one = next(one for one in LARGE.effects if one.applied and one.kind == "IncidentOpened" and one.report_ids)
    bare = replace(LARGE, effects=[each for each in LARGE.effects if each is not one])
    assert judge(bare).lost == 1
    operation = next(each for each in LARGE.operations if each.report_ids == one.report_ids)
    other = AsideRow("q", "deliver", "refused", operation.document_id, one.report_ids[0], "another delivery")
    assert judge(replace(bare, aside=[*LARGE.aside, other])).lost == 1
    beside = AsideRow("q", "incidents", "step-bug", operation.document_id, "another report")
    assert judge(replace(bare, aside=[*LARGE.aside, beside])).lost == 1
    rightly = replace(other, delivery_id=one.delivery_id)
    assert judge(replace(bare, aside=[*LARGE.aside, rightly])).lost == 0
    fact = next(row for row in LARGE.facts if row.report_id == one.report_ids[0])
    refused = AsideRow("q", "route", "record-invalid", cause_id=fact.fact_id)
    told = judge(replace(bare, aside=[*LARGE.aside, refused]))
    assert (told.lost, told.set_aside) == (0, judge(LARGE).set_aside + 1)


def test_a_receipt_alone_supersedes_nothing():
    """A delivery said to be superseded, of which no newer one is there, is lost."""
    spoilt = MUTATIONS["one-removed"][0](LARGE)
    assert spoilt is not None
    gone = {one.delivery_id for one in LARGE.effects if one.applied} - {
        one.delivery_id for one in spoilt.effects if one.applied
    }
    subjects = {one.subject_id for one in LARGE.effects if one.delivery_id in gone}
    bare = [one for one in spoilt.effects if one.subject_id not in subjects or one.kind == "IncidentOpened"]
    told = judge(replace(spoilt, effects=bare, superseded=LARGE.superseded | gone))
    assert told.lost >= 1


def test_places_of_losses_tell_a_hole_from_a_tail():
    """A missing middle is certain loss, a missing end may be a slow recipient."""
    came = [
        one for one in LARGE.effects if one.applied and one.recipient == "dispatch" and one.kind == "IncidentOpened"
    ]
    there = {one.report_ids for one in came}
    ours = [
        replace(one, recipients=("dispatch",))
        for one in LARGE.operations
        if one.process == "p0" and one.report_ids in there and one.what == "new"
    ]
    for gone, place in ((ours[-3:], "postfix"), (ours[2:4], "middle"), (ours[:2], "prefix")):
        ids = {one.report_ids for one in gone}
        told = judge(replace(LARGE, operations=ours, effects=[one for one in came if one.report_ids not in ids]))
        assert told.lost == len(gone)
        assert told.lost_places == {"prefix": 0, "middle": 0, "postfix": 0, place: len(gone)}


def test_an_unknown_outcome_is_granted_one_report_and_no_more():
    """Facts without identity are somebody's as long as there are operations of unknown outcome; beyond, nobody's."""
    facts = [replace(row, identity=None) for row in LARGE.facts]
    assert judge(replace(LARGE, facts=facts)).unexpected == 0
    certain = [one for one in LARGE.operations if one.outcome != "info"]
    told = judge(replace(LARGE, facts=facts, operations=certain))
    assert told.unexpected > 0


def test_a_report_at_a_stranger_is_unexpected():
    """An effect at a recipient to whom the report was not routed is seen."""
    one = next(one for one in LARGE.effects if one.applied and one.kind == "IncidentOpened")
    told = judge(replace(LARGE, effects=[*LARGE.effects, replace(one, recipient="stranger")]))
    assert f"{one.report_ids[0]} at stranger" in told.ids["unexpected"]


def test_quarantine_beyond_what_was_sent_is_seen():
    """An item too many is as wrong as one too few; a delivery that its recipient refused is not counted."""
    open_ = sum(one.what == "bad" and one.outcome == "info" for one in LARGE.operations)
    more = [*LARGE.aside, *(AsideRow(f"more{number}", "normalise", "step-bug") for number in range(open_ + 1))]
    assert not judge(replace(LARGE, aside=more)).quarantined_equals_injected
    assert any(row.stage == "deliver" for row in LARGE.aside)


def test_a_ledger_that_knows_less_than_was_accepted_does_not_balance():
    """The installation's books are held against what partners were told, not only asked."""
    told = judge(replace(LARGE, ledger={**LARGE.ledger, "reports": LARGE.ledger["reports"] - 1}))
    assert not told.balanced
    assert "were accepted" in told.ids["equation"][0]
    for wrong in ({"in_flight": 1}, {"missing": {"in_facts": ["x"]}}, {"balanced": None}):
        assert not judge(replace(LARGE, ledger={**LARGE.ledger, **wrong})).balanced


def test_a_run_that_was_not_drained_does_not_pass():
    """What is still under way is no proof."""
    assert judge(replace(LARGE, drained=False)).reasons == ("not drained",)


def test_recovery_stall_and_answers_are_measured():
    """From the heal to the first delivery; the longest silence with something under way; first answers within 2 s."""
    told = judge(LARGE)
    assert told.recovery_seconds is not None
    assert told.slowest_recovery_seconds is not None
    assert told.answered_2xx_share is not None
    assert told.p50_seconds is not None
    assert told.p99_seconds is not None
    assert 0 <= told.recovery_seconds <= told.slowest_recovery_seconds <= 2.5
    assert 4.0 <= told.longest_stall_seconds <= 8.0
    assert 0.5 < told.answered_2xx_share < 1
    assert told.answered_emergency[1] < told.answered[1]
    assert told.unseen[-1][1] == 0
    assert max(count for _, count in told.unseen) > 20
    assert told.p50_seconds < told.p99_seconds


def test_a_slow_yes_is_no_prompt_answer():
    """A first answer after more than 2 s counts against the share; rubbish counts neither way."""
    one = _first(LARGE, what="new", outcome="ok")
    slow = replace(one, attempts=(Attempt(START, START + 2.5, "ok", 202),))
    bad = replace(one, what="bad", attempts=(Attempt(START, START + 0.1, "fail", 400),))
    assert judge(Evidence("r", "none", 1, [slow, bad], (), (), (), {})).answered == (0, 1)


def test_routine_before_a_waiting_urgent_one_is_told():
    """Routine deliveries tried while an urgent one lay long in the same outbox are counted, others are not."""
    told = judge(LARGE)
    assert told.urgent_overtaken == 0
    urgent = max(
        (one for one in LARGE.effects if one.urgency == "urgent" and one.applied and one.kind == "IncidentOpened"),
        key=lambda one: one.at,
    )
    routine = next(
        one
        for one in LARGE.effects
        if (one.urgency, one.recipient, one.kind, one.applied) == ("ordinary", urgent.recipient, "IncidentOpened", True)
    )
    moved = {(one.delivery_id, one.recipient): urgent.at + later for one, later in ((urgent, 10), (routine, 9))}
    late = [replace(one, at=moved.get((one.delivery_id, one.recipient), one.at)) for one in LARGE.effects]
    spoilt = judge(replace(LARGE, effects=late))
    assert spoilt.urgent_overtaken == 1
    assert routine.delivery_id in spoilt.ids["urgent_overtaken"][0]


def _arrival(**wanted):
    """An applied arrival, its report and fact."""
    one = next(one for one in LARGE.effects if one.applied and one.kind == "IncidentOpened")
    return replace(one, at=START + 1000, **wanted)


def test_one_report_by_two_deliveries_is_doubled():
    """A recipient that took a report under two delivery ids has it twice, and one of them follows from no fact."""
    told = judge(replace(LARGE, effects=[*LARGE.effects, _arrival(delivery_id="another")]))
    assert told.doubled == 1
    assert told.ids["unexpected"] == ("delivery another",)


def test_two_changes_may_share_a_sequence():
    """An effect as old as the last one is no inversion; an older one is."""
    again = _arrival(kind="StateChanged", delivery_id="another")
    highest = max(
        one.sequence
        for one in LARGE.effects
        if one.applied and (one.subject_id, one.recipient) == (again.subject_id, again.recipient)
    )
    same, older = replace(again, sequence=highest), replace(again, sequence=highest - 1)
    assert judge(replace(LARGE, effects=[*LARGE.effects, same])).order_inversions == 0
    assert judge(replace(LARGE, effects=[*LARGE.effects, older])).order_inversions == 1

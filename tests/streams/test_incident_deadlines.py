"""Deadlines: by ticks of the log only."""

import pytest

from schemas.command import Tick
from schemas.wire import parse
from streams.incidents import processor, tick
from tests.streams.incident_log import START, Territory, command, identity, incident_of, kinds, place, reference, report


@pytest.fixture
def territory():
    """An empty territory."""
    return Territory()


def test_unanswered_after_45_seconds(territory):
    """45 s from opening without accept or refuse: told once, flagged, and due says when."""
    incident_id = incident_of(territory.put(report("one")))
    assert territory.due() == round(START.timestamp() * 1000) + 45_000
    assert territory.tick(44.999) == []
    (fact,) = territory.tick(45)
    assert (fact.change.kind, fact.change.deadline) == ("DeadlinePassed", "unanswered")
    assert (fact.change.due_at - START).total_seconds() == 45
    assert territory.summary(incident_id).flags == ("unanswered",)
    territory.put(command("a", "accept", incident_id))
    assert territory.summary(incident_id).flags == ()


@pytest.mark.parametrize("verb", ["accept", "refuse", "hand-over"])
def test_answered_in_time(territory, verb):
    """An answer within 45 s: nothing is told when the time has passed."""
    incident_id = incident_of(territory.put(report("one")))
    territory.at(44).put(command("a", verb, incident_id, reason="a fire matter", to_unit="x"))
    assert territory.tick(46) == []


def test_double_late_and_zombie_ticks_change_nothing(territory):
    """The same tick twice, a tick of the past appended late, a tick without anything due: no fact, same state."""
    territory.put(report("one"))
    territory.tick(50)
    before = dict(territory.memory.values)
    assert territory.tick(50) == []
    assert territory.tick(20) == []
    assert territory.memory.values == before
    assert Territory().tick(10) == []


def test_the_setting_counts():
    """The 45 s are a setting."""
    territory = Territory(processor(reference(deadlines={"unanswered_seconds": 5})))
    territory.put(report("one"))
    assert kinds(territory.tick(5)) == ["DeadlinePassed"]


def test_dormant_after_the_categorys_window(territory):
    """No news for the window (45 min for a collision): no candidate any more; an update wakes it."""
    incident_id = incident_of(territory.put(report("one", text="biały bus w rowie przy moście")))
    territory.put(command("a", "accept", incident_id))
    territory.at(40 * 60).put(report("two", thread="one", seconds=2_400))
    assert territory.tick(46 * 60) == []
    facts = [fact for minute in range(47, 110) for fact in territory.tick(minute * 60)]
    assert kinds(facts) == ["IncidentDormant"]
    asleep = (facts[0].at - START).total_seconds() / 60
    assert 85 <= asleep <= 85 + 45 / 4
    assert not [key for key in territory.memory.values if key.startswith("c|")]
    assert territory.due() is None
    territory.at(111 * 60).put(report("three", thread="one", seconds=111 * 60))
    assert not territory.summary(incident_id).dormant
    near = territory.at(112 * 60).put(
        report("four", seconds=112 * 60, system="psp", text="biały bus w rowie przy moście")
    )
    assert near[0].incident_id == incident_id


def test_many_at_once_pass_in_order_and_in_portions(territory):
    """A thousand deadlines due at one tick: at most a hundred a record, none lost, in order of their time."""
    for at in range(1_000):
        territory.at(at / 1_000).put(report(f"r{at}", at=place(at * 5_000), seconds=at / 1_000))
    facts = []
    for at in range(10):
        told = territory.tick(60 + at)
        assert len(told) == 100
        facts += told
    assert kinds(facts) == ["DeadlinePassed"] * 1_000
    homes = territory.homes()
    assert [fact.incident_id for fact in facts] == [homes[identity(f"r{at}")] for at in range(1_000)]
    assert not [key for key in territory.memory.values if key.startswith("q|kmp-kalisz|45000|")]


def test_reopened_waits_anew(territory):
    """A reopened incident has its 45 s again; the old deadline does not count."""
    incident_id = incident_of(territory.put(report("one")))
    territory.at(10).put(command("a", "refuse", incident_id, reason="a fire matter"))
    territory.at(30).put(command("b", "reopen", incident_id))
    assert territory.tick(46) == []
    assert kinds(territory.tick(75)) == ["DeadlinePassed"]


def test_tick_record():
    """The tick that the ticker writes is a Tick for every territory of the partition, the same each time."""
    one = tick(3, 1_772_388_000_123)
    assert one == tick(3, 1_772_388_000_123)
    time = parse(Tick, one.value)
    assert time.unit is None
    assert (time.at - START).total_seconds() == 0.123


def test_one_tick_for_all_territories_of_a_partition(territory):
    """Both units' deadlines pass by one tick; due is the earlier one."""
    territory.put(report("one"))
    territory.at(5).put(report("two", unit="kpp-pleszew"))
    assert territory.due() == round(START.timestamp() * 1000) + 45_000
    assert {fact.unit for fact in territory.tick(60)} == {"kmp-kalisz", "kpp-pleszew"}

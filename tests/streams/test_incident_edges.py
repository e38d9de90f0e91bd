"""Corners: what was merged, forgotten, moved twice, named too long; and settings that are wrong."""

from dataclasses import replace

import pytest

from schemas.errors import Code, Misconfigured, Rejected
from schemas.place import Place
from schemas.wire import record
from streams import match_weights
from streams.categories import built_in
from streams.first_look import REMEMBERED, worth_a_look
from streams.incident_moves import MERGED_AT_MOST
from streams.incident_reference import load
from streams.incident_state import Candidate, Incident, Queue, Sighting, decode, encode
from streams.incident_state import Territory as TerritoryState
from tests.streams.incident_log import UNIT, Territory, command, identity, incident_of, kinds, place, report

DAY = 86_400


@pytest.fixture
def territory():
    """An empty territory."""
    return Territory()


def keys(territory, start):
    """The state keys that begin so."""
    return [key for key in territory.memory.values if key.startswith(start)]


def test_a_merged_incident_leads_to_the_one_it_went_into(territory):
    """A report that names a merged incident, or one that was merged twice, joins where its reports are now."""
    ids = [incident_of(territory.put(report(f"r{at}", at=place(at * 9_000)))) for at in range(3)]
    territory.put(command("1", "link", ids[0], target_id=ids[1]))
    territory.put(command("2", "link", ids[1], target_id=ids[2]))
    facts = territory.put(report("late", at=Place(), references=(("incident", ids[0]),)))
    assert facts[0].incident_id == ids[2]


def test_a_circle_of_merges_ends_nowhere(territory):
    """State that was damaged into a circle does not hang the step: the report opens its own incident."""
    incident_id = incident_of(territory.put(report("one")))
    held = territory.memory.get(f"i|{UNIT}|{incident_id}")
    summary = held.summary.model_copy(update={"merged_into": incident_id})
    territory.memory.values[f"i|{UNIT}|{incident_id}"] = replace(held, summary=summary)
    assert kinds(territory.put(report("two", at=Place(), references=(("incident", incident_id),)))) == [
        "IncidentOpened"
    ]


def test_what_is_touched_is_kept(territory):
    """An incident that has news within the window is kept, with its index; an untouched neighbour is forgotten."""
    busy = incident_of(territory.put(report("busy", thread="busy", references=(("cpr_id", "b"),))))
    quiet = incident_of(territory.put(report("quiet", at=place(9_000))))
    territory.tick(DAY)
    for day in range(8, 40, 8):
        territory.at(day * DAY).put(
            report(f"news{day}", thread="busy", seconds=day * DAY, references=(("cpr_id", "b"),))
        )
        for hour in range(24):
            territory.tick(day * DAY + hour * 3_600)
    assert keys(territory, f"i|{UNIT}|{busy}")
    assert len(keys(territory, f"x|{UNIT}|real|cpr_id|b")) == 1
    assert len(keys(territory, f"h|{UNIT}|real|{identity('thread busy')}")) == 1
    assert not keys(territory, f"i|{UNIT}|{quiet}")
    assert len(keys(territory, "r|")) == 2, "those of the days 24 and 32"


def test_a_territory_that_is_forgotten_leaves_only_its_clock(territory):
    """After the window a territory keeps its clock and what the last records brought: memory is bounded."""
    for at in range(20):
        territory.put(report(f"r{at}", at=place(at * 5_000), tokens=(f"t{at}",), references=(("jed", str(at)),)))
        territory.put(command(f"c{at}", "accept", territory.homes()[identity(f"r{at}")]))
    territory.tick(DAY)
    for at in range(60):
        territory.tick(20 * DAY + at)
    assert set(territory.memory.values) == {"units", f"t|{UNIT}"}
    state = territory.memory.get(f"t|{UNIT}")
    assert state.queues == ()
    assert state.forget_first == state.forget_end


def test_offered_twice_is_forgotten_once(territory):
    """Two offers of one incident leave one key, and forgetting it twice is no mistake."""
    incident_id = incident_of(territory.put(report("one")))
    for at in range(2):
        territory.put(command(f"go{at}", "hand-over", incident_id, to_unit="kpp-pleszew"))
    for output in [one for one in territory.outputs if one.topic == "territory.log"]:
        territory.step(output.value, output.headers)
    assert keys(territory, "o|") == [f"o|kpp-pleszew|{incident_id}"]
    for at in range(40):
        territory.tick(20 * DAY + at)
    assert keys(territory, "o|") == []


def test_an_older_hand_overs_deadline_does_not_count(territory):
    """Handed over again, the two minutes begin again."""
    incident_id = incident_of(territory.put(report("one")))
    territory.put(command("1", "hand-over", incident_id, to_unit="a"))
    territory.at(60).put(command("2", "hand-over", incident_id, to_unit="b"))
    assert territory.tick(121) == []
    assert kinds(territory.tick(180)) == ["DeadlinePassed"]


def test_deadlines_of_what_went_away_are_silent(territory):
    """The 45 s of an incident that another unit has now pass without a word here."""
    incident_id = incident_of(territory.put(report("one")))
    territory.put(command("1", "hand-over", incident_id, to_unit="a"))
    territory.put(command("2", "receive", incident_id))
    assert [fact.unit for fact in territory.tick(3 * 3_600)] == []


def test_long_ids_of_far_systems(territory):
    """An id of a thousand characters joins as well as a short one, and makes no long key."""
    long = "7" * 1_000
    first = incident_of(territory.put(report("one", references=(("cpr_id", long),))))
    facts = territory.put(report("two", at=place(9_000), references=(("cpr_id", long),)))
    assert facts[0].incident_id == first
    assert max(map(len, territory.memory.values)) < 250


@pytest.mark.parametrize(("verb", "rest"), [("unlink", {"reason": "x"}), ("reject", {"reason": "x"}), ("confirm", {})])
def test_a_command_without_its_field(territory, verb, rest):
    """What names no report or no other incident is refused for the missing field."""
    incident_id = incident_of(territory.put(report("one")))
    facts = territory.put(command("x", verb, incident_id, **rest))
    assert facts[0].change.code is Code.FIELD_MISSING


def test_a_merge_that_would_not_fit_is_refused(territory):
    """More reports than one batch of state may hold are not merged; nothing happens."""
    incident_id = incident_of(territory.put(report("one", thread="t")))
    for at in range(3):
        territory.put(report(f"more{at}", thread="t", order=at))
    held = territory.memory.get(f"i|{UNIT}|{incident_id}")
    territory.memory.values[f"i|{UNIT}|{incident_id}"] = replace(held, next_report=MERGED_AT_MOST + 1)
    other = incident_of(territory.put(report("other", at=place(9_000))))
    facts = territory.put(command("x", "link", incident_id, target_id=other))
    assert facts[0].change.code is Code.STATE_FORBIDS
    assert territory.summary(incident_id).reports == 4


def test_a_merge_wakes_a_sleeping_target(territory):
    """Something new is known of it: it is a candidate again, and falls asleep again later."""
    old = incident_of(territory.put(report("old")))
    territory.tick(60 * 60)
    assert territory.summary(old).dormant
    new = incident_of(territory.put(report("new", seconds=3_600, at=place(60))))
    territory.put(command("x", "link", new, target_id=old))
    assert not territory.summary(old).dormant
    assert kinds(territory.tick(4 * 3_600)) == ["IncidentDormant"]


def test_the_report_that_gave_the_place_is_taken_out(territory):
    """The incident keeps its place for people; matching goes by what is left, or not at all."""
    incident_id = incident_of(territory.put(report("one", thread="t")))
    territory.put(report("two", thread="t", order=1, at=Place()))
    territory.put(command("x", "unlink", incident_id, report_id=identity("one"), reason="another thing"))
    homes = territory.homes()
    assert homes[identity("one")] != homes[identity("two")] == incident_id
    territory.put(command("y", "recategorise", incident_id, category="fire.other"))
    assert len([one for key in keys(territory, "c|") for one in territory.memory.get(key)]) == 1


def test_an_incident_asleep_in_all_but_name_is_no_match(territory):
    """A candidate whose window has passed, though no tick came yet, is none."""
    territory.put(report("one", seconds=0, clock="records"))
    late = report("two", seconds=46 * 60, clock="records", system="psp", text="to samo miejsce")
    assert "ReportLinked" not in kinds(territory.put(late))


def test_the_same_caller_after_the_window(territory):
    """A shared number finds the incident of an hour ago, and does not join it."""
    old = incident_of(territory.put(report("one", clock="records", tokens=("t",))))
    territory.put(report("more", thread="one", seconds=600, clock="records"))
    territory.tick(2_700, unit=UNIT)
    late = territory.put(report("two", seconds=3_330, clock="records", tokens=("t",), at=place(10)))
    assert old not in [fact.incident_id for fact in late if fact.change.kind == "ReportLinked"]


def test_a_sleeping_incident_stays_asleep_when_its_kind_is_corrected(territory):
    """A person's correction is no news of the event."""
    incident_id = incident_of(territory.put(report("one")))
    territory.tick(3_600)
    territory.put(command("x", "recategorise", incident_id, category="fire.other"))
    assert territory.summary(incident_id).dormant
    assert keys(territory, "c|") == []


def test_a_tick_for_nobody(territory):
    """A tick of a territory that has no records changes nothing."""
    assert territory.tick(10, unit="nobody") == []
    assert territory.memory.values == {}


def test_an_incident_on_its_way_must_name_its_unit(territory):
    """A summary in the log without the unit it goes to is set aside."""
    incident_id = incident_of(territory.put(report("one")))
    value, headers = record(territory.summary(incident_id), id="1", source="/t")
    with pytest.raises(Rejected):
        territory.step(value, headers)


def test_state_survives_its_bytes():
    """Each kind of value comes back as it was, to the type; other versions are refused by name."""
    territory = Territory()
    incident_id = incident_of(territory.put(report("one", tokens=("a",), references=(("jed", "1"),))))
    for at in range(3):
        territory.put(report(f"two{at}", thread="one", order=at + 1))
    territory.put(command("x", "accept", incident_id))
    for key, value in territory.memory.values.items():
        again = decode(encode(value))
        assert again == value, key
        assert type(again) is type(value), key
        assert encode(again) == encode(value), key
    held = decode(encode(territory.memory.get(f"i|{UNIT}|{incident_id}")))
    assert isinstance(held, Incident)
    assert isinstance(held.listed, Candidate)
    state = decode(encode(territory.memory.get(f"t|{UNIT}")))
    assert isinstance(state, TerritoryState)
    assert isinstance(state.queues[0], Queue)
    with pytest.raises(Misconfigured) as caught:
        decode(b'{"v":2,"plain":[]}')
    assert caught.value.code is Code.STATE_FOREIGN


def test_the_reference_names_its_mistakes():
    """Wrong seconds, clocks and roles are refused before anything starts; versions name what decides."""
    for wrong in (
        {"deadlines": {"unanswered_seconds": 0}},
        {"deadlines": {"unanswerd_seconds": 9}},
        {"clocks": {UNIT: "moon"}},
        {"roles": {"psp": "king"}},
        {"practice": {"reopening_statuses": "x", "more": 1}},
    ):
        with pytest.raises(Misconfigured):
            load(built_in(), **wrong)
    assert set(load(built_in()).versions) == {"catalogue", "weights"}


def test_what_the_first_look_remembers_is_bounded():
    """What a hostile source makes us remember of kinds cannot grow for ever, and changes no decision."""
    weights = match_weights.built_in(built_in())
    seen = Sighting("r", 51.76, 18.09, 50, 0, "order.noise", "psp", "", "")
    there = [Candidate(f"i{at}", 51.76 + at / 1000, 18.09, "order.noise/0+0", 0) for at in range(30)]
    found = worth_a_look(weights, seen, there)
    assert 0 < len(found.ids) < 30
    for at in range(REMEMBERED + 100):
        worth_a_look(weights, seen._replace(category=f"odd.{at}"), there[:1])
    assert len(weights.looks) <= REMEMBERED
    assert worth_a_look(weights, seen, there) == found

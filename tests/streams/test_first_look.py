"""The first look leaves out nothing that would have been suggested, whatever became of an incident before."""

import math
import random
from typing import Any

import pytest

from schemas.place import Obtained, Place, Position
from schemas.unit import Observation
from streams import correlate, match_weights
from streams.categories import built_in
from streams.first_look import worth_a_look
from streams.incident_summary import gist, sighting
from tests.streams.incident_log import START, UNIT, Territory, command, incident_of, kinds, place, report

WEIGHTS = match_weights.built_in(built_in())
KINDS = ("traffic.accident", "traffic.collision", "fire.other", "traffic.drunk-driver", "health.injury", "crime.weapon")
WORDS = (None, "biały bus stoi w poprzek drogi", "zderzenie dwóch samochodów jedna osoba ranna")
UNSURE = (10, 100, 101, 200, 900, 4_000)


def lived(dice, spread_m):
    """A territory with a dozen incidents of one to three reports so far apart, some of another kind by now."""
    territory = Territory()
    for at in range(12):
        seconds, east, north = dice.randint(0, 3_600), dice.uniform(-6_000, 6_000), dice.uniform(-6_000, 6_000)
        facts: list[Any] = []
        for order in range(dice.randint(1, 3)):
            where = place(east + dice.gauss(0, spread_m), north + dice.gauss(0, spread_m), dice.choice(UNSURE))
            later = seconds + order * dice.randint(0, 700)
            told = report(
                f"{at}.{order}",
                thread=f"t{at}",
                order=order,
                category=dice.choice(KINDS),
                seconds=later,
                at=where,
                text=dice.choice(WORDS),
                system=dice.choice("ab"),
            )
            facts = territory.put(told)
        if dice.random() < 0.3:
            territory.put(command(f"c{at}", "recategorise", incident_of(facts), category=dice.choice(KINDS)))
    return territory


@pytest.mark.parametrize("spread_m", [0, 300, 1_500])
@pytest.mark.parametrize("seed", range(6))
def test_nothing_that_matches_is_left_out(spread_m, seed):
    """Near the last report or the first, at the edge of the window, vague or sure."""
    dice = random.Random(seed)
    territory = lived(dice, spread_m)
    incidents = [one for key, one in territory.memory.values.items() if key.startswith("i|")]
    listed = [one for key, cell in territory.memory.values.items() if key.startswith("c|") for one in cell]
    suggested = 0
    for _ in range(400):
        near = dice.choice(incidents)
        seen, window = dice.choice(near.sightings), near.window_ms / 1_000
        gap = dice.choice([0, 0, dice.uniform(-600, 600), window - dice.uniform(0, 400), window])
        metres, angle = dice.choice([0, dice.uniform(0, 800), dice.uniform(0, 6_000)]), dice.uniform(0, 2 * math.pi)
        east = (seen.lon - 18.0910) * 68_800 + metres * math.cos(angle)
        north = (seen.lat - 51.7611) * 111_195 + metres * math.sin(angle)
        told = report(
            "asked",
            category=dice.choice((*KINDS, near.summary.category)),
            seconds=seen.at_ms / 1_000 - START.timestamp() + gap,
            at=place(east, north, dice.choice(UNSURE)),
            text=dice.choice(WORDS),
            system=dice.choice("ab"),
        )
        asked = sighting(gist(told), WEIGHTS.shape)
        matches = {
            one.summary.incident_id
            for one in incidents
            if correlate.best(WEIGHTS, asked, frozenset(), [one]) is not None
        }
        suggested += len(matches)
        assert matches <= set(worth_a_look(WEIGHTS, asked, listed).ids)
    assert suggested > 30


def test_news_just_before_the_window_ends_counts():
    """A cell is not written with every report: what it lists may be minutes older than the incident's last word."""
    territory = Territory()
    words = "zderzenie dwóch samochodów, jedna osoba ranna"
    told: dict[str, Any] = {"category": "traffic.accident", "text": words}
    first = incident_of(territory.put(report("one", **told)))
    territory.put(report("one.1", thread="one", order=1, seconds=290, **told))
    assert territory.put(report("two", seconds=45 * 60 + 30, system="psp", **told))[0].incident_id == first


def test_one_that_was_pushed_out_of_a_full_cell_comes_back_with_news():
    """Its next word lists it again."""
    territory = Territory()
    first = incident_of(territory.put(report("one", category="traffic.accident")))
    key = territory.memory.get(f"i|{UNIT}|{first}").cell
    territory.memory.values[key] = ()
    territory.put(report("one.1", thread="one", order=1, seconds=400, category="traffic.accident"))
    assert [one.incident_id for one in territory.memory.get(key)] == [first]


@pytest.mark.parametrize(
    "position",
    [
        Position(lat=51.7611, lon=18.0910, uncertainty_m=1e200, obtained=Obtained.MEASURED),
        Position(lat=0.0, lon=0.0, uncertainty_m=20, obtained=Obtained.MEASURED),
        Position(lat=51.7611, lon=18.0910, uncertainty_m=20_000, obtained=Obtained.MEASURED),
    ],
    ids=["beyond all numbers", "null island", "anywhere in the county"],
)
def test_a_neighbours_point_is_trusted_as_one_of_ours(position):
    """What a far device tells is not better for coming by way of a neighbour."""
    territory = Territory()
    territory.put(report("one", category="traffic.accident"))
    observed = Observation(
        report_id="theirs",
        from_unit="kpp-pleszew",
        to_unit=UNIT,
        category="traffic.accident",
        position=position,
        event_at=START,
    )
    assert territory.put(observed) == []
    assert kinds(territory.put(report("ours", at=Place(position=position)))) == ["IncidentOpened"]

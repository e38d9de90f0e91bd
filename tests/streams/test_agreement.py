"""What two reports tell alike or otherwise: the direction of travel, the road."""

from typing import Any

import pytest

from schemas.errors import Misconfigured
from streams import match_weights
from tests.streams.incident_log import Territory, command, incident_of, place, report
from tests.streams.test_correlate import CATALOGUE, TEXT, WEIGHTS


def test_the_direction_of_travel_counts_where_both_tell_it():
    """The other carriageway is another accident, more likely than not; who tells none says nothing of it."""
    told = "direction:\n  same: 0.39\n  different: -0.52\n"
    assert told in TEXT
    data = TEXT.replace(told, "direction: {same: 1.5, different: -2.0}\n")
    weights = match_weights.load(data, CATALOGUE)
    assert weights.direction_bits("n", "n") == 1.5
    assert weights.direction_bits("n", "s") == -2.0
    assert weights.direction_bits("", "s") == weights.direction_bits("n", "") == 0.0
    with pytest.raises(Misconfigured, match="direction"):
        match_weights.load(TEXT.replace(told, "direction: {same: 0.0, different: 1.0}\n"), CATALOGUE)


def test_the_same_road_counts_where_both_tell_it():
    """Kilometres apart on one motorway is one matter more likely than as far apart in a town; and it is said."""
    told: dict[str, Any] = {"category": "traffic.obstruction", "text": "leży opona na prawym pasie", "seconds": 60}
    bits = {}
    for name, road in (("same", "A2"), ("none", None), ("spelt", "a 2")):
        territory = Territory()
        territory.put(report("first", **{**told, "seconds": 0}, at=place(uncertainty_m=1_500, road="A2")))
        facts = territory.put(report("second", system="psp", **told, at=place(1_200, uncertainty_m=1_500, road=road)))
        suggested = [one.change.suggestion.explanation for one in facts if one.change.kind == "LinkSuggested"]
        linked = [one.change.explanation for one in facts if one.change.kind == "ReportLinked"]
        (why,) = suggested or linked
        bits[name] = {one.feature: one.weight_bits for one in why.evidence}
    assert bits["same"]["road"] == bits["spelt"]["road"] == WEIGHTS.shape.road.same > 0
    assert "road" not in bits["none"]


def test_an_explanation_never_repeats_what_a_caller_said_of_the_way():
    """Road and direction are free text; explanations go to others, and say only whether they are alike."""
    territory = Territory()
    free: dict[str, Any] = {"road": "Jan Kowalski tel 600100200", "direction": "do Kowalskiego 600100200"}
    told: dict[str, Any] = {"category": "traffic.accident", "text": "zderzenie dwóch samochodów", "at": place(**free)}
    territory.put(report("first", **told))
    facts = territory.put(report("second", system="psp", seconds=30, **told))
    (why,) = [one.change.explanation for one in facts if one.change.kind == "ReportLinked"]
    assert {"road": "same", "direction": "same"}.items() <= {one.feature: one.value for one in why.evidence}.items()
    assert "600100200" not in why.model_dump_json()


def test_a_group_stands_for_all_its_kinds():
    """Careful, costly and moving kinds may be named by their group; a kind's own cost goes before its group's."""
    text = TEXT.replace("    crime.weapon: 90\n", "    crime: 5000\n    crime.weapon: 90\n")
    text = text.replace("categories: [person.missing,", "categories: [crime, person.missing,")
    weights = match_weights.load(text, CATALOGUE)
    assert "crime.burglary" in weights.careful
    assert weights.auto_bits("crime.burglary", "order.noise") > WEIGHTS.auto_bits("crime.burglary", "order.noise")
    assert weights.auto_bits("crime.weapon", "order.noise") == WEIGHTS.auto_bits("crime.weapon", "order.noise")


def test_an_incident_that_holds_a_careful_report_is_careful():
    """A weapon in a noisy flat: what a person joined is not diluted by the next call about the noise."""
    territory = Territory()
    noise: dict[str, Any] = {"category": "order.noise", "text": "awantura na trzecim piętrze słychać krzyki"}
    first = incident_of(territory.put(report("first", category="order.noise")))
    second = incident_of(territory.put(report("knife", category="crime.weapon", system="psp", seconds=20)))
    territory.put(command("one", "link", second, target_id=first))
    facts = territory.put(report("next", system="prm", seconds=40, **noise))
    assert [one.change.kind for one in facts] == ["IncidentOpened", "LinkSuggested"]

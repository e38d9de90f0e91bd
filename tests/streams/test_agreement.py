"""What two reports tell alike or otherwise: the direction of travel, the road."""

from typing import Any

import pytest

from schemas.errors import Misconfigured
from streams import match_weights
from tests.streams.incident_log import Territory, place, report
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

"""One report, several incidents: rivals, costs, sources by name, and what a storm changes."""

from typing import Any

import pytest

from streams import match_weights
from streams.categories import built_in
from streams.incidents import processor
from tests.streams.incident_log import Territory, incident_of, place, reference, report
from tests.streams.test_correlate import decision

CATALOGUE = built_in()
TEXT = match_weights.built_in_text()


def test_a_report_that_fits_two_incidents_is_sure_of_neither():
    """It can belong to one of them only: the machine leaves it to a person, and says that another fits as well."""
    alone = Territory()
    alone.put(report("left", at=place(east_m=-150), text="dym z okna na drugim piętrze"))
    told: dict[str, Any] = {"at": place(), "system": "psp", "text": "dym z okna na drugim piętrze", "seconds": 60}
    assert decision(alone.put(report("third", **told))) == "linked"
    both = Territory(processor(reference(weights=with_costs("  false_link: 1.0e+6\n  false_suggestion: 1.0e+5\n"))))
    both.put(report("left", at=place(east_m=-150), text="dym z okna na drugim piętrze"))
    both.put(report("right", at=place(east_m=150), text="dym z okna na drugim piętrze"))
    both.made = processor(reference())
    facts = both.put(report("third", **told))
    assert decision(facts) == "suggested"
    evidence = {one.feature: one for one in facts[1].change.suggestion.explanation.evidence}
    assert evidence["rivals"].value == "1 more fit"
    assert evidence["rivals"].weight_bits < -3


def test_two_incidents_that_may_be_one_are_no_rivals():
    """A person was asked already whether they are one; a third report of it is not held back by that."""
    territory = Territory(processor(reference(weights=with_costs("  false_link: 1.0e+6\n  false_suggestion: 0.7\n"))))
    first = incident_of(territory.put(report("left", at=place(east_m=-50), text="dym z okna na drugim piętrze")))
    facts = territory.put(report("right", at=place(east_m=50), system="psp", text="dym z okna na drugim piętrze"))
    assert facts[1].change.suggestion.target_id == first
    territory.made = processor(reference())
    assert decision(territory.put(report("third", system="prm", text="dym z okna na drugim piętrze"))) == "linked"


def test_a_false_link_costs_more_for_some_kinds():
    """A threshold is the logarithm of what a false link costs; the dearer one of both kinds decides."""
    weights = match_weights.load(with_costs("  false_link: 16\n  false_suggestion: 0.5\n"), CATALOGUE)
    assert weights.auto_bits("order.noise", "order.noise") == 4.0
    assert weights.suggest_bits == -1.0
    dear = match_weights.load(
        with_costs("  false_link: 16\n  false_suggestion: 0.5\n  categories: {crime.weapon: 64}\n"), CATALOGUE
    )
    assert dear.auto_bits("order.noise", "crime.weapon") == dear.auto_bits("crime.weapon", "order.noise") == 6.0


def test_sources_by_name():
    """What was learnt of two named systems goes before what holds for any two; so does one with itself."""
    data = TEXT.replace("source:\n", "source:\n  pairs: {cpr|psp: 2.5, cpr|cpr: -3.0}\n")
    bits = match_weights.load(data, CATALOGUE).source_bits
    assert (bits("cpr", "psp"), bits("psp", "cpr"), bits("cpr", "cpr")) == (2.5, 2.5, -3.0)
    assert (bits("psp", "psp"), bits("cpr", "desk")) == (0.0, 1.0)


def test_in_a_storm_a_neighbour_says_less():
    """Each doubling of what is open around takes its bits, and the explanation says so."""
    weights = TEXT.replace("burst_bits: 0.0", "burst_bits: 0.5")
    bits = []
    for others in (0, 7):
        territory = Territory(processor(reference(weights=weights)))
        for at in range(others):
            territory.put(report(f"x{at}", at=place(east_m=1_500 + 300 * at), category="order.noise", system="desk"))
        territory.put(report("first", at=place(), text="dym z okna na drugim piętrze"))
        facts = territory.put(report("second", at=place(20), system="psp", text="dym z okna na drugim piętrze"))
        (linked,) = [one.change for one in facts if one.change.kind == "ReportLinked"]
        bits.append(linked.explanation.weight_bits)
        burst = [one.value for one in linked.explanation.evidence if one.feature == "burst"]
        assert burst == (["8 open incidents around"] if others else [])
    assert bits[0] - bits[1] == pytest.approx(1.5, abs=0.02)


def with_costs(costs):
    """The built-in weights with other costs."""
    before, _, rest = TEXT.partition("costs:\n")
    return f"{before}costs:\n{costs}search_m:{rest.partition('search_m:')[2]}"

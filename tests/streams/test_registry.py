"""The registry: every processor of the core from an installation's files."""

import pytest

from schemas.errors import Misconfigured
from schemas.topics import PROCESSORS, catalogue
from streams.registry import Files, Told, load, processors


def test_every_processor_of_the_catalogue_is_built():
    """The same processors and inputs as the catalogue of topics, and only topics of the catalogue are written."""
    built = processors(load(told=Told(recipients=("dispatch", "fire"))))
    assert [(one.name, one.input) for one in built] == list(PROCESSORS)
    topics = catalogue(("dispatch", "fire"))
    assert {name for one in built for name in (one.input, one.changelog, *one.outputs)} <= set(topics)


def test_versions_name_everything_that_decides():
    """One digest for each reference data set; the same files give the same, others give others."""
    first = load().versions
    assert {"catalogue", "territory", "urgency", "weights", "routing", "watch"} <= set(first)
    assert load().versions == first
    other = load(Files(territory="units: [{name: a, teryt: [3061]}]"), Told(watch={"down_seconds": 5})).versions
    assert {name for name in first if first[name] != other[name]} == {"territory", "watch"}


@pytest.mark.parametrize(
    "given",
    [
        Files(territory="units: []"),
        Files(routing="version: 2"),
        Files(categories="version: 1"),
        Files(mappings=[("m.yaml", "{version: 1, name: m, codes: {a: no.such}, patterns: []}")]),
        Files(urgency="version: 1"),
        Files(gazetteer={}),
    ],
)
def test_a_wrong_file_stops_the_start(given):
    """Each file is validated before anything starts."""
    with pytest.raises(Misconfigured):
        load(given)


def test_routing_must_fit_the_installation():
    """A rule for a unit or recipient that is not there is a mistake; the built-in example just leaves them out."""
    text = "{version: 1, recipients: {a: {}}, profiles: {}, route: {name: r}}"
    with pytest.raises(Misconfigured, match=r"recipients\.a: is no configured recipient"):
        load(Files(routing=text), Told(recipients=("b",)))
    assert load(told=Told(recipients=())).route.routing.recipients == {}


def test_clocks_of_territories_reach_the_incidents():
    """A unit with clock `records` is one for the incidents processor, too."""
    one = load(Files(territory="units: [{name: a, teryt: [3061]}, {name: fed, clock: records}]"))
    assert one.incidents.clocks == {"fed": "records"}

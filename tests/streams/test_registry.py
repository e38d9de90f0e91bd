"""The registry: every processor of the core."""

from schemas.topics import PROCESSORS, catalogue
from streams import incident_reference
from streams.registry import processors
from streams.route import RouteReference
from streams.routing import Known, built_in
from tests.streams.places import reference


def test_every_processor_of_the_catalogue_is_built():
    """The same processors and inputs as the catalogue of topics, and only topics of the catalogue are written."""
    recipients = ("dispatch", "fire")
    one = reference()
    built = processors(
        one, incident_reference.load(one.catalogue), RouteReference(built_in(Known(recipients=recipients)))
    )
    assert [(each.name, each.input) for each in built] == list(PROCESSORS)
    topics = catalogue(recipients)
    assert {name for each in built for name in (each.input, each.changelog, *each.outputs)} <= set(topics)

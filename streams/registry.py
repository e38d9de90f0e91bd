"""Every processor of the core, in one place."""

from schemas.topics import INTAKE
from streams import incidents, normalise, route, watch
from streams.contract import Processor
from streams.incident_reference import IncidentsReference
from streams.normalise import NormaliseReference
from streams.route import RouteReference
from streams.watch import WatchReference


def processors(
    normalising: NormaliseReference,
    deciding: IncidentsReference,
    routing: RouteReference,
    watching: WatchReference | None = None,
) -> tuple[Processor, ...]:
    """One processor for each of the catalogue's `PROCESSORS`, in that order.

    normalise runs once for each intake topic, so that no emergency waits behind a warning. `ops/reference.py` builds
    the references from the settings and the files that they name.
    """
    return (
        *(normalise.processor(topic, normalising) for topic in INTAKE),
        incidents.processor(deciding),
        route.processor(routing),
        watch.processor(watching or WatchReference()),
    )

"""Every processor of the core, built from the texts of an installation's reference files.

`load` is pure: who calls it has read the files (`ops/roles/streams.py`). `processors` gives one processor per input
topic, in the order of the catalogue's `PROCESSORS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from schemas.report import Mode
from schemas.topics import INTAKE
from streams import (
    categories,
    gazetteer_files,
    incident_reference,
    incidents,
    normalise,
    route,
    routing,
    territory,
    watch,
)
from streams import urgency as urgencies
from streams.categories import Catalogue
from streams.contract import Processor
from streams.gazetteer import Gazetteer
from streams.incident_reference import IncidentsReference
from streams.loading import read_yaml
from streams.normalise import NormaliseReference, SourceRule
from streams.route import RouteReference
from streams.routing import Known, Routing
from streams.territory import Territory
from streams.watch import WatchReference


@dataclass(frozen=True)
class Files:
    """Texts of the reference files that an installation brings; None: the built-in one.

    `mappings` are (file name, text); `gazetteer` the bytes of its files by name (`streams/gazetteer_files.py`).
    """

    territory: str | None = None
    routing: str | None = None
    categories: str | None = None
    mappings: Sequence[tuple[str, str]] | None = None
    urgency: str | None = None
    weights: str | None = None
    gazetteer: Mapping[str, bytes] | None = None


@dataclass(frozen=True)
class Told:
    """What the configuration says besides: mode and name of the installation, sources, recipients, tables of limits.

    `recipients` None: not known, nothing is checked against them.
    """

    mode: Mode = Mode.REAL
    installation: str = ""
    sources: Mapping[str, SourceRule] = field(default_factory=dict)
    recipients: Sequence[str] | None = None
    deadlines: Mapping[str, Any] = field(default_factory=dict)
    practice: Mapping[str, Any] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    watch: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class References:
    """What each processor decides by."""

    normalise: NormaliseReference
    incidents: IncidentsReference
    route: RouteReference
    watch: WatchReference

    @property
    def versions(self) -> dict[str, str]:
        """Digest of every reference data set, by its name."""
        parts = (self.normalise, self.incidents, self.route, self.watch)
        return {name: version for part in parts for name, version in part.versions.items()}


def load(given: Files | None = None, told: Told | None = None) -> References:
    """The references of all processors. Misconfigured names the mistakes of the first file that has any."""
    given, told = given or Files(), told or Told()
    catalogue = load_catalogue(given)
    places = load_territory(given)
    clocks = {unit.name: unit.clock for unit in places.units.values() if unit.clock != "wall"}
    return References(
        normalise=NormaliseReference(
            territory=places,
            catalogue=catalogue,
            urgency=urgencies.built_in() if given.urgency is None else urgencies.load(given.urgency),
            sources=told.sources,
            mode=told.mode,
            installation=told.installation,
        ),
        incidents=incident_reference.load(
            catalogue,
            weights=given.weights,
            deadlines=told.deadlines,
            practice=told.practice,
            clocks=clocks,
            roles=told.roles,
        ),
        route=RouteReference(load_routing(given, catalogue, places, told.recipients), told.mode),
        watch=watch.load(told.watch),
    )


def load_catalogue(given: Files) -> Catalogue:
    """The categories with their mappings; own categories without own mappings stand without any."""
    if given.categories is None and given.mappings is None:
        return categories.built_in()
    if given.categories is None:
        text = (files("schemas") / "catalogue" / "categories.yaml").read_text(encoding="utf-8")
        return categories.load(text, given.mappings or ())
    return categories.load(given.categories, given.mappings or ())


def load_gazetteer(given: Files) -> Gazetteer:
    """The gazetteer: compiled official files, or the small one of Kalisz."""
    return gazetteer_files.built_in() if given.gazetteer is None else gazetteer_files.load(given.gazetteer)


def load_territory(given: Files) -> Territory:
    """The units with their outlines."""
    text = given.territory
    if text is None:
        text = (files("streams") / "defaults" / "territory.yaml").read_text(encoding="utf-8")
    return territory.load(read_yaml(text, "territory.yaml"), load_gazetteer(given))


def load_routing(given: Files, catalogue: Catalogue, places: Territory, recipients: Sequence[str] | None) -> Routing:
    """The routing tree, checked against categories, units and recipients of the installation."""
    known = Known(categories=catalogue.categories, units=places.units, recipients=recipients)
    if given.routing is None:
        return routing.built_in(known)
    return routing.load(read_yaml(given.routing, "routing.yaml"), known)


def processors(references: References) -> tuple[Processor, ...]:
    """Every processor of the core: normalise once per intake topic, so that no emergency waits behind a warning."""
    return (
        *(normalise.processor(topic, references.normalise) for topic in INTAKE),
        incidents.processor(references.incidents),
        route.processor(references.route),
        watch.processor(references.watch),
    )

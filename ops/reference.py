"""Reference data of an installation, built from its settings and the files they name: what the processors decide by.

`references` reads everything once and names the mistakes of all files together; `sztab check` calls it too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ops.settings import Instance, Settings
from schemas.errors import Code, Misconfigured
from streams import categories, gazetteer_files, incident_reference, registry, routing, territory, urgency
from streams.categories import Catalogue
from streams.contract import Processor
from streams.gazetteer import Gazetteer
from streams.incident_reference import IncidentsReference
from streams.lifecycle import OFFICER, PARTNER, RECONCILER, SYSTEM
from streams.loading import read_yaml
from streams.normalise import NormaliseReference, SourceRule
from streams.route import RouteReference
from streams.routing import Known, Routing
from streams.territory import Territory
from streams.urgency import UrgencyRules
from streams.watch import WatchReference

T = TypeVar("T")


@dataclass(frozen=True)
class References:
    """What each processor is given."""

    normalise: NormaliseReference
    incidents: IncidentsReference
    route: RouteReference
    watch: WatchReference

    @property
    def versions(self) -> dict[str, str]:
        """Digest of each reference data set."""
        return {**self.normalise.versions, **self.incidents.versions, **self.route.versions, **self.watch.versions}


def references(settings: Settings) -> References:
    """All of them. Misconfigured names every mistake of every file."""
    mistakes: list[str] = []
    catalogue = _tried(mistakes, lambda: catalogue_of(settings)) or categories.built_in()
    gazetteer = _tried(mistakes, lambda: gazetteer_of(settings)) or gazetteer_files.built_in()
    rules = _tried(mistakes, lambda: urgency_of(settings))
    places = _tried(mistakes, lambda: territory_of(settings, gazetteer))
    tree = _tried(mistakes, lambda: routing_of(settings, catalogue, places))
    deciding = _tried(mistakes, lambda: incidents_of(settings, catalogue, places))
    if mistakes or rules is None or places is None or tree is None or deciding is None:
        raise Misconfigured(Code.CONFIGURATION_INVALID, "\n  ".join(["reference data:", *mistakes]))
    return References(
        NormaliseReference(
            territory=places,
            catalogue=catalogue,
            urgency=rules,
            sources={one.name: _source_rule(one) for one in settings.sources},
            mode=settings.installation.mode,
            installation=settings.installation.name,
        ),
        deciding,
        RouteReference(routing=tree, mode=settings.installation.mode),
        WatchReference(settings.watch),
    )


def processors(found: References) -> tuple[Processor, ...]:
    """The processors of the core with what they decide by."""
    return registry.processors(found.normalise, found.incidents, found.route, found.watch)


def catalogue_of(settings: Settings) -> Catalogue:
    """Categories and mappings: the configured files, each replaced by the built-in one where none is named."""
    part = settings.catalogue
    if part.file is None and part.mappings_dir is None:
        return categories.built_in()
    built_in = Path(categories.__file__).parent.parent / "schemas" / "catalogue"
    folder = part.mappings_dir or built_in / "mappings"
    file = part.file or built_in / "categories.yaml"
    if not folder.is_dir():
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"catalogue.mappings_dir: no folder {folder}")
    mappings = [(one.name, _text(one, "catalogue.mappings_dir")) for one in sorted(folder.glob("*.yaml"))]
    return categories.load(_text(file, "catalogue.file"), mappings, str(file))


def urgency_of(settings: Settings) -> UrgencyRules:
    """Rules of urgency."""
    file = settings.catalogue.urgency_file
    return urgency.load(_text(file, "catalogue.urgency_file"), str(file)) if file else urgency.built_in()


def gazetteer_of(settings: Settings) -> Gazetteer:
    """Names of places and outlines."""
    folder = settings.gazetteer.dir
    if folder is None:
        return gazetteer_files.built_in()
    if not folder.is_dir():
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"gazetteer.dir: no folder {folder}")
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.name in gazetteer_files.FILES}
    return gazetteer_files.load(files)


def territory_of(settings: Settings, gazetteer: Gazetteer) -> Territory:
    """Units and their places."""
    file = settings.territory.file or Path(territory.__file__).parent / "defaults" / "territory.yaml"
    return territory.load(read_yaml(_text(file, "territory.file"), str(file)), gazetteer, str(file))


def routing_of(settings: Settings, catalogue: Catalogue, places: Territory | None) -> Routing:
    """The routing tree; it may name only what is configured."""
    known = Known(
        categories=catalogue.categories,
        units=places.units if places is not None else None,
        recipients=[one.name for one in settings.recipients],
    )
    file = settings.routing.file
    return (
        routing.load(read_yaml(_text(file, "routing.file"), str(file)), known, str(file))
        if file
        else routing.built_in(known)
    )


def incidents_of(settings: Settings, catalogue: Catalogue, places: Territory | None) -> IncidentsReference:
    """Weights, deadlines, clocks, and who acts as what."""
    file = settings.correlation.file
    units = places.units if places is not None else {}
    return incident_reference.load(
        catalogue,
        weights=_text(file, "correlation.file") if file else None,
        deadlines=settings.deadlines.model_dump(),
        practice=settings.practice.model_dump(),
        # `wall` too: otherwise a territory's first report sets its clock, and fed history must not set a real one's.
        clocks={name: unit.clock for name, unit in units.items()},
        roles=_roles(settings),
    )


def _roles(settings: Settings) -> Mapping[str, str]:
    """Far systems act as partners, accounts with the role officer as officers.

    Every other account as the system, which may only ask for a delivery again: an actor without a role here would be
    taken for an officer.
    """
    partners = {
        name for one in settings.sources for name in (one.name, getattr(one.settings, "far_system", "")) if name
    }
    accounts = {one.name: OFFICER if OFFICER in one.roles else SYSTEM for one in settings.accounts}
    return {**dict.fromkeys(partners, PARTNER), **accounts, RECONCILER: SYSTEM}


def _source_rule(one: Instance) -> SourceRule:
    """The mapping of a source's codes bears its connector's name, or the one its settings give as `codes` (file); which
    event times are plausible, its settings say.
    """
    usual = SourceRule()
    return SourceRule(
        mapping=getattr(one.settings, "codes", one.connector.name),
        past_seconds=getattr(one.settings, "event_past_seconds", usual.past_seconds),
        future_seconds=getattr(one.settings, "event_future_seconds", usual.future_seconds),
    )


def _text(file: Path, setting: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"{setting}: {file}: {why}") from None


def _tried(mistakes: list[str], load: Callable[[], T]) -> T | None:
    try:
        return load()
    except Misconfigured as error:
        mistakes += error.detail.split("; ")
        return None

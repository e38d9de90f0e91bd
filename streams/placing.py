"""Unit and point of a report, from whatever it gives: coordinates, address, road and kilometre, locality, cell, codes.

Pure. Whatever is missing or odd becomes a finding; nothing is refused here, and every report gets a unit.
"""

from typing import Final, NamedTuple

from schemas.finding import Finding, FindingCode
from schemas.place import Obtained, Place, Position
from schemas.report import Telling
from streams.gazetteer import Found, Gazetteer
from streams.territory import Located, Territory

CELL_UNCERTAINTY_M: Final = 1_000.0
"""Least uncertainty of a call's network termination."""
_ROUGH: Final = (Obtained.CELL, Obtained.TERRITORY)
_NOWHERE: Final = Located(None, None, near_border=False, near=())


class Placed(NamedTuple):
    """A report's unit, its place with the best position found, the units that may have it as well, and oddities."""

    unit: str
    place: Place
    near: tuple[str, ...]
    findings: tuple[Finding, ...]


def place_report(told: Telling, territory: Territory, remembered: str | None) -> Placed:
    """Where a report belongs.

    The unit is, in this order: the one that the source fixes, the one that has the thread's first report
    (`remembered`), the outline that holds the point, the TERYT code, a unique name, the phone cell, the default unit.
    """
    if told.unit is not None and not _outlined(told.unit, territory):
        return Placed(told.unit, told.place, (), _unconfigured(told.unit, territory))
    findings: list[Finding] = []
    position = _told_position(told.place.position, territory.gazetteer, findings)
    found = None if position and position.obtained not in _ROUGH else territory.gazetteer.find(told.place)
    position = _better(position, found)
    from_cell = position is None
    if position is None:
        position = _cell(told.caller_network)
    located = _located(position, territory)
    place = _filled(told.place, position, found, located)
    unit = _unit(told, remembered, territory, found, located, findings, from_cell=from_cell)
    if located.near_border:
        findings.append(_finding(FindingCode.NEAR_BORDER, "/told/place", "within the outline's error of the border"))
    if position is None:
        findings.append(_finding(FindingCode.PLACE_UNKNOWN, "/told/place", "no point could be found for the place"))
    others = {*located.near, *filter(None, [located.unit])} - {unit} if located.near_border else set()
    return Placed(unit, place, tuple(sorted(others)), tuple(findings))


def _outlined(unit: str, territory: Territory) -> bool:
    """Whether the unit is one of ours with codes: then its reports are placed like any other."""
    known = territory.units.get(unit)
    return known is not None and bool(known.teryt)


def _unconfigured(unit: str, territory: Territory) -> tuple[Finding, ...]:
    if unit in territory.units:
        return ()
    return (_finding(FindingCode.TERRITORY_ASSUMED, "/told/unit", "the source's unit is not in the configuration"),)


def _told_position(position: Position | None, gazetteer: Gazetteer, findings: list[Finding]) -> Position | None:
    """The told point, put right when its coordinates are swapped; None when it lies outside the country."""
    if position is None or gazetteer.in_country(position.lat, position.lon):
        return position
    if gazetteer.in_country(position.lon, position.lat):
        findings.append(_finding(FindingCode.COORDINATES_SWAPPED, "/told/place/position", "put right"))
        return position.model_copy(update={"lat": position.lon, "lon": position.lat})
    findings.append(_finding(FindingCode.COORDINATES_OUTSIDE, "/told/place/position", "not used for the unit"))
    return None


def _better(position: Position | None, found: Found | None) -> Position | None:
    """The surer of the told point and the one that was looked up."""
    if found is None:
        return position
    _, _, _, lat, lon, radius_m = found.spot
    if lat is None or lon is None or (position is not None and position.uncertainty_m <= radius_m):
        return position
    return Position(lat=lat, lon=lon, uncertainty_m=radius_m, obtained=found.obtained)


def _cell(network: Place | None) -> Position | None:
    if network is None or network.position is None:
        return None
    uncertainty_m = max(network.position.uncertainty_m, CELL_UNCERTAINTY_M)
    return network.position.model_copy(update={"uncertainty_m": uncertainty_m, "obtained": Obtained.CELL})


def _located(position: Position | None, territory: Territory) -> Located:
    if position is None:
        return _NOWHERE
    return territory.at(position.lat, position.lon, position.uncertainty_m)


def _filled(told: Place, position: Position | None, found: Found | None, located: Located) -> Place:
    """The told place with what was found added; what was told is never replaced but by a better point."""
    teryt = told.teryt or (found.spot.teryt if found else None) or located.teryt
    simc = told.simc or (found.spot.simc if found else None)
    best = position if position is not None else told.position
    if (teryt, simc, best) == (told.teryt, told.simc, told.position):
        return told
    return told.model_copy(update={"teryt": teryt or None, "simc": simc, "position": best})


def _unit(
    told: Telling,
    remembered: str | None,
    territory: Territory,
    found: Found | None,
    located: Located,
    findings: list[Finding],
    *,
    from_cell: bool,
) -> str:
    if told.unit is not None:
        return told.unit
    by_code = territory.unit_of(told.place.teryt)
    by_point = None if from_cell or (located.near_border and by_code) else located.unit
    by_name = territory.unit_of(found.spot.teryt) if found else None
    unit = by_point or by_code or by_name
    if remembered is not None:
        if unit not in {None, remembered}:
            findings.append(_assumed("the thread's first report decided; this one lies elsewhere"))
        return remembered
    if unit is None:
        unit = located.unit or territory.default
        findings.append(_assumed("no point, code or name says whose it is"))
    elif by_code is None and found is not None and not found.sure and located.unit in {None, by_name}:
        findings.append(_assumed("by a name alone, and names repeat"))
    return unit


def _assumed(detail: str) -> Finding:
    return _finding(FindingCode.TERRITORY_ASSUMED, "/told/place", detail)


def _finding(code: FindingCode, at: str, detail: str) -> Finding:
    return Finding(code=code, at=at, detail=detail)

"""A place as forms give it: address parts, road and kilometre, coordinates with their usual mistakes."""

from typing import Final

from connectors.kits.form import Form
from schemas.finding import Finding, FindingCode
from schemas.place import Obtained, Place, Position

POLAND: Final = (49.0, 55.0, 14.0, 24.2)
"""Least and most latitude, least and most longitude."""
UNKNOWN_M: Final = 100.0
"""Uncertainty of typed coordinates that come without one."""


def place(form: Form | None, obtained: Obtained = Obtained.TYPED) -> Place:
    """The place that a form's object tells; an empty one for None."""
    if form is None:
        return Place()
    told = form.text("obtained")
    how = Obtained(told) if told in set(Obtained) else obtained
    lat, lon = form.number("lat"), form.number("lon")
    radius = form.number("uncertainty_m", 0)
    return Place(
        position=position(lat, lon, UNKNOWN_M if radius is None else radius, how, form.findings, form.at),
        teryt=form.text("teryt"),
        simc=form.text("simc"),
        voivodeship=form.text("voivodeship"),
        powiat=form.text("powiat"),
        gmina=form.text("gmina"),
        locality=form.text("locality"),
        hamlet=form.text("hamlet"),
        street=form.text("street"),
        building=form.text("building"),
        flat=form.text("flat"),
        storey=form.text("storey"),
        object_name=form.text("object_name"),
        road=form.text("road"),
        road_km=form.number("road_km", 0, 2_000),
        text=form.text("text"),
    )


def position(
    lat: float | None, lon: float | None, uncertainty_m: float, how: Obtained, findings: list[Finding], at: str
) -> Position | None:
    """A point in Poland; swapped numbers are put right, others stay as told. Findings say what was odd.

    None, with a finding, for what is no point at all: half a pair, (0, 0), numbers outside the globe.
    """
    if lat is None and lon is None:
        return None
    if lat is None or lon is None or (lat, lon) == (0, 0):
        findings.append(Finding(code=FindingCode.COORDINATES_INVALID, at=at, detail="not a point"))
        return None
    if not _inside(lat, lon) and _inside(lon, lat):
        detail = "latitude and longitude were exchanged; put right"
        findings.append(Finding(code=FindingCode.COORDINATES_SWAPPED, at=at, detail=detail))
        lat, lon = lon, lat
    elif not (-90 <= lat <= 90 and -180 <= lon <= 180):
        findings.append(Finding(code=FindingCode.COORDINATES_INVALID, at=at, detail="not a point on the globe"))
        return None
    elif not _inside(lat, lon):
        findings.append(Finding(code=FindingCode.COORDINATES_OUTSIDE, at=at, detail="outside Poland"))
    return Position(lat=lat, lon=lon, uncertainty_m=uncertainty_m, obtained=how)


def _inside(lat: float, lon: float) -> bool:
    south, north, west, east = POLAND
    return south <= lat <= north and west <= lon <= east

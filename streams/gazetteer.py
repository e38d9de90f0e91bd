"""Where things are: administrative units, outlines, localities, streets, road kilometres, as immutable reference data.

Built by `streams/gazetteer_files.py`. Lookups are by name or point, and pure; `version` names the content.
Names repeat in Poland: a lookup says whether the place was confirmed by more than a name.
"""

import math
import unicodedata
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import shapely

from schemas.place import Obtained, Place

EARTH_RADIUS_M = 6_371_008.8
ROAD_UNCERTAINTY_M = 300.0
"""A kilometre post told over the phone: plus or minus a few hundred metres."""
_PREFIXES = ("ul", "ulica", "al", "aleja", "aleje", "os", "osiedle", "pl", "plac", "m", "gm", "gmina", "powiat", "pow")


class Spot(NamedTuple):
    """A named place. `lat` and `lon` are None where a register gives no coordinates; `radius_m` holds most of it."""

    name: str
    teryt: str
    simc: str | None
    lat: float | None
    lon: float | None
    radius_m: float


class Area(NamedTuple):
    """An outline in the gazetteer's plane (metres); the true border lies within `error_m` of it."""

    teryt: str
    name: str
    error_m: float
    shape: Any


class Found(NamedTuple):
    """What a description of a place led to; `sure` when more than a bare name spoke for it."""

    spot: Spot
    obtained: Obtained
    sure: bool


@dataclass(frozen=True)
class Gazetteer:
    """Everything known about places. `box` is (west, south, east, north) of the country, in degrees.

    `units` by TERYT code, a gmina also by its first six digits; `names` by (gmina, powiat), plain, either of them empty
    when unique without; `streets` by (locality, street); `roads` as (kilometre, latitude, longitude), rising.
    """

    name: str
    version: str
    box: tuple[float, float, float, float]
    areas: tuple[Area, ...]
    units: Mapping[str, Spot] = field(repr=False)
    names: Mapping[tuple[str, str], str] = field(repr=False)
    localities: Mapping[str, tuple[Spot, ...]] = field(repr=False)
    streets: Mapping[tuple[str, str], tuple[Spot, ...]] = field(repr=False)
    roads: Mapping[str, tuple[tuple[float, float, float], ...]] = field(repr=False)
    simc: Mapping[str, Spot] = field(repr=False)
    origin: tuple[float, float]

    def plane(self, lat: float, lon: float) -> tuple[float, float]:
        """Metres east and north of the gazetteer's middle (equirectangular: within 1 in 1,000 for a voivodeship)."""
        return to_plane(self.origin, lat, lon)

    def in_country(self, lat: float, lon: float) -> bool:
        """Whether a point lies within the country's box."""
        west, south, east, north = self.box
        return south <= lat <= north and west <= lon <= east

    def area_at(self, x: float, y: float) -> Area | None:
        """The first area that holds a point of the plane."""
        return next((area for area in self.areas if shapely.contains_xy(area.shape, x, y)), None)

    def find(self, place: Place) -> Found | None:
        """The best spot for a place told in words or codes; None when nothing fits or the name stands for several.

        From the surest to the least: SIMC code, street in its locality, road and kilometre, locality, gmina, powiat.
        """
        if place.simc and (spot := self.simc.get(place.simc)):
            return self._street(place, spot.name, spot.teryt) or Found(spot, Obtained.LOCALITY, sure=True)
        return (
            self._street(place, place.locality or self._unit_name(place), place.teryt)
            or self._road(place)
            or self._locality(place)
            or self._unit(place)
        )

    def _unit_name(self, place: Place) -> str:
        """The name of the gmina or powiat that was told by code: a street in it may be told without the town."""
        spot = self.units.get(place.teryt or "")
        return spot.name if spot else ""

    def _street(self, place: Place, locality: str, teryt: str | None) -> Found | None:
        if not place.street:
            return None
        spots = self.streets.get((plain(locality), plain(place.street)), ())
        spot = _only(spots, teryt)
        return None if spot is None else Found(spot, Obtained.ADDRESS, sure=True)

    def _road(self, place: Place) -> Found | None:
        if not place.road or place.road_km is None:
            return None
        point = _along(self.roads.get(plain(place.road), ()), place.road_km)
        if point is None:
            return None
        area = self.area_at(*self.plane(*point))
        code = area.teryt if area else (place.teryt or "")
        return Found(Spot(place.road, code, None, *point, ROAD_UNCERTAINTY_M), Obtained.ROAD, sure=True)

    def _locality(self, place: Place) -> Found | None:
        if not place.locality:
            return None
        within = place.teryt or self._told_unit(place)
        spots = self.localities.get(plain(place.locality), ())
        spot = _only(spots, within)
        return None if spot is None else Found(spot, Obtained.LOCALITY, sure=within is not None)

    def _unit(self, place: Place) -> Found | None:
        code = place.teryt or self._told_unit(place)
        spot = (self.units.get(code) or self.units.get(code[:6])) if code else None
        return None if spot is None else Found(spot, Obtained.TERRITORY, sure=True)

    def _told_unit(self, place: Place) -> str | None:
        """The code of the gmina or powiat that was told by name, when exactly one is meant."""
        if not place.gmina and not place.powiat:
            return None
        return self.names.get((plain(place.gmina or ""), plain(place.powiat or "")))


def _only(spots: Sequence[Spot], within: str | None) -> Spot | None:
    """The one spot that fits; a code told beside the name rules out the others.

    The seventh digit is the kind (town or rural part of one gmina): registers and sources differ in it.
    """
    code = (within or "")[:6]
    fitting = [spot for spot in spots if spot.teryt.startswith(code) or code.startswith(spot.teryt)]
    return fitting[0] if len(fitting) == 1 else None


def _along(posts: Sequence[tuple[float, float, float]], km: float) -> tuple[float, float] | None:
    """The point at a kilometre between two known posts; None outside them."""
    if len(posts) < 2 or not posts[0][0] <= km <= posts[-1][0]:
        return None
    after = max(1, bisect_left(posts, km, key=lambda post: post[0]))
    (km0, lat0, lon0), (km1, lat1, lon1) = posts[after - 1], posts[after]
    share = (km - km0) / (km1 - km0)
    return round(lat0 + share * (lat1 - lat0), 6), round(lon0 + share * (lon1 - lon0), 6)


@lru_cache(maxsize=16_384)
def plain(name: str) -> str:
    """A name as it is compared: without case, marks over letters, abbreviations of street or unit, double spaces."""
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ł", "l"))
    kept = "".join(" " if c in ".,-/" else c for c in letters if not unicodedata.combining(c))
    words = kept.split()
    while len(words) > 1 and words[0] in _PREFIXES:
        words = words[1:]
    return " ".join(words)


def to_plane(origin: tuple[float, float], lat: float, lon: float) -> tuple[float, float]:
    """Metres east and north of `origin` (latitude, longitude)."""
    x = math.radians(lon - origin[1]) * EARTH_RADIUS_M * math.cos(math.radians(origin[0]))
    return x, math.radians(lat - origin[0]) * EARTH_RADIUS_M

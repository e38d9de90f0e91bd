"""A gazetteer from a folder of files, and back: the built-in one, or what `sztab gazetteer load` compiled.

Files: `about.yaml`, `areas.geojson`, and tables with a header line: `units.csv`, `localities.csv`, `streets.csv`,
`roads.csv`. Codes are text: leading zeros matter. Every mistake of every file is named at once.
"""

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Annotated, Any, Final, Literal

import orjson
import shapely
from pydantic import BaseModel, Field, ValidationError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from streams.gazetteer import Area, Gazetteer, Spot, plain, to_plane
from streams.loading import Shape, checked, read_yaml, refused

COLUMNS: Final = {
    "units.csv": ("teryt", "name", "kind", "lat", "lon", "radius_m"),
    "localities.csv": ("simc", "name", "teryt", "lat", "lon", "radius_m"),
    "streets.csv": ("locality", "teryt", "name", "lat", "lon", "radius_m"),
    "roads.csv": ("road", "km", "lat", "lon"),
}
"""Header lines of the tables."""
FILES: Final = ("about.yaml", "areas.geojson", "units.csv", "localities.csv", "streets.csv", "roads.csv")
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Teryt = Annotated[str, Field(pattern=r"^(\d{2}|\d{4}|\d{6}|\d{7})$")]


class AboutShape(Shape):
    """`about.yaml`: where the data come from and how the country lies."""

    version: Literal[1]
    name: str
    valid_from: Any
    country_box: tuple[Longitude, Latitude, Longitude, Latitude]


class SpotShape(Shape):
    """A row of `units.csv`, `localities.csv` or `streets.csv`; empty cells are absent."""

    teryt: Teryt
    name: Annotated[str, Field(min_length=1)]
    simc: Annotated[str | None, Field(pattern=r"^\d{7}$")] = None
    locality: str | None = None
    kind: str | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    radius_m: Annotated[float | None, Field(gt=0)] = None


class PostShape(Shape):
    """A row of `roads.csv`: where a kilometre of a road is."""

    road: Annotated[str, Field(min_length=1)]
    km: Annotated[float, Field(ge=0)]
    lat: Latitude
    lon: Longitude


class OutlineShape(Shape):
    """The properties of a feature of `areas.geojson`."""

    teryt: Teryt
    name: str
    error_m: Annotated[float, Field(ge=0)]


def built_in() -> Gazetteer:
    """The small gazetteer of Kalisz and its county."""
    folder = files("streams") / "gazetteer_data" / "kalisz"
    return load({name: (folder / name).read_bytes() for name in FILES})


def load(contents: Mapping[str, bytes]) -> Gazetteer:
    """A gazetteer from the bytes of its files, by file name. Misconfigured names all mistakes of all files."""
    mistakes = [f"{name}: is missing" for name in FILES if name not in contents]
    if mistakes:
        raise refused(mistakes)
    about_text = contents["about.yaml"].decode(errors="replace")
    about = checked(AboutShape, read_yaml(about_text, "about.yaml"), "about.yaml")
    tables = {name: _rows(SpotShape, name, contents[name], mistakes) for name in FILES[2:5]}
    posts = _rows(PostShape, "roads.csv", contents["roads.csv"], mistakes)
    outlines = read_outlines("areas.geojson", contents["areas.geojson"], mistakes)
    if mistakes:
        raise refused(mistakes)
    return _built(about, tables, posts, outlines, _digest(contents))


def read_outlines(name: str, raw: bytes, mistakes: list[str]) -> list[tuple[OutlineShape, BaseGeometry]]:
    """The outlines of a GeoJSON feature collection in degrees; what is wrong with any of them goes to `mistakes`."""
    try:
        collection = orjson.loads(raw)
        features = collection["features"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        mistakes.append(f"{name}: not a GeoJSON feature collection")
        return []
    found = []
    for number, feature in enumerate(features):
        at = f"{name}: features.{number}"
        try:
            properties = OutlineShape.model_validate(feature.get("properties") or {})
            found.append((properties, geometry(feature.get("geometry"))))
        except ValidationError as error:
            mistakes += _told(at, error)
        except (ValueError, AttributeError) as error:
            mistakes.append(f"{at}: {error}")
    return found


def geometry(data: Any) -> BaseGeometry:
    """A polygon or multipolygon in degrees; ValueError says what is wrong with it (RFC 7946)."""
    if not isinstance(data, dict) or data.get("type") not in {"Polygon", "MultiPolygon"}:
        raise ValueError("the geometry is no Polygon or MultiPolygon")
    try:
        outline = shape(data)
    except (shapely.errors.ShapelyError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise ValueError(f"the geometry cannot be read: {type(error).__name__}") from None
    if outline.is_empty:
        raise ValueError("the geometry is empty")
    west, south, east, north = outline.bounds
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError("a coordinate is no longitude and latitude in degrees")
    if not outline.is_valid:
        raise ValueError(f"the outline is not valid: {shapely.is_valid_reason(outline).split('[')[0]}")
    return outline


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """The bytes of a table file; None becomes an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _rows(model: type[BaseModel], name: str, raw: bytes, mistakes: list[str]) -> list[Any]:
    try:
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error):
        mistakes.append(f"{name}: not a UTF-8 table")
        return []
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(model.model_validate({key: value for key, value in row.items() if value}))
        except ValidationError as error:
            mistakes += _told(f"{name}: line {number}", error)
    return found


def _told(at: str, error: ValidationError) -> list[str]:
    found = error.errors(include_url=False, include_input=False)
    return [f"{at}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]


def _digest(contents: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in FILES:
        whole.update(hashlib.sha256(contents[name]).digest())
    return whole.hexdigest()[:16]


def _built(
    about: AboutShape,
    tables: Mapping[str, list[SpotShape]],
    posts: list[PostShape],
    outlines: list[tuple[OutlineShape, BaseGeometry]],
    version: str,
) -> Gazetteer:
    origin = _middle(about, outlines)
    units = {row.teryt: _spot(row, 20_000.0) for row in tables["units.csv"]}
    units |= {code[:6]: spot for code, spot in units.items() if len(code) == 7}
    localities: dict[str, list[Spot]] = defaultdict(list)
    for row in tables["localities.csv"]:
        localities[plain(row.name)].append(_located(_spot(row, 3_000.0), units))
    streets: dict[tuple[str, str], list[Spot]] = defaultdict(list)
    for row in tables["streets.csv"]:
        streets[plain(row.locality or ""), plain(row.name)].append(_spot(row, 1_000.0))
    roads: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for post in posts:
        roads[plain(post.road)].append((post.km, post.lat, post.lon))
    return Gazetteer(
        name=about.name,
        version=version,
        box=about.country_box,
        areas=tuple(_area(one, outline, origin) for one, outline in outlines),
        units=units,
        names=_names(units),
        localities={name: tuple(spots) for name, spots in localities.items()},
        streets={name: tuple(spots) for name, spots in streets.items()},
        roads={name: tuple(sorted(found)) for name, found in roads.items()},
        simc={spot.simc: spot for spots in localities.values() for spot in spots if spot.simc},
        origin=origin,
    )


def _spot(row: SpotShape, radius_m: float) -> Spot:
    return Spot(row.name, row.teryt, row.simc, row.lat, row.lon, row.radius_m or radius_m)


def _located(spot: Spot, units: Mapping[str, Spot]) -> Spot:
    """A locality without coordinates stands in the middle of its gmina or powiat, as uncertain as these are large."""
    if spot.lat is not None:
        return spot
    for code in (spot.teryt, spot.teryt[:6], spot.teryt[:4]):
        around = units.get(code)
        if around is not None and around.lat is not None:
            return spot._replace(lat=around.lat, lon=around.lon, radius_m=around.radius_m)
    return spot


def _area(one: OutlineShape, outline: BaseGeometry, origin: tuple[float, float]) -> Area:
    flat = shapely.transform(outline, lambda points: [to_plane(origin, lat, lon) for lon, lat in points])
    shapely.prepare(flat)
    return Area(one.teryt, one.name, one.error_m, flat)


def _middle(about: AboutShape, outlines: list[tuple[OutlineShape, BaseGeometry]]) -> tuple[float, float]:
    if not outlines:
        west, south, east, north = about.country_box
        return (south + north) / 2, (west + east) / 2
    west, south, east, north = shapely.total_bounds([outline for _, outline in outlines])
    return float((south + north) / 2), float((west + east) / 2)


def _names(units: Mapping[str, Spot]) -> dict[tuple[str, str], str]:
    """(gmina, powiat) as plain names -> code; with one of them empty only where a single unit is meant."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for code, spot in units.items():
        if len(code) == 4:
            found["", plain(spot.name)].append(code)
        elif len(code) == 7:
            found[plain(spot.name), ""].append(code)
            if powiat := units.get(code[:4]):
                found[plain(spot.name), plain(powiat.name)].append(code)
    return {name: codes[0] for name, codes in found.items() if len(codes) == 1}

"""Compile official registers into a gazetteer's folder: TERYT TERC and SIMC tables, boundaries as GeoJSON.

Pure but for `write`. TERYT: statistical office, eteryt.stat.gov.pl, tables with `;` and a header line. TERC gives units
(WOJ, POW, GMI, RODZ, NAZWA), SIMC localities (..., SYM, SYMPOD); neither has coordinates, so points come from the
outlines. Every mistake of every file is named at once.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import yaml
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from streams import gazetteer_files
from streams.gazetteer import Gazetteer, plain
from streams.gazetteer_files import COLUMNS, geometry, table
from streams.loading import refused

TERC: Final = ("WOJ", "POW", "GMI", "RODZ", "NAZWA")
SIMC: Final = ("WOJ", "POW", "GMI", "RODZ_GMI", "NAZWA", "SYM", "SYMPOD")
PART_KINDS: Final = ("4", "5")
"""Town and rural area inside an urban-rural gmina: localities there belong to the whole gmina, kind 3."""
CODE_NAMES: Final = ("teryt", "JPT_KOD_JE", "kod", "code")
TITLE_NAMES: Final = ("name", "nazwa", "JPT_NAZWA_")
COUNTRY_BOX: Final = [14.0, 48.9, 24.3, 55.0]
_METRES_PER_DEGREE: Final = 111_195.0


@dataclass(frozen=True)
class Official:
    """Raw files by name. `error_m`: how far the boundaries may be off; streets and roads in our own tables."""

    terc: tuple[str, bytes]
    simc: tuple[str, bytes] | None
    boundaries: Sequence[tuple[str, bytes]]
    error_m: float
    streets: bytes | None = None
    roads: bytes | None = None


def compiled(official: Official, name: str, valid_from: str) -> dict[str, bytes]:
    """The files of a gazetteer's folder. Misconfigured names every mistake of every file."""
    mistakes: list[str] = []
    units = _units(official.terc, mistakes)
    outlines = [one for file in official.boundaries for one in _outlines(file, units, mistakes)]
    localities = _localities(official.simc, units, mistakes) if official.simc else []
    mistakes += _doubles([code for code, _, _ in outlines])
    if mistakes:
        raise refused(mistakes)
    about = {"version": 1, "name": name, "valid_from": valid_from, "country_box": COUNTRY_BOX}
    points = {code: _point(outline) for code, _, outline in outlines}
    files = {
        "about.yaml": yaml.safe_dump(about, sort_keys=False).encode(),
        "areas.geojson": _collection(outlines, official.error_m),
        "units.csv": table(COLUMNS["units.csv"], [(*row, *_found(row[0], points)) for row in units.values()]),
        "localities.csv": table(COLUMNS["localities.csv"], localities),
        "streets.csv": official.streets or table(COLUMNS["streets.csv"], []),
        "roads.csv": official.roads or table(COLUMNS["roads.csv"], []),
    }
    gazetteer_files.load(files)
    return files


def write(files: Mapping[str, bytes], folder: Path) -> Gazetteer:
    """Write the folder and read it back: what comes back is what an installation will use."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    return gazetteer_files.load({name: (folder / name).read_bytes() for name in gazetteer_files.FILES})


def _rows(file: tuple[str, bytes], columns: Sequence[str], mistakes: list[str]) -> list[tuple[int, dict[str, str]]]:
    name, raw = file
    try:
        reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";")
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
    except (UnicodeDecodeError, csv.Error):
        mistakes.append(f"{name}: not a UTF-8 table")
        return []
    if missing:
        mistakes.append(f"{name}: no column {', '.join(missing)}; wanted {';'.join(columns)}")
        return []
    return [(number, row) for number, row in enumerate(reader, start=2) if any(row.values())]


def _units(file: tuple[str, bytes], mistakes: list[str]) -> dict[str, tuple[str, str, str]]:
    """Code -> code, name, kind, without the parts of urban-rural gminas."""
    found: dict[str, tuple[str, str, str]] = {}
    kinds = {2: "voivodeship", 4: "powiat", 7: "gmina"}
    for number, row in _rows(file, TERC, mistakes):
        code = "".join((row[column] or "").strip() for column in TERC[:4])
        if not code.isascii() or not code.isdigit() or len(code) not in kinds:
            mistakes.append(f"{file[0]}: line {number}: WOJ, POW, GMI, RODZ make no TERYT code")
        elif not (row["NAZWA"] or "").strip():
            mistakes.append(f"{file[0]}: line {number}: NAZWA is empty")
        elif len(code) != 7 or code[6] not in PART_KINDS:
            found[code] = (code, row["NAZWA"].strip(), kinds[len(code)])
    return found


def _localities(
    file: tuple[str, bytes], units: Mapping[str, tuple[str, str, str]], mistakes: list[str]
) -> list[tuple[Any, ...]]:
    """Rows of `localities.csv`. A part of a locality is left out where its gmina has a locality of that name."""
    gminas = {code[:6]: code for code in units if len(code) == 7}
    rows = []
    for number, row in _rows(file, SIMC, mistakes):
        code = "".join((row[column] or "").strip() for column in SIMC[:3])
        symbol = (row["SYM"] or "").strip()
        if len(symbol) != 7 or not symbol.isdigit():
            mistakes.append(f"{file[0]}: line {number}: SYM is no code of seven digits")
        elif code not in gminas:
            mistakes.append(f"{file[0]}: line {number}: gmina {code} is not in the TERC table")
        else:
            rows.append((symbol, row["NAZWA"].strip(), gminas[code], symbol == (row["SYMPOD"] or "").strip()))
    whole = {(plain(name), gmina) for _, name, gmina, main in rows if main}
    return [
        (symbol, name, gmina, None, None, None)
        for symbol, name, gmina, main in rows
        if main or (plain(name), gmina) not in whole
    ]


def _outlines(
    file: tuple[str, bytes], units: Mapping[str, tuple[str, str, str]], mistakes: list[str]
) -> list[tuple[str, str, BaseGeometry]]:
    name, raw = file
    try:
        features = orjson.loads(raw)["features"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        mistakes.append(f"{name}: not a GeoJSON feature collection")
        return []
    found = []
    for number, feature in enumerate(features):
        at = f"{name}: features.{number}"
        told = feature.get("properties") if isinstance(feature, dict) else None
        properties = told if isinstance(told, dict) else {}
        code = next((str(properties[key]) for key in CODE_NAMES if properties.get(key)), "")
        title = next((str(properties[key]) for key in TITLE_NAMES if properties.get(key)), code)
        if code not in units:
            mistakes.append(f"{at}: its code (one of {', '.join(CODE_NAMES)}) is not in the TERC table")
            continue
        try:
            found.append((code, title, geometry(feature.get("geometry"))))
        except ValueError as error:
            mistakes.append(f"{at}: {error}")
    return found


def _doubles(codes: Sequence[str]) -> list[str]:
    return [f"boundaries: {code} stands twice" for code in sorted({code for code in codes if codes.count(code) > 1})]


def _collection(outlines: Sequence[tuple[str, str, BaseGeometry]], error_m: float) -> bytes:
    features = [
        {
            "type": "Feature",
            "properties": {"teryt": code, "name": title, "error_m": error_m},
            "geometry": mapping(outline),
        }
        for code, title, outline in outlines
    ]
    return orjson.dumps({"type": "FeatureCollection", "features": features})


def _point(outline: BaseGeometry) -> tuple[float, float, float]:
    """A point inside an outline, and the radius of a circle of its area: latitude, longitude, metres."""
    inside = outline.representative_point()
    narrowing = math.cos(math.radians(inside.y))
    radius_m = math.sqrt(outline.area * narrowing / math.pi) * _METRES_PER_DEGREE
    return round(inside.y, 5), round(inside.x, 5), round(radius_m)


def _found(code: str, points: Mapping[str, tuple[float, float, float]]) -> tuple[Any, ...]:
    return points.get(code) or points.get(code[:4]) or (None, None, None)

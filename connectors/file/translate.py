"""One row of a file, by its mapping, into one telling. Pure and total."""

import math
from collections.abc import Callable
from collections.abc import Mapping as Map
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from connectors.contract import Document, Told, Translation
from connectors.file.mapping import PLACE_FIELDS, TEXT_FIELDS, UNIT, Codes, Mapping, Point, Time, load
from connectors.file.rows import Flaw, cells
from connectors.file.settings import FileSettings
from connectors.kits.json import read_object
from connectors.kits.local_time import parsed, to_utc, zone
from schemas.errors import Code, Rejected
from schemas.finding import Finding, FindingCode
from schemas.place import Place, Position
from schemas.report import RECORDS, Reference, Telling

TEXT_LIMIT: Final = 65_536
"""Characters; the limit of `Telling.description`."""
_FLAWS: Final = {
    Flaw.CUT: (Code.TOO_LARGE, "the row is longer than the source's limit; its beginning is kept"),
    Flaw.BROKEN: (Code.COMPRESSION_INVALID, "the compressed file breaks or ends here; later rows were not read"),
    Flaw.BOMB: (Code.COMPRESSION_INVALID, "the file unpacks to more than the limits; later rows were not read"),
}

Cells = Map[str, str]


def translate_for(settings: FileSettings) -> Callable[[Document], Translation]:
    """The translation of this source's rows. Misconfigured when its mapping is wrong."""
    mapping = load(settings.mapping)
    return lambda document: translate(document, mapping)


def translate(document: Document, mapping: Mapping) -> Translation:
    """What one row says. Its context holds the CSV `header` line, or the `flaw` that the reader found.

    Rejected for a row that cannot be trusted: another number of values than the header, wrong quotes or encoding, no
    usable time where the mapping wants one. A value that only spoils itself becomes a finding.
    """
    if flaw := document.context.get("flaw"):
        code, detail = _FLAWS[Flaw(flaw)]
        raise Rejected(code, detail)
    row, unknown = _cells(document, mapping)
    findings: list[Finding] = []
    parts = _parts(row, mapping)
    telling = Telling(
        event_at=_time(row, mapping, findings),
        place=_place(row, mapping, parts, findings),
        category=_code(row, mapping.category, findings),
        subcategory=_code(row, mapping.subcategory, findings),
        addressed_services=tuple(filter(None, [_code(row, mapping.services, findings)])),
        references=tuple(
            Reference(system=one.system, id=row[one.column]) for one in mapping.references if row.get(one.column)
        ),
        unit=f"{mapping.unit}-{parts[UNIT].lower()}" if UNIT in parts else mapping.unit,
        clock=mapping.clock,
        unknown=unknown,
        **{name: text for name, text in parts.items() if name in TEXT_FIELDS} | _texts(row, mapping, findings),
    )
    findings += [
        Finding(code=FindingCode.UNKNOWN_FIELD, at=f"/{name}", detail="a column that the mapping does not name")
        for name in unknown
    ]
    return Translation((Told(telling, far_id=_far_id(row, mapping)),), tuple(findings))


@lru_cache(maxsize=64)
def header_of(line: str, delimiter: str) -> tuple[str, ...]:
    """The column names of a CSV header line; empty when it is none (wrong quotes, a name twice)."""
    names = cells(line, delimiter) or []
    return tuple(names) if len(set(names)) == len(names) else ()


def _cells(document: Document, mapping: Mapping) -> tuple[Cells, dict[str, Any]]:
    try:
        text = document.body.decode(mapping.encoding)
    except UnicodeDecodeError:
        raise Rejected(Code.ENCODING_INVALID, f"not {mapping.encoding}") from None
    if mapping.format == "jsonl":
        return _members(document.body, mapping)
    header = header_of(document.context.get("header", ""), mapping.delimiter)
    values = cells(text, mapping.delimiter)
    if values is None:
        raise Rejected(Code.SYNTAX_INVALID, "the quotes of the row are wrong")
    if len(values) != len(header):
        raise Rejected(Code.SYNTAX_INVALID, f"{len(values)} values where the header names {len(header)}")
    row = dict(zip(header, (value.strip() for value in values), strict=True))
    named = mapping.columns
    return row, {name: value for name, value in row.items() if name not in named and value}


def _members(body: bytes, mapping: Mapping) -> tuple[Cells, dict[str, Any]]:
    data = read_object(body)
    named = mapping.columns
    row = {
        name: value.strip() if isinstance(value, str) else str(value)
        for name, value in data.items()
        if name in named and isinstance(value, str | int | float) and not isinstance(value, bool)
    }
    return row, {name: value for name, value in data.items() if name not in row and value is not None}


def _far_id(row: Cells, mapping: Mapping) -> str | None:
    if mapping.id is None:
        return None
    if not row.get(mapping.id):
        raise Rejected(Code.FIELD_MISSING, "the row has no id", f"/{mapping.id}")
    return row[mapping.id]


def _time(row: Cells, mapping: Mapping, findings: list[Finding]) -> datetime | None:
    """When it happened, UTC.

    Fed history is moved by these times, so there a row without a usable one is Rejected; elsewhere it goes on with a
    finding.
    """
    if mapping.time is None:
        return None
    at = f"/{mapping.time.column}"
    local = parsed(row.get(mapping.time.column, ""), mapping.time.format)
    if local is None or not _within(local, mapping.time):
        if mapping.clock == RECORDS:
            raise Rejected(Code.FIELD_INVALID, "no time that this mapping accepts", at)
        findings.append(Finding(code=FindingCode.FIELD_UNREADABLE, at=at, detail="no time that this mapping accepts"))
        return None
    when, finding = to_utc(local, zone(mapping.time.zone), at)
    if finding:
        findings.append(finding)
    return when


def _within(local: datetime, time: Time) -> bool:
    return time.earliest <= local.isoformat(" ") <= time.latest


def _parts(row: Cells, mapping: Mapping) -> dict[str, str]:
    """Fields found within values; of two parts that tell one field the first counts."""
    told: dict[str, str] = {}
    for part in mapping.parts:
        if found := part.regex.search(row.get(part.column, "")):
            told = {name: text for name, text in found.groupdict().items() if text} | told
    return told


def _place(row: Cells, mapping: Mapping, parts: Map[str, str], findings: list[Finding]) -> Place:
    told: dict[str, Any] = {name: text for name, text in parts.items() if name in PLACE_FIELDS}
    told |= {field: row[column] for field, column in mapping.place.items() if row.get(column)}
    if mapping.point is not None:
        told["position"] = _position(row, mapping.point, findings)
    return Place(**told)


def _position(row: Cells, point: Point, findings: list[Finding]) -> Position | None:
    lat, lon = row.get(point.lat, ""), row.get(point.lon, "")
    if not lat and not lon:
        return None
    at = f"/{point.lat}"
    try:
        y, x = float(lat), float(lon)
    except ValueError:
        y = x = math.nan
    if not (-90 <= y <= 90 and -180 <= x <= 180):
        findings.append(Finding(code=FindingCode.COORDINATES_INVALID, at=at, detail="no coordinates of WGS 84"))
        return None
    if point.bounds and not _inside(y, x, point.bounds):
        swapped = _inside(x, y, point.bounds)
        findings.append(
            Finding(
                code=FindingCode.COORDINATES_SWAPPED if swapped else FindingCode.COORDINATES_OUTSIDE,
                at=at,
                detail="latitude and longitude look swapped; kept as told" if swapped else "outside the file's area",
            )
        )
    return Position(lat=y, lon=x, uncertainty_m=point.uncertainty_m, obtained=point.obtained)


def _inside(lat: float, lon: float, bounds: tuple[float, float, float, float]) -> bool:
    south, west, north, east = bounds
    return south <= lat <= north and west <= lon <= east


def _code(row: Cells, codes: Codes | None, findings: list[Finding]) -> str | None:
    """The code of a value: table, longest prefix, first pattern, `otherwise`, in this order."""
    if codes is None:
        return None
    value = row.get(codes.column, "").strip(codes.trim + " \t")
    if not value:
        return codes.otherwise
    if (found := codes.table.get(value)) is not None:
        return found
    if fitting := [prefix for prefix in codes.prefixes if value.startswith(prefix)]:
        return codes.prefixes[max(fitting, key=len)]
    for pattern in codes.patterns:
        if pattern.regex.fullmatch(value):
            return pattern.code
    if codes.otherwise is not None:
        return codes.otherwise
    if codes.table or codes.prefixes or codes.patterns:
        findings.append(
            Finding(code=FindingCode.UNKNOWN_CODE, at=f"/{codes.column}", detail="no rule of the mapping fits; kept")
        )
    return value


def _texts(row: Cells, mapping: Mapping, findings: list[Finding]) -> dict[str, Any]:
    """The text fields. A text beyond the limit of the schema is cut, with a finding: the document keeps the rest."""
    told: dict[str, Any] = dict(mapping.fixed)
    for field, columns in mapping.text.items():
        text = "; ".join(row[column] for column in columns if row.get(column))
        if len(text) > TEXT_LIMIT:
            findings.append(Finding(code=FindingCode.FIELD_UNREADABLE, at=f"/{columns[0]}", detail="too long; cut"))
        if text:
            told[field] = text[:TEXT_LIMIT]
    return told

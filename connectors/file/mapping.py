"""What the columns of a file mean: a YAML mapping, read once, checked as a whole before anything starts."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from connectors.kits.local_time import ISO, ZoneName
from schemas.errors import Code, Misconfigured
from schemas.place import Obtained, Place
from schemas.report import RECORDS, Telling

SHIPPED: Final = Path(__file__).parent / "mappings"
ENCODINGS: Final = ("utf-8", "ascii", "iso-8859-1", "iso-8859-2", "cp1250", "cp1252")
"""Encodings in which a line end and a quote are single bytes of ASCII, so that rows can be cut untouched."""
TEXT_FIELDS: Final = frozenset(
    name for name, field in Telling.model_fields.items() if field.annotation == str | None
) - {"unit", "clock", "category", "subcategory"}
UNIT: Final = "unit"
PLACE_FIELDS: Final = frozenset(name for name, field in Place.model_fields.items() if field.annotation == str | None)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pattern(_Part):
    """A regular expression over the whole value and the code it stands for."""

    regex: re.Pattern[str]
    code: str


class Codes(_Part):
    """How a column's value becomes a code: whole value, else longest prefix, else first pattern, else `otherwise`."""

    column: str
    trim: str = ""
    """Characters taken off both ends first; white space always."""
    table: dict[str, str] = {}
    prefixes: dict[str, str] = {}
    patterns: tuple[Pattern, ...] = ()
    otherwise: str | None = None
    """Code of what nothing fits. None: the value itself, with a finding where any rule was given."""


class Time(_Part):
    """The column that says when it happened."""

    column: str
    format: str = ISO
    """`iso` or a `strptime` format."""
    zone: ZoneName
    """IANA name; for times without an offset."""
    earliest: str = "1970-01-01"
    latest: str = "2200-01-01"
    """Local times outside these are no times of this file (one wrong future time would move a `records` clock)."""


class Point(_Part):
    """The columns of a position, WGS 84, decimal degrees."""

    lat: str
    lon: str
    uncertainty_m: Annotated[float, Field(ge=0)] = 100.0
    obtained: Obtained = Obtained.ADDRESS
    bounds: tuple[float, float, float, float] | None = None
    """South, west, north, east, in degrees: a point outside is kept with a finding."""


class Part(_Part):
    """A regular expression that finds fields within a value: its named groups are the fields.

    Fields of `Place`, text fields of `Telling`, and `unit`, which is added to the mapping's own: `chp` and `LA` are
    `chp-la`. A value that it does not fit tells none of them.
    """

    column: str
    regex: re.Pattern[str]

    @field_validator("regex")
    @classmethod
    def _fields(cls, regex: re.Pattern[str]) -> re.Pattern[str]:
        if odd := sorted(set(regex.groupindex) - PLACE_FIELDS - TEXT_FIELDS - {UNIT}):
            raise ValueError(f"groups {', '.join(odd)}; allowed: {', '.join(sorted(PLACE_FIELDS | TEXT_FIELDS))}")
        if not regex.groupindex:
            raise ValueError("no named group, (?P<name>...)")
        return regex


class ReferenceColumn(_Part):
    """A column that holds another system's id of the matter."""

    column: str
    system: str


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Mapping(_Part):
    """One kind of file. Every name is a column (CSV) or a key of the object (JSON Lines)."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    title: str
    format: Literal["csv", "jsonl"] = "csv"
    encoding: str = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    unit: str | None = None
    """Responsible unit of every row; None: found from the place."""
    clock: Literal["wall", "records"] = "wall"
    """`records`: the rows' times move the clock of `unit`, unless that unit is a configured one with clock `wall`."""
    id: str | None = None
    """Column of the far side's id. None: a row is known by its bytes and how often they came before."""
    time: Time | None = None
    point: Point | None = None
    place: dict[str, str] = {}
    """Field of `Place` -> column."""
    text: dict[str, Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]] = {}
    """Text field of `Telling` (description, taken_by, ...) -> columns, joined by "; "."""
    parts: tuple[Part, ...] = ()
    """Fields that stand within a value. What a column of its own tells goes before."""
    category: Codes | None = None
    subcategory: Codes | None = None
    services: Codes | None = None
    references: tuple[ReferenceColumn, ...] = ()
    fixed: dict[str, str] = {}
    """Text field of `Telling` -> the same value for every row."""
    ignore: tuple[str, ...] = ()
    """Columns left out on purpose. What is neither used nor ignored is kept as unknown, with a finding."""

    @field_validator("encoding")
    @classmethod
    def _cuttable(cls, name: str) -> str:
        if name not in ENCODINGS:
            raise ValueError(f"allowed: {', '.join(ENCODINGS)}")
        return name

    @field_validator("delimiter")
    @classmethod
    def _separates(cls, delimiter: str) -> str:
        if delimiter in '"\r\n' or not delimiter.isascii():
            raise ValueError("one ASCII character, neither quote nor line end")
        return delimiter

    @model_validator(mode="after")
    def _sensible(self) -> "Mapping":
        for given, allowed, at in (
            (self.place, PLACE_FIELDS, "place"),
            (self.text, TEXT_FIELDS, "text"),
            (self.fixed, TEXT_FIELDS, "fixed"),
        ):
            if odd := sorted(set(given) - allowed):
                raise ValueError(f"{at}: {', '.join(odd)}; allowed: {', '.join(sorted(allowed))}")
        if self.unit is None and any(UNIT in part.regex.groupindex for part in self.parts):
            raise ValueError("parts: a unit is added to the mapping's own, which is missing")
        if self.clock == RECORDS and self.time is None:
            raise ValueError("clock records: needs the time of each row")
        if self.clock == RECORDS and self.unit is None:
            raise ValueError("clock records: needs a unit of its own, or fed history would come among real reports")
        return self

    @cached_property
    def columns(self) -> frozenset[str]:
        """Every column that the mapping names; the file's header must have them all."""
        used = {self.id, *self.place.values(), *(one for many in self.text.values() for one in many)}
        used |= {part.column for part in self.parts}
        used |= {codes.column for codes in (self.category, self.subcategory, self.services) if codes}
        used |= {reference.column for reference in self.references} | set(self.ignore)
        used |= {self.time.column} if self.time else set()
        used |= {self.point.lat, self.point.lon} if self.point else set()
        return frozenset(name for name in used if name)


def load(name: str) -> Mapping:
    """The mapping in the YAML file `name`, or the shipped one of that name.

    Misconfigured with every mistake in it, each with its place, when it is none.
    """
    path = Path(name)
    if not path.suffix and not path.exists():
        path = SHIPPED / f"{name}.yaml"
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        shipped = ", ".join(sorted(one.stem for one in SHIPPED.glob("*.yaml")))
        raise Misconfigured(
            Code.CONFIGURATION_INVALID, f"mapping {name!r} cannot be read ({type(error).__name__}); shipped: {shipped}"
        ) from None
    try:
        return Mapping.model_validate(data)
    except ValidationError as error:
        said = "; ".join(f"/{'/'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False))
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"mapping {name!r}: {said}", "/mapping") from None

"""Units of the police and the territory each answers for: which unit does a code or a point belong to, and who is near.

Data: `territory.yaml` of the installation (units as sets of TERYT codes); outlines come from the gazetteer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, NamedTuple

import shapely
from pydantic import Field, field_validator

from streams.gazetteer import Area, Gazetteer
from streams.loading import Shape, checked, digest, refused

FAR_M: Final = 1_000.0
"""A point's own uncertainty counts up to here when nearness to a border is judged: a phone cell is near everything."""
_CODE_LENGTHS = (7, 6, 4, 2)


class UnitShape(Shape):
    """One unit of `territory.yaml`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    teryt: tuple[Annotated[str, Field(pattern=r"^(\d{2}|\d{4}|\d{6}|\d{7})$")], ...] = ()
    clock: Literal["wall", "records"] = "wall"
    neighbours: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()

    @field_validator("teryt", mode="before")
    @classmethod
    def as_text(cls, codes: Any) -> Any:
        """YAML reads 3061 as a number; a code with a leading zero must be quoted, or it is refused as too short."""
        return [str(code) if isinstance(code, int) else code for code in codes] if isinstance(codes, list) else codes


class TerritoryShape(Shape):
    """`territory.yaml`. `default` is the unit that gets what no outline and no code assigns; empty: the first."""

    units: Annotated[tuple[UnitShape, ...], Field(min_length=1)]
    default: str = ""


class Unit(NamedTuple):
    """A unit: TERYT codes it answers for, clock of its territory, neighbours by name, catchments of its rivers."""

    name: str
    teryt: tuple[str, ...]
    clock: str
    neighbours: tuple[str, ...]
    areas: tuple[str, ...]


class Located(NamedTuple):
    """Where a point lies: its unit and TERYT code if any outline holds it, and the units that may hold it as well."""

    unit: str | None
    teryt: str | None
    near_border: bool
    near: tuple[str, ...]


class _Outline(NamedTuple):
    shape: Any
    deep: Any
    error_m: float


@dataclass(frozen=True)
class Territory:
    """All units with their outlines. `version` names units and gazetteer together."""

    units: Mapping[str, Unit]
    default: str
    version: str
    gazetteer: Gazetteer
    _codes: Mapping[str, str] = field(repr=False)
    _outlines: Mapping[str, _Outline] = field(repr=False)

    def unit_of(self, teryt: str | None) -> str | None:
        """The unit that answers for a TERYT code; the longest code that fits decides; None when nobody does."""
        if not teryt:
            return None
        return next((self._codes[teryt[:n]] for n in _CODE_LENGTHS if teryt[:n] in self._codes), None)

    def touched(self, codes: tuple[str, ...]) -> tuple[str, ...]:
        """Units whose territory meets any of the codes: theirs lies within a code, or a code within theirs."""
        return tuple(
            unit.name
            for unit in self.units.values()
            if any(own.startswith(code) or code.startswith(own) for own in unit.teryt for code in codes)
        )

    def at(self, lat: float, lon: float, uncertainty_m: float) -> Located:
        """Where a point lies. Near the border: within the outline's error and the point's uncertainty of it."""
        x, y = self.gazetteer.plane(lat, lon)
        area = self.gazetteer.area_at(x, y)
        unit = self.unit_of(area.teryt) if area else None
        outline = self._outlines.get(unit or "")
        if area is not None and outline is not None and shapely.contains_xy(outline.deep, x, y):
            return Located(unit, area.teryt, near_border=False, near=())
        return self._near(shapely.Point(x, y), area, unit, min(uncertainty_m, FAR_M))

    def _near(self, point: Any, area: Area | None, unit: str | None, slack_m: float) -> Located:
        reached = {
            name: distance
            for name, one in self._outlines.items()
            if (distance := one.shape.distance(point)) <= one.error_m + slack_m
        }
        home = unit or min(sorted(reached), key=lambda name: reached[name], default=None)
        if home is None:
            return Located(None, area.teryt if area else None, near_border=False, near=())
        outline = self._outlines[home]
        error_m = area.error_m if area else outline.error_m
        near_border = unit is None or outline.shape.boundary.distance(point) <= error_m + slack_m
        neighbours = self.units[home].neighbours
        others = tuple(
            name
            for name in sorted({*neighbours, *reached} & set(self.units) - {home})
            if near_border and (name in reached or name not in self._outlines)
        )
        return Located(home, area.teryt if area else None, near_border, others)


def load(data: Any, gazetteer: Gazetteer, where: str = "territory.yaml") -> Territory:
    """The territory from the data of its file. Misconfigured names all mistakes: shapes, names, codes given twice."""
    shape = checked(TerritoryShape, data, where)
    units = {one.name: _unit(one) for one in shape.units}
    mistakes = _mistakes(shape, where)
    if mistakes:
        raise refused(mistakes)
    codes = {code: one.name for one in shape.units for code in one.teryt}
    return Territory(
        units=units,
        default=shape.default or shape.units[0].name,
        version=digest([shape.model_dump(mode="json"), gazetteer.version]),
        gazetteer=gazetteer,
        _codes=codes,
        _outlines=_outlines(codes, gazetteer),
    )


def _unit(one: UnitShape) -> Unit:
    return Unit(one.name, one.teryt, one.clock, one.neighbours, one.areas)


def _mistakes(shape: TerritoryShape, where: str) -> list[str]:
    names = [one.name for one in shape.units]
    found = [f"{where}: units: {name!r} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    owners: dict[str, str] = {}
    for one in shape.units:
        found += [
            f"{where}: units.{one.name}.teryt: {code} belongs to {owners[code]} already"
            for code in one.teryt
            if owners.setdefault(code, one.name) != one.name
        ]
    if shape.default and shape.default not in names:
        found.append(f"{where}: default: no unit {shape.default!r}; there are {', '.join(names)}")
    return found


def _outlines(codes: Mapping[str, str], gazetteer: Gazetteer) -> dict[str, _Outline]:
    by_unit: dict[str, list[Area]] = {}
    for area in gazetteer.areas:
        owner = next((codes[area.teryt[:n]] for n in _CODE_LENGTHS if area.teryt[:n] in codes), None)
        if owner is not None:
            by_unit.setdefault(owner, []).append(area)
    found = {}
    for name, areas in sorted(by_unit.items()):
        whole = shapely.union_all([area.shape for area in areas])
        error_m = max(area.error_m for area in areas)
        deep = whole.buffer(-(error_m + FAR_M))
        shapely.prepare(deep)
        found[name] = _Outline(whole, deep, error_m)
    return found

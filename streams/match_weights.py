"""The weights of correlation: a YAML file that a person can read, checked as a whole, with the digest that names it."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

from streams.categories import Catalogue
from streams.feature_bits import REMEMBERED_KINDS, Curve, Fall, KindsOf, Likeness
from streams.loading import checked, digest, read_yaml, refused
from streams.weight_shapes import AgreementShape, CategoryWeights, LikenessShape, SourceShape, WeightsShape

BUILT_IN: Final = "built_in.yaml"


@dataclass(frozen=True)
class Weights:
    """The weights with their digest, and the two functions that the catalogue takes part in. Immutable."""

    shape: WeightsShape
    version: str
    category_bits: Callable[[str, str], float] = field(repr=False)
    spread_m: Callable[[str, str], float] = field(repr=False)
    window_ms: Callable[[str], int] = field(repr=False)
    source_bits: Callable[[str, str], float] = field(repr=False)
    source_most: float
    text: Likeness
    street: Likeness
    fall: Fall
    one_source_bits: float
    """Kinds that count less are apart where one source told both."""
    costs: dict[str, float]
    """Of a false link, by kind, where it is another than that of most."""
    careful: frozenset[str]
    """Kinds that the machine never links on place, time and kind alone."""
    moving: frozenset[str]
    """Kinds that do not stay where they were seen."""
    suggest_bits: float
    """From here on a person is asked."""
    looks: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False, compare=False)
    """What `streams.first_look` remembers: it follows from the weights and the catalogue alone."""
    _curves: dict[int, Curve] = field(default_factory=dict, repr=False, compare=False)
    _kinds: dict[str, KindsOf] = field(default_factory=dict, repr=False, compare=False)

    def auto_bits(self, one: str, other: str) -> float:
        """From here on the machine links reports of these kinds."""
        most = self.shape.costs.false_link
        return math.log2(max(self.costs.get(one, most), self.costs.get(other, most)))

    @property
    def least_bits(self) -> float:
        """The least that a distance can count."""
        return self.shape.distance.scale * self.shape.least_bits

    def distance_bits(self, metres: float, sigma_m: float) -> float:
        """Bits for two points so far apart, where those of one incident differ by `sigma_m` along each axis."""
        return self.fall.of(metres * metres, sigma_m * sigma_m)

    def time_bits(self, gap_ms: int, window_ms: int) -> float:
        """Bits for two event times so far apart; the window is that of the incident's category."""
        return self.curve(window_ms).bits(gap_ms)

    def curve(self, window_ms: int) -> Curve:
        """The curve of incidents of this window."""
        found = self._curves.get(window_ms)
        if found is None:
            shape, window = self.shape.time, window_ms / 60_000
            late = max(shape.late_least_minutes, window / 4)
            wide, early = min(window, shape.window_minutes), shape.early_minutes
            found = self._curves[window_ms] = Curve(
                wide * (1 - shape.late) / early,
                -1 / (60_000 * early),
                wide * shape.late / late,
                -1 / (60_000 * late),
                self.shape.least_bits,
                shape.scale,
            )
        return found

    def kinds(self, code: str) -> KindsOf:
        """What this kind counts with each other one."""
        found = self._kinds.get(code)
        if found is None:
            if len(self._kinds) >= REMEMBERED_KINDS:
                self._kinds.clear()
            found = self._kinds[code] = KindsOf(self.category_bits, self.spread_m, code)
        return found

    def driven_m(self, gap_ms: int) -> float:
        """How far somebody who moves may have come meanwhile, in metres."""
        return self.shape.moving.km_per_minute * gap_ms / 60

    def direction_bits(self, one: str, other: str) -> float:
        """Bits for two directions of travel as they were told."""
        return _agreement(self.shape.direction, one, other)

    def road_bits(self, one: str, other: str) -> float:
        """Bits for two roads as they were told: along one, reports of one incident lie kilometres apart."""
        return _agreement(self.shape.road, one, other)


def _agreement(shape: AgreementShape, one: str, other: str) -> float:
    if not one or not other:
        return 0.0
    return shape.same if one == other else shape.different


def load(text: str, catalogue: Catalogue, where: str = "weights.yaml") -> Weights:
    """Weights from the text of their file.

    Misconfigured names all mistakes: shapes, thresholds the wrong way round, kinds that the catalogue does not have.
    """
    data = read_yaml(text, where)
    shape = checked(WeightsShape, data, where)
    known = set(catalogue.categories) | {one.group for one in catalogue.categories.values()}
    named = {part for pair in shape.category.pairs for part in pair.split("|")}
    named |= {*shape.category.neutral_groups, *shape.careful.categories, *shape.costs.categories}
    named |= set(shape.moving.categories)
    mistakes = [f"{where}: category {one!r} is not in the catalogue" for one in sorted(named - known)]
    mistakes += [f"{where}: category.pairs.{one}: must be two kinds" for one in shape.category.pairs if "|" not in one]
    mistakes += [f"{where}: source.pairs.{one}: must be two systems" for one in shape.source.pairs if "|" not in one]
    if shape.costs.false_suggestion > min((shape.costs.false_link, *shape.costs.categories.values())):
        mistakes.append(f"{where}: costs.false_suggestion must not be above that of a false link")
    if mistakes:
        raise refused(mistakes)
    return Weights(
        shape=shape,
        version=digest(data),
        category_bits=_category_bits(shape.category, catalogue),
        spread_m=_spread(catalogue),
        window_ms=lambda code: catalogue.category(code).window_ms,
        source_bits=_source_bits(shape.source),
        source_most=max(shape.source.same, shape.source.different, *shape.source.pairs.values()),
        text=_likeness(shape.text),
        street=_likeness(shape.street),
        fall=_fall(shape),
        one_source_bits=-math.inf if shape.careful.one_source_bits is None else shape.careful.one_source_bits,
        costs=_costs(shape, catalogue),
        careful=_kinds(shape.careful.categories, catalogue),
        moving=_kinds(shape.moving.categories, catalogue),
        suggest_bits=math.log2(shape.costs.false_suggestion),
    )


def _kinds(named: Iterable[str], catalogue: Catalogue) -> frozenset[str]:
    """The codes that are named, a group standing for all of its own."""
    wanted = set(named)
    return frozenset(code for code, one in catalogue.categories.items() if {code, one.group} & wanted)


def _costs(shape: WeightsShape, catalogue: Catalogue) -> dict[str, float]:
    """Costs by code; the code's own before its group's."""
    told = shape.costs.categories
    groups = {code: told[one.group] for code, one in catalogue.categories.items() if one.group in told}
    return groups | {code: cost for code, cost in told.items() if code in catalogue.categories}


def built_in(catalogue: Catalogue) -> Weights:
    """The weights that come with the project, for any catalogue that has the kinds they name."""
    return load(built_in_text(), catalogue, BUILT_IN)


def built_in_text() -> str:
    """The file of these weights."""
    return (files("streams") / "weights" / BUILT_IN).read_text(encoding="utf-8")


def _fall(shape: WeightsShape) -> Fall:
    half, distance = shape.search_m**2 / 2, shape.distance
    return Fall((1 - distance.tail) * half, distance.tail * half, distance.tail_m**2, shape.least_bits, distance.scale)


def _likeness(shape: LikenessShape) -> Likeness:
    percents, values = zip(*shape.points, strict=True)
    return Likeness(percents, values, values[-1])


def _category_bits(shape: CategoryWeights, catalogue: Catalogue) -> Callable[[str, str], float]:
    pairs = {frozenset(pair.split("|")): bits for pair, bits in shape.pairs.items()}
    caps = {frozenset(pair.split("|")): bits for pair, bits in shape.cap.items()}

    def bits(one: str, other: str) -> float:
        a, b = catalogue.category(one), catalogue.category(other)
        if {a.group, b.group} & set(shape.neutral_groups):
            return 0.0
        if a.code == b.code and frozenset((a.code,)) not in pairs:
            return shape.same
        for pair in (frozenset((a.code, b.code)), frozenset((a.group, b.group))):
            if pair in pairs:
                return pairs[pair]
        if a.group == b.group:
            return shape.same_group
        return caps.get(frozenset((a.cap, b.cap)), shape.different)

    return bits


def _source_bits(shape: SourceShape) -> Callable[[str, str], float]:
    pairs = {frozenset(pair.split("|")): bits for pair, bits in shape.pairs.items()}

    def bits(one: str, other: str) -> float:
        found = pairs.get(frozenset((one, other))) if pairs else None
        return found if found is not None else shape.same if one == other else shape.different

    return bits


def _spread(catalogue: Catalogue) -> Callable[[str, str], float]:
    def metres(one: str, other: str) -> float:
        return max(catalogue.category(one).radius_m, catalogue.category(other).radius_m)

    return metres

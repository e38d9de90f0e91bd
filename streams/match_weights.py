"""The weights of correlation: a YAML file that a person can read, checked as a whole, with the digest that names it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from streams.categories import Catalogue
from streams.loading import Shape, checked, digest, read_yaml, refused

REMEMBERED_PAIRS: Final = 16_384

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class DistanceShape(Shape):
    """Share of callers that are far off, and how far."""

    tail: Share
    tail_m: Positive


class TimeShape(Shape):
    """How soon reports of one incident follow one another."""

    early_minutes: Positive
    late: Share
    late_least_minutes: Positive
    window_minutes: Positive


class CategoryWeights(Shape):
    """Bits of pairs of kinds, from the exact pair down to the CAP categories."""

    same: float
    same_group: float
    different: float
    neutral_groups: tuple[str, ...]
    pairs: dict[str, float]
    cap: dict[str, float]


class LikenessShape(Shape):
    """Bits by likeness in percent."""

    words: Annotated[int, Field(ge=1)]
    points: Annotated[tuple[tuple[float, float], ...], Field(min_length=2)]

    @field_validator("points")
    @classmethod
    def rising(cls, points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        """Refuse a table that does not go from 0 to 100, or in which more likeness counts less."""
        if points[0][0] != 0 or points[-1][0] != 100 or any(a[0] >= b[0] for a, b in pairwise(points)):
            raise ValueError("must rise from 0 to 100 percent")
        if any(a[1] > b[1] for a, b in pairwise(points)):
            raise ValueError("more likeness must not count less")
        return points


class SourceShape(Shape):
    """Bits for reports of the same far system, and of two."""

    same: float
    different: float


class CarefulShape(Shape):
    """Kinds that place, time and kind alone never join."""

    bits: Positive
    categories: tuple[str, ...]


class WeightsShape(Shape):
    """The file as a whole; its comments say what each number means."""

    version: Literal[1]
    name: str
    prior_bits: float
    auto_bits: float
    suggest_bits: float
    search_m: Positive
    never_beyond_m: Positive
    largest_uncertainty_m: Positive
    least_bits: float
    distance: DistanceShape
    time: TimeShape
    category: CategoryWeights
    text: LikenessShape
    street: LikenessShape
    shared: dict[str, float]
    source: SourceShape
    careful: CarefulShape


@dataclass(frozen=True)
class Weights:
    """The weights with their digest, and the two functions that the catalogue takes part in. Immutable."""

    shape: WeightsShape
    version: str
    category_bits: Callable[[str, str], float] = field(repr=False)
    spread_m: Callable[[str, str], float] = field(repr=False)

    def distance_bits(self, metres: float, sigma_m: float) -> float:
        """Bits for two points so far apart, where those of one incident differ by `sigma_m` along each axis."""
        shape, area = self.shape, self.shape.search_m**2
        near, far = sigma_m**2, max(shape.distance.tail_m, 2 * sigma_m) ** 2
        squared, tail = metres * metres, shape.distance.tail
        ratio = (1 - tail) * _falling(area, near, squared) + tail * _falling(area, far, squared)
        return max(math.log2(ratio), shape.least_bits) if ratio > 0 else shape.least_bits

    def time_bits(self, gap_ms: int, window_ms: int) -> float:
        """Bits for two event times so far apart; the window is that of the incident's category."""
        shape, gap, window = self.shape.time, gap_ms / 60_000, window_ms / 60_000
        late = max(shape.late_least_minutes, window / 4)
        early = (1 - shape.late) / shape.early_minutes * math.exp(-gap / shape.early_minutes)
        ratio = min(window, shape.window_minutes) * (early + shape.late / late * math.exp(-gap / late))
        return max(math.log2(ratio), self.shape.least_bits) if ratio > 0 else self.shape.least_bits


def likeness_bits(shape: LikenessShape, percent: float) -> float:
    """Bits for so much likeness: on the straight line between the two points around it."""
    points = shape.points
    upper = next(at for at, point in enumerate(points) if percent <= point[0])
    if upper == 0:
        return points[0][1]
    (x0, y0), (x1, y1) = points[upper - 1], points[upper]
    return y0 + (y1 - y0) * (percent - x0) / (x1 - x0)


def load(text: str, catalogue: Catalogue, where: str = "weights.yaml") -> Weights:
    """Weights from the text of their file.

    Misconfigured names all mistakes: shapes, thresholds the wrong way round, kinds that the catalogue does not have.
    """
    data = read_yaml(text, where)
    shape = checked(WeightsShape, data, where)
    known = set(catalogue.categories) | {one.group for one in catalogue.categories.values()}
    named = {part for pair in shape.category.pairs for part in pair.split("|")}
    named |= {*shape.category.neutral_groups, *shape.careful.categories}
    mistakes = [f"{where}: category {one!r} is not in the catalogue" for one in sorted(named - known)]
    mistakes += [f"{where}: category.pairs.{one}: must be two kinds" for one in shape.category.pairs if "|" not in one]
    if shape.suggest_bits > shape.auto_bits:
        mistakes.append(f"{where}: suggest_bits must not be above auto_bits")
    if mistakes:
        raise refused(mistakes)
    return Weights(shape, digest(data), _category_bits(shape.category, catalogue), _spread(catalogue))


def built_in(catalogue: Catalogue) -> Weights:
    """The weights that come with the project, for any catalogue that has the kinds they name."""
    text = (files("streams") / "weights" / "first.yaml").read_text(encoding="utf-8")
    return load(text, catalogue, "first.yaml")


def _falling(area: float, variance: float, squared: float) -> float:
    return area / (2 * variance) * math.exp(-squared / (2 * variance))


def _category_bits(shape: CategoryWeights, catalogue: Catalogue) -> Callable[[str, str], float]:
    pairs = {frozenset(pair.split("|")): bits for pair, bits in shape.pairs.items()}
    caps = {frozenset(pair.split("|")): bits for pair, bits in shape.cap.items()}

    @lru_cache(maxsize=REMEMBERED_PAIRS)
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


def _spread(catalogue: Catalogue) -> Callable[[str, str], float]:
    @lru_cache(maxsize=REMEMBERED_PAIRS)
    def metres(one: str, other: str) -> float:
        return max(catalogue.category(one).radius_m, catalogue.category(other).radius_m)

    return metres

"""The weights of correlation: a YAML file that a person can read, checked as a whole, with the digest that names it."""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from streams.categories import Catalogue
from streams.loading import checked, digest, read_yaml, refused
from streams.weight_shapes import CategoryWeights, LikenessShape, SourceShape, WeightsShape

BUILT_IN: Final = "built_in.yaml"
REMEMBERED_PAIRS: Final = 16_384
SLOT_MS: Final = 300_000
"""How finely the first look at a candidate tells times apart."""
STEP_BITS: Final = 0.5
"""How finely it tells weights apart."""
STEP_M: Final = 50
GRACE_M: Final = 200
"""How much nearer than its place another report of an incident may lie for the first look."""
LEAST_SIGMA_M: Final = 100


class Bounds(NamedTuple):
    """For the first look at a candidate: the most that kinds, time and place can give."""

    kind_bits: float
    time_bits: tuple[float, ...]
    """By slots of time since the incident's last report."""
    longest_ms: int
    """The window of the incident's kind."""
    reach_squared: tuple[float, ...]
    """Square of the farthest distance that still gives `least_bits` and so many steps more; beyond the last, none."""

    def reach(self, lacking: float) -> float:
        """Square of the farthest distance that gives so many bits more than the least; negative: none does."""
        steps = int(lacking // STEP_BITS)
        if steps >= len(self.reach_squared):
            return -1.0
        return self.reach_squared[max(0, steps)]


class Likeness(NamedTuple):
    """A table of likeness, ready for use."""

    percents: tuple[float, ...]
    values: tuple[float, ...]
    most: float

    def bits(self, percent: float) -> float:
        """Bits for so much likeness: on the straight line between the two points around it."""
        upper = bisect_left(self.percents, percent)
        if upper == 0:
            return self.values[0]
        x0, x1, y0, y1 = *self.percents[upper - 1 : upper + 1], *self.values[upper - 1 : upper + 1]
        return y0 + (y1 - y0) * (percent - x0) / (x1 - x0)


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
    suggest_bits: float
    """From here on a person is asked."""
    _known: dict[tuple[str, str, int], Bounds] = field(default_factory=dict, repr=False, compare=False)
    _times: dict[int, tuple[float, ...]] = field(default_factory=dict, repr=False, compare=False)
    _reaches: dict[tuple[float, float], tuple[float, ...]] = field(default_factory=dict, repr=False, compare=False)

    def auto_bits(self, one: str, other: str) -> float:
        """From here on the machine links reports of these kinds."""
        costs = self.shape.costs
        return math.log2(max(costs.categories.get(kind, costs.false_link) for kind in (one, other)))

    def bounds(self, category: str, kind: str, vague: int) -> Bounds:
        """For a report of this category and an incident whose kind is listed as `category/vagueness`.

        Remembered: they follow from the weights and the catalogue alone.
        """
        key = (category, kind, vague)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= REMEMBERED_PAIRS:
                self._known.clear()
            other, _, its_vague = kind.rpartition("/")
            found = self._known[key] = self._bounds(category, other, int(its_vague), vague)
        return found

    def _bounds(self, one: str, other: str, its_vague: int, vague: int) -> Bounds:
        window = self.window_ms(other)
        times = self._times.get(window)
        if times is None:
            slots = range(window // SLOT_MS + 2)
            times = tuple(self.time_bits(max(slot - 1, 0) * SLOT_MS, window) for slot in slots)
            self._times[window] = times
        spread, radii = self.spread_m(one, other), (LEAST_SIGMA_M << vague) ** 2 + (LEAST_SIGMA_M << its_vague) ** 2
        reach = self._reaches.get((spread, radii))
        if reach is None:
            reach = self._reaches[spread, radii] = self._reach(spread / 2, math.sqrt(spread**2 / 4 + radii / 2.25))
        return Bounds(self.category_bits(one, other), times, window, reach)

    def _reach(self, smallest: float, largest: float) -> tuple[float, ...]:
        """See `Bounds.reach_squared`; the standard deviation lies between these."""
        steps = range(2 * int(self.shape.search_m) // STEP_M + 1)
        most = [self._most(max(at * STEP_M - GRACE_M, 0), max(smallest, 1.0), largest) for at in steps]
        least, at = self.least_bits, steps[-1]
        reach = []
        for step in range(int((most[0] - least) / STEP_BITS) + 1):
            while most[at] < least + step * STEP_BITS:
                at -= 1
            reach.append(float((at * STEP_M) ** 2))
        return tuple(reach)

    def _most(self, metres: float, smallest: float, largest: float) -> float:
        """No standard deviation between these gives so distant a point more bits; a Gaussian is highest at its own."""
        shape, squared, best = self.shape.distance, metres * metres, metres / math.sqrt(2)
        near = min(max(best, smallest), largest)
        far = min(max(best, shape.tail_m, 2 * smallest), max(shape.tail_m, 2 * largest))
        return self._falling_bits(near**2, far**2, squared)

    @property
    def least_bits(self) -> float:
        """The least that a distance can count."""
        return self.shape.distance.scale * self.shape.least_bits

    def distance_bits(self, metres: float, sigma_m: float) -> float:
        """Bits for two points so far apart, where those of one incident differ by `sigma_m` along each axis."""
        far = max(self.shape.distance.tail_m, 2 * sigma_m)
        return self._falling_bits(sigma_m**2, far**2, metres * metres)

    def _falling_bits(self, near: float, far: float, squared: float) -> float:
        shape, area, tail = self.shape, self.shape.search_m**2, self.shape.distance.tail
        ratio = (1 - tail) * _falling(area, near, squared) + tail * _falling(area, far, squared)
        bits = max(math.log2(ratio), shape.least_bits) if ratio > 0 else shape.least_bits
        return shape.distance.scale * bits

    def time_bits(self, gap_ms: int, window_ms: int) -> float:
        """Bits for two event times so far apart; the window is that of the incident's category."""
        shape, gap, window = self.shape.time, gap_ms / 60_000, window_ms / 60_000
        late = max(shape.late_least_minutes, window / 4)
        early = (1 - shape.late) / shape.early_minutes * math.exp(-gap / shape.early_minutes)
        ratio = min(window, shape.window_minutes) * (early + shape.late / late * math.exp(-gap / late))
        bits = max(math.log2(ratio), self.shape.least_bits) if ratio > 0 else self.shape.least_bits
        return shape.scale * bits

    def direction_bits(self, one: str, other: str) -> float:
        """Bits for two directions of travel as they were told."""
        if not one or not other:
            return 0.0
        return self.shape.direction.same if one == other else self.shape.direction.different


def vagueness(sigma_m: float) -> int:
    """An uncertainty as a power of two: at most 100 m times two to this."""
    return int(max(sigma_m - 1, 0) // LEAST_SIGMA_M).bit_length()


def load(text: str, catalogue: Catalogue, where: str = "weights.yaml") -> Weights:
    """Weights from the text of their file.

    Misconfigured names all mistakes: shapes, thresholds the wrong way round, kinds that the catalogue does not have.
    """
    data = read_yaml(text, where)
    shape = checked(WeightsShape, data, where)
    known = set(catalogue.categories) | {one.group for one in catalogue.categories.values()}
    named = {part for pair in shape.category.pairs for part in pair.split("|")}
    named |= {*shape.category.neutral_groups, *shape.careful.categories, *shape.costs.categories}
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
        suggest_bits=math.log2(shape.costs.false_suggestion),
    )


def built_in(catalogue: Catalogue) -> Weights:
    """The weights that come with the project, for any catalogue that has the kinds they name."""
    return load(built_in_text(), catalogue, BUILT_IN)


def built_in_text() -> str:
    """The file of these weights."""
    return (files("streams") / "weights" / BUILT_IN).read_text(encoding="utf-8")


def _falling(area: float, variance: float, squared: float) -> float:
    return area / (2 * variance) * math.exp(-squared / (2 * variance))


def _likeness(shape: LikenessShape) -> Likeness:
    percents, values = zip(*shape.points, strict=True)
    return Likeness(percents, values, values[-1])


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


def _source_bits(shape: SourceShape) -> Callable[[str, str], float]:
    pairs = {frozenset(pair.split("|")): bits for pair, bits in shape.pairs.items()}

    def bits(one: str, other: str) -> float:
        found = pairs.get(frozenset((one, other))) if pairs else None
        return found if found is not None else shape.same if one == other else shape.different

    return bits


def _spread(catalogue: Catalogue) -> Callable[[str, str], float]:
    @lru_cache(maxsize=REMEMBERED_PAIRS)
    def metres(one: str, other: str) -> float:
        return max(catalogue.category(one).radius_m, catalogue.category(other).radius_m)

    return metres

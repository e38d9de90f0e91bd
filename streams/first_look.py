"""The first look at what is near a report: what the best words could not bring to a suggestion is left out unseen.

Pure. It goes by what a cell of the grid lists of an incident (`Candidate`): its place, kind, how far from there its
other report lies, and its last time, with a slot of grace, for a cell is not written with every report.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from streams.incident_state import Candidate, Sighting
from streams.match_weights import Weights

METRES_PER_DEGREE: Final = 111_195.0
"""Of latitude, on a sphere of 6,371 km; the error below 0.6 % is nothing beside the positions' own."""
SLOT_MS: Final = 300_000
"""How finely times are told apart."""
STEP_BITS: Final = 0.25
"""How finely weights are told apart."""
STEP_M: Final = 25
EXTENT_M: Final = 200
"""How finely it is listed how far from its place another report of an incident lies."""
MOST_EXTENTS: Final = 64
LEAST_SIGMA_M: Final = 100
REMEMBERED: Final = 4_096
"""Kinds of reports, and of places, of which is remembered how far to look."""


def metres_between(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """On a plane that touches the first point; far apart (hundreds of km) it is too much."""
    east = (lon - other_lon) * METRES_PER_DEGREE * math.cos(math.radians(lat))
    return math.hypot((lat - other_lat) * METRES_PER_DEGREE, east)


class Around(NamedTuple):
    """What is near a report: ids of the incidents that are worth a look, and how many open ones there are in all."""

    ids: list[str]
    open: int


class Reach(NamedTuple):
    """How far from a report an incident of one kind may lie: squares of metres; negative: nowhere."""

    squared: float
    """Whenever its last report came."""
    by_slot: tuple[float, ...]
    """By slots of time since its last report."""
    longest_ms: int
    """The window of its kind, and a slot of grace."""


class Reaches(dict[str, Reach]):
    """For reports of one kind: the reach of each kind of incident, as cells list it, worked out when first met."""

    def __init__(self, weights: Weights, category: str, vague: int, lacking: float) -> None:
        """`lacking`: the bits that kinds, time and place must give together."""
        super().__init__()
        self._of = weights, category, vague, lacking

    def __missing__(self, kind: str) -> Reach:
        """Work it out; `kind` is category, slash, vagueness, plus, extent."""
        weights, category, vague, lacking = self._of
        other, _, listed = kind.rpartition("/")
        its_vague, _, extent = listed.partition("+")
        window = weights.window_ms(other)
        lacking -= weights.category_bits(category, other) + weights.least_bits
        place = (
            weights.spread_m(category, other),
            vague,
            int(its_vague),
            int(extent or 1) * EXTENT_M,
        )  # an older state tells no extent
        far: tuple[float, ...] = _remembered(weights, ("far", *place), lambda: _distances(weights, *place))
        if {category, other} & weights.moving:
            anywhere = int((weights.shape.moving.least_bits - weights.least_bits) // STEP_BITS) + 1
            far = (*[math.inf] * anywhere, *far[anywhere:])
        slots = range(window // SLOT_MS + 2)
        times = [weights.time_bits(max(slot - 1, 0) * SLOT_MS, window) for slot in slots]
        by_slot = tuple(_reach(far, lacking - bits) for bits in times)
        found = self[kind] = Reach(by_slot[0], by_slot, window + SLOT_MS)
        return found


def worth_a_look(weights: Weights, report: Sighting, candidates: Iterable[Candidate]) -> Around:
    """The candidates that the best words could still bring to the threshold of suggestion."""
    reaches = _reaches(weights, report)
    lat, lon, at_ms = report.lat or 0.0, report.lon or 0.0, report.at_ms
    east_m = METRES_PER_DEGREE * math.cos(math.radians(lat))
    around, crowd = weights.shape.search_m**2 if weights.shape.burst_bits else -1.0, 0
    found: list[str] = []
    for one in candidates:  # by numbers, not names: of most nothing is read but place and kind
        reach, by_slot, longest_ms = reaches[one[3]]
        north = (lat - one[1]) * METRES_PER_DEGREE
        squared = north * north
        if squared > reach and squared > around:
            continue  # most of them: it is too far north or south
        east = (lon - one[2]) * east_m
        squared += east * east
        if squared > reach and squared > around:
            continue
        gap = at_ms - one[4]
        if gap > longest_ms:
            continue
        crowd += squared <= around
        if squared <= (by_slot[gap // SLOT_MS] if gap > 0 else reach):
            found.append(one[0])
    return Around(found, crowd)


def vagueness(sigma_m: float) -> int:
    """An uncertainty as a power of two: at most 100 m times two to this."""
    return int(max(sigma_m - 1, 0) // LEAST_SIGMA_M).bit_length()


def _reaches(weights: Weights, report: Sighting) -> Reaches:
    shape, vague = weights.shape, vagueness(report.sigma_m)
    words = (weights.text.most if report.text else 0.0) + (weights.street.most if report.street else 0.0)
    rest = weights.source_most + (shape.direction.same if report.direction else 0.0)
    rest += shape.road.same if report.road else 0.0
    key = report.category, vague, weights.suggest_bits - shape.prior_bits - rest - words
    found: Reaches = _remembered(weights, key, lambda: Reaches(weights, *key))
    return found


def _remembered(weights: Weights, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """What follows from the weights, worked out once; within bounds, whatever a hostile source tells."""
    found = weights.looks.get(key)
    if found is None:
        if len(weights.looks) >= REMEMBERED:
            weights.looks.clear()
        found = weights.looks[key] = make()
    return found


def _distances(weights: Weights, spread: float, vague: int, its_vague: int, grace_m: int) -> tuple[float, ...]:
    """Square of the farthest distance that still gives the least bits and so many steps more; beyond the last, none.

    The standard deviation lies between that of two exact points and that of the vaguest which are listed alike.
    """
    radii = (LEAST_SIGMA_M << vague) ** 2 + (LEAST_SIGMA_M << its_vague) ** 2
    smallest, largest = max(spread / 2, 1.0), math.sqrt(spread**2 / 4 + radii / 2.25)
    steps = range(2 * int(weights.shape.search_m) // STEP_M + 1)
    # The distance lies between this step and the next one.
    most = [_most(weights, max((at - 1) * STEP_M - grace_m, 0), smallest, largest) for at in steps]
    least, at = weights.least_bits, steps[-1]
    reach = []
    for step in range(int((most[0] - least) / STEP_BITS) + 1):
        while most[at] < least + step * STEP_BITS:
            at -= 1
        reach.append(float((at * STEP_M) ** 2))
    return tuple(reach)


def _most(weights: Weights, metres: float, smallest: float, largest: float) -> float:
    """No standard deviation between these gives so distant a point more bits; a Gaussian is highest at its own."""
    tail_m, best = weights.shape.distance.tail_m, metres / math.sqrt(2)
    near = min(max(best, smallest), largest)
    far = min(max(best, tail_m, 2 * smallest), max(tail_m, 2 * largest))
    return weights.fall.bits(metres * metres, near**2, far**2)


def _reach(far: tuple[float, ...], lacking: float) -> float:
    steps = int(lacking // STEP_BITS)
    return -1.0 if steps >= len(far) else far[max(0, steps)]

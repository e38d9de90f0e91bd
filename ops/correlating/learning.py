"""Learns the weights of linking from pairs that dispatchers joined: readable YAML, fitted together, monotone.

Each earlier call within reach is one example. Kinds are counted first, with back-off from pairs of codes over pairs of
groups to the prior of all; then everything is fitted at once. What nature makes monotone stays so: farther, later and
less alike never counts more.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import yaml
from rapidfuzz import fuzz

from ops.correlating.fitting import Matrix, fit
from ops.correlating.records import Heard
from ops.correlating.truth import Reach, Truth, earlier
from streams import correlate, match_weights
from streams.categories import Catalogue
from streams.incident_state import Sighting
from streams.incident_summary import gist, sighting
from streams.match_weights import Weights

KNOTS: Final = (0.0, 30.0, 50.0, 70.0, 90.0, 100.0)
"""Percent of likeness between which the bits run straight."""
SHRINK: Final = 8.0
"""As many imagined examples with the odds of the group stand beside the counts of a pair of codes."""
LEAST_COUNT: Final = 20
"""Pairs of kinds with fewer examples are not written down: the group speaks for them."""
MOST_BITS: Final = 6.0


@dataclass(frozen=True, slots=True)
class Example:
    """Two calls within reach of each other, and whether they were one incident."""

    later: Sighting
    earlier: Sighting
    metres: float
    joined: bool


@dataclass(slots=True)
class Kinds:
    """How often kinds met, joined and not."""

    joined: Counter[frozenset[str]] = field(default_factory=Counter)
    apart: Counter[frozenset[str]] = field(default_factory=Counter)

    def bits(self, pair: frozenset[str], instead: float) -> float:
        """Log-odds against those of all, drawn towards `instead` as far as there are few examples."""
        joined, apart = self.joined[pair], self.apart[pair]
        all_joined, all_apart = max(1, self.joined.total()), max(1, self.apart.total())
        lean = SHRINK * 2.0**instead * all_joined / all_apart
        ratio = ((joined + lean) / all_joined) / ((apart + SHRINK) / all_apart)
        return max(-MOST_BITS, min(MOST_BITS, math.log2(ratio)))


def examples(heard: Sequence[Heard], truth: Truth, reach: Reach, weights: Weights, until_ms: float) -> list[Example]:
    """Every pair within reach whose later call came before `until_ms`."""
    seen = {one.key: sighting(gist(one.told), weights.shape) for one in heard}
    return [
        Example(seen[one.key], seen[other.key], metres, truth.cluster(one.key) == truth.cluster(other.key))
        for one, others in earlier(heard, reach)
        if one.at_ms < until_ms
        for metres, other in others
    ]


def learn(told: Sequence[Example], base: Mapping[str, Any], catalogue: Catalogue, name: str) -> dict[str, Any]:
    """The weights file as an object: the base with everything that can be learnt from the examples.

    What they do not show (shared ids, careful kinds, thresholds) stays as the base has it.
    """
    kinds = _kinds(told, catalogue)
    plain: dict[str, Any] = {**base, "category": kinds, "distance": {**base["distance"], "scale": 1.0}}
    plain["time"] = {**base["time"], "scale": 1.0}
    weights = match_weights.load(yaml.safe_dump(plain), catalogue, name)
    columns = [_column(one, weights) for one in told]
    found = fit(np.array(columns), np.array([one.joined for one in told]), _floors())
    return {**plain, "name": name, **_written(found, plain)}


def _kinds(told: Sequence[Example], catalogue: Catalogue) -> dict[str, Any]:
    codes, groups, same = Kinds(), Kinds(), Kinds()
    for one in told:
        a, b = catalogue.category(one.later.category), catalogue.category(one.earlier.category)
        alike = "same" if a.code == b.code else "group" if a.group == b.group else "different"
        for kinds, pair in (
            (codes, frozenset((a.code, b.code))),
            (groups, frozenset((a.group, b.group))),
            (same, frozenset((alike,))),
        ):
            (kinds.joined if one.joined else kinds.apart)[pair] += 1
    alike_bits = {word: same.bits(frozenset((word,)), 0.0) for word in ("same", "group", "different")}
    group_of = {code: one.group for code, one in catalogue.categories.items()}
    written = _pairs(groups, lambda pair: alike_bits["group" if len(pair) == 1 else "different"])
    by_group = {frozenset(pair.split("|")): bits for pair, bits in written.items()}

    def instead(pair: frozenset[str]) -> float:
        between = frozenset(group_of.get(code, code) for code in pair)
        return by_group.get(between, alike_bits["same" if len(pair) == 1 else "different"])

    return {
        "same": round(alike_bits["same"], 2),
        "same_group": round(alike_bits["group"], 2),
        "different": round(alike_bits["different"], 2),
        "neutral_groups": [],
        "pairs": {**written, **_pairs(codes, instead)},
        "cap": {},
    }


def _pairs(kinds: Kinds, instead: Callable[[frozenset[str]], float]) -> dict[str, float]:
    both = kinds.joined + kinds.apart
    names = sorted("|".join(sorted(pair) * (3 - len(pair))) for pair, count in both.items() if count >= LEAST_COUNT)
    return {
        name: round(kinds.bits(frozenset(name.split("|")), instead(frozenset(name.split("|")))), 2) for name in names
    }


def _column(one: Example, weights: Weights) -> list[float]:
    later, before = one.later, one.earlier
    sigma = correlate.sigma_m(weights, later, before)
    gap = abs(later.at_ms - before.at_ms)
    return [
        weights.distance_bits(one.metres, sigma),
        weights.time_bits(gap, weights.window_ms(before.category)),
        weights.category_bits(later.category, before.category),
        float(later.system != before.system),
        float(bool(later.direction) and later.direction == before.direction),
        -float(bool(later.direction and before.direction) and later.direction != before.direction),
        *_ramps(later.street, before.street),
        *_ramps(later.text, before.text),
    ]


def _ramps(one: str, other: str) -> list[float]:
    """Whether both tell it, and how much of the way between two knots the likeness has come, for each two."""
    if not one or not other:
        return [0.0] * len(KNOTS)
    percent = fuzz.token_set_ratio(one, other)
    ways = (max(0.0, min(1.0, (percent - a) / (b - a))) for a, b in pairwise(KNOTS))
    return [-1.0, *ways]


def _floors() -> Matrix:
    """All but the source and the beginning of each ramp may only count in one direction."""
    ramps = [-np.inf, *[0.0] * (len(KNOTS) - 1)]
    return np.array([0.0, 0.0, 0.0, -np.inf, 0.0, 0.0, *ramps, *ramps])


def _written(found: Matrix, plain: Mapping[str, Any]) -> dict[str, Any]:
    """The fitted numbers where the file has them."""
    prior, distance, time, kinds, source, same, different, *rest = (float(one) for one in found)
    street, text = rest[: len(KNOTS)], rest[len(KNOTS) :]
    category = plain["category"]
    return {
        "prior_bits": round(prior + source / 2, 2),
        "distance": {**plain["distance"], "scale": round(distance, 3)},
        "time": {**plain["time"], "scale": round(time, 3)},
        "category": {
            **category,
            **{name: round(kinds * category[name], 2) for name in ("same", "same_group", "different")},
            "pairs": {pair: round(kinds * bits, 2) for pair, bits in category["pairs"].items()},
        },
        "source": {"same": round(-source / 2, 2), "different": round(source / 2, 2)},
        "direction": {"same": round(same, 2), "different": round(-different, 2)},
        "street": {**plain["street"], "points": _points(street)},
        "text": {**plain["text"], "points": _points(text)},
    }


def _points(found: Sequence[float]) -> list[list[float]]:
    """The table: the bits at the first knot, then what each way adds."""
    bits, points = -found[0], []
    for knot, more in zip(KNOTS, [0.0, *found[1:]], strict=True):
        bits += more
        points.append([knot, round(bits, 2)])
    return points


def thresholds(shape: dict[str, Any], reach: Reach) -> dict[str, Any]:
    """The same weights that look as far as the examples were drawn from."""
    return {**shape, "search_m": reach.metres, "never_beyond_m": max(shape["never_beyond_m"], reach.metres)}

"""Learns the weights of linking from pairs that dispatchers joined: readable YAML, fitted together, monotone.

Each earlier call within reach is one example. Kinds are counted first, with back-off from pairs of codes over pairs of
groups to the prior of all; then everything is fitted at once. What nature makes monotone stays so: farther, later and
less alike never counts more.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import yaml

from ops.correlating.fitting import NATS, Held, Matrix, fit
from ops.correlating.records import Heard
from ops.correlating.truth import Reach, Truth, earlier
from streams import correlate, likeness, match_weights
from streams.categories import Catalogue
from streams.feature_bits import Likeness
from streams.incident_state import Sighting
from streams.incident_summary import gist, sighting
from streams.match_weights import Weights

KNOTS: Final = (0.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0)
"""Percent of likeness between which the bits run straight."""
SHRINK: Final = 8.0
"""As many imagined examples with the odds of the group stand beside the counts of a pair of codes."""
LEAST_COUNT: Final = 20
"""Pairs of kinds or of sources with fewer examples are not written down: something wider speaks for them."""
MOST_BITS: Final = 6.0
KEEPABLE: Final = ("text", "source")
"""Parts that can be fitted beside the others and yet be written as the base has them: of a feed's own wording and of
its neighbours, which say nothing of other places.
"""


@dataclass(frozen=True, slots=True)
class Example:
    """Two calls within reach of each other, and whether they were one incident."""

    later: Sighting
    earlier: Sighting
    metres: float
    crowd: int
    """How many earlier calls were within reach of the later one, this one among them."""
    joined: float
    """Whether they were one incident: 1 or 0 as dispatchers said, or how likely it is where nobody said."""

    @property
    def sources(self) -> frozenset[str]:
        """Who told them."""
        return frozenset((self.later.system, self.earlier.system))


@dataclass(slots=True)
class Kinds:
    """How often kinds met, joined and not."""

    joined: dict[frozenset[str], float] = field(default_factory=lambda: defaultdict(float))
    apart: dict[frozenset[str], float] = field(default_factory=lambda: defaultdict(float))

    def take(self, pair: frozenset[str], joined: float) -> None:
        """One more example of the pair."""
        self.joined[pair] += joined
        self.apart[pair] += 1 - joined

    def counts(self) -> Counter[frozenset[str]]:
        """How many examples there are of each pair."""
        return Counter({pair: round(count + self.joined[pair]) for pair, count in self.apart.items()})

    def bits(self, pair: frozenset[str], instead: float) -> float:
        """Log-odds against those of all, drawn towards `instead` as far as there are few examples."""
        joined, apart = self.joined[pair], self.apart[pair]
        all_joined, all_apart = max(1.0, sum(self.joined.values())), max(1.0, sum(self.apart.values()))
        lean = SHRINK * 2.0**instead * all_joined / all_apart
        ratio = ((joined + lean) / all_joined) / ((apart + SHRINK) / all_apart)
        return max(-MOST_BITS, min(MOST_BITS, math.log2(ratio)))


def examples(
    heard: Sequence[Heard], truth: Truth, reach: Reach, weights: Weights, until_ms: Sequence[float]
) -> list[Example]:
    """Every pair within reach whose later call came before `until_ms` of its file."""
    seen = {one.key: sighting(gist(one.told), weights.shape) for one in heard}
    return [
        Example(
            seen[one.key],
            seen[other.key],
            metres,
            len(others),
            float(truth.cluster(one.key) == truth.cluster(other.key)),
        )
        for one, others in earlier(heard, reach)
        if one.at_ms < until_ms[one.file]
        for metres, other in others
    ]


def learn(
    told: Sequence[Example],
    base: Mapping[str, Any],
    catalogue: Catalogue,
    name: str,
    keep: Collection[str] = (),
    held: float = 0.0,
) -> dict[str, Any]:
    """The weights file as an object: the base with everything that can be learnt from the examples.

    What they do not show (shared ids, careful kinds, costs, neutral groups) stays as the base has it, and so do the
    parts in `keep` (see `KEEPABLE`). `held`: each weight is drawn to the base's as by so many examples.
    """
    kinds = _kinds(told, catalogue, frozenset(base["category"]["neutral_groups"]))
    plain: dict[str, Any] = {**base, "name": name, "category": {**base["category"], **kinds}}
    plain |= {part: {**base[part], "scale": 1.0} for part in ("distance", "time")}
    weights = match_weights.load(yaml.safe_dump(plain), catalogue, name)
    sources = _frequent(Counter(one.sources for one in told))
    # The prior speaks of the most frequent pair of sources, the others are told apart from it.
    columns = [[*_column(one, weights), *(float(one.sources == pair) for pair in sources[1:])] for one in told]
    floors = np.concatenate([_floors(), np.full(len(sources[1:]), -np.inf)])
    start = _held(match_weights.load(yaml.safe_dump(dict(base)), catalogue, name), sources, held) if held else None
    found = fit(np.array(columns), np.array([one.joined for one in told]), floors, start)
    fitted = _fitted(found, plain, sources, base["category"])
    return {**plain, **{part: one for part, one in fitted.items() if part not in keep}}


def _held(base: Weights, sources: Sequence[frozenset[str]], strength: float) -> Held:
    """The base's weights, as `fit` has them."""
    shape, bits = base.shape, [base.source_bits(min(pair), max(pair)) for pair in sources]
    first = bits[0] if bits else 0.0
    scales = [shape.distance.scale, shape.time.scale, 1.0, shape.burst_bits]
    ramps = [ramp for table in (base.street, base.text) for ramp in _as_ramps(table)]
    told = [bits for one in (shape.direction, shape.road) for bits in (one.same, -one.different)]
    weights = [shape.prior_bits + first, *scales, *told, *ramps, *(one - first for one in bits[1:])]
    return Held(np.array(weights), np.full(len(weights), strength))


def _as_ramps(table: Likeness) -> list[float]:
    """A table of likeness as `_ramps` counts it."""
    points = [table.bits(knot) for knot in KNOTS]
    return [-points[0], *(b - a for a, b in pairwise(points))]


def _frequent(counts: Counter[frozenset[str]]) -> list[frozenset[str]]:
    """Those with enough examples, the most frequent first."""
    return sorted(
        (pair for pair, count in counts.items() if count >= LEAST_COUNT), key=lambda one: (-counts[one], _name(one))
    )


def _name(pair: frozenset[str]) -> str:
    return "|".join(sorted(pair) * (3 - len(pair)))


def _kinds(told: Sequence[Example], catalogue: Catalogue, neutral: frozenset[str]) -> dict[str, Any]:
    codes, groups, same = Kinds(), Kinds(), Kinds()
    for one in told:
        a, b = catalogue.category(one.later.category), catalogue.category(one.earlier.category)
        if {a.group, b.group} & neutral:
            continue
        alike = "same" if a.code == b.code else "group" if a.group == b.group else "different"
        for kinds, pair in (
            (codes, frozenset((a.code, b.code))),
            (groups, frozenset((a.group, b.group))),
            (same, frozenset((alike,))),
        ):
            kinds.take(pair, one.joined)
    alike_bits = {word: same.bits(frozenset((word,)), 0.0) for word in ("same", "group", "different")}
    group_of = {code: one.group for code, one in catalogue.categories.items()}
    by_group = _bits(groups, lambda pair: alike_bits["group" if len(pair) == 1 else "different"])

    def instead(pair: frozenset[str]) -> float:
        between = frozenset(group_of.get(code, code) for code in pair)
        return by_group.get(between, alike_bits["same" if len(pair) == 1 else "different"])

    pairs = {**by_group, **_bits(codes, instead)}
    return {
        "same": round(alike_bits["same"], 2),
        "same_group": round(alike_bits["group"], 2),
        "different": round(alike_bits["different"], 2),
        "pairs": {_name(pair): round(pairs[pair], 2) for pair in sorted(pairs, key=_name)},
        "cap": {},
    }


def _bits(kinds: Kinds, instead: Callable[[frozenset[str]], float]) -> dict[frozenset[str], float]:
    return {pair: kinds.bits(pair, instead(pair)) for pair in _frequent(kinds.counts())}


def _column(one: Example, weights: Weights) -> list[float]:
    later, before = one.later, one.earlier
    sigma = correlate.sigma_m(weights, later, before)
    gap = abs(later.at_ms - before.at_ms)
    return [
        weights.distance_bits(one.metres, sigma),
        weights.time_bits(gap, weights.window_ms(before.category)),
        weights.kinds(later.category)[before.category].bits,
        -math.log2(one.crowd),
        *_agreement(later.direction, before.direction),
        *_agreement(later.road, before.road),
        *_ramps(later.street, before.street),
        *_ramps(later.text, before.text),
    ]


def _agreement(one: str, other: str) -> tuple[float, float]:
    """Whether both tell the same, and (negative) whether they tell two."""
    both = bool(one and other)
    return float(both and one == other), -float(both and one != other)


def _ramps(one: str, other: str) -> list[float]:
    """Whether both tell it, and how much of the way between two knots the likeness has come, for each two."""
    percent = likeness.percent(likeness.words(one), likeness.words(other))
    if percent is None:
        return [0.0] * len(KNOTS)
    ways = (max(0.0, min(1.0, (percent - a) / (b - a))) for a, b in pairwise(KNOTS))
    return [-1.0, *ways]


def _floors() -> Matrix:
    """All but the beginning of each ramp may only count in one direction."""
    ramps = [-np.inf, *[0.0] * (len(KNOTS) - 1)]
    return np.array([NATS, *[0.0] * 7, *ramps, *ramps])


def _fitted(
    found: Matrix, plain: Mapping[str, Any], sources: Sequence[frozenset[str]], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The fitted numbers where the file has them.

    Kinds that were not seen together keep what `before` says of them, moved until the same kind counts as it was seen
    to: so both are on one scale, on which nothing known is nothing counted.
    """
    prior, distance, time, kinds, burst, *rest = (float(one) for one in found)
    (way, another_way, road, another_road), rest = rest[:4], rest[4:]
    street, text, pairs = rest[: len(KNOTS)], rest[len(KNOTS) : 2 * len(KNOTS)], rest[2 * len(KNOTS) :]
    category = plain["category"]
    moved = kinds * category["same"] - before["same"]
    pairs_before = {_name(frozenset(pair.split("|"))): round(bits + moved, 2) for pair, bits in before["pairs"].items()}
    pairs_seen = {pair: round(kinds * bits, 2) for pair, bits in category["pairs"].items()}
    return {
        "prior_bits": round(prior, 2),
        "burst_bits": round(burst, 2),
        "distance": {**plain["distance"], "scale": round(distance, 3)},
        "time": {**plain["time"], "scale": round(time, 3)},
        "category": {
            **before,
            **{name: round(before[name] + moved, 2) for name in ("same", "same_group", "different")},
            "pairs": {**pairs_before, **pairs_seen},
            "cap": {pair: round(bits + moved, 2) for pair, bits in before["cap"].items()},
        },
        "direction": {"same": round(way, 2), "different": round(-another_way, 2) + 0.0},
        "road": {"same": round(road, 2), "different": round(-another_road, 2) + 0.0},
        "street": {**plain["street"], "points": _table(street)},
        "text": {**plain["text"], "points": _table(text)},
        "source": {
            **plain["source"],
            "pairs": {_name(pair): round(bits, 2) for pair, bits in zip(sources, [0.0, *pairs], strict=True)},
        },
    }


def _table(found: Sequence[float]) -> list[list[float]]:
    """The table: the bits at the first knot, then what each way adds."""
    bits, points = -found[0], []
    for knot, more in zip(KNOTS, [0.0, *found[1:]], strict=True):
        bits += more
        points.append([knot, round(bits, 2) + 0.0])  # no minus zero
    return points


def written(shape: Mapping[str, Any]) -> str:
    """The file's text: a line for each number that has a name, a line for each list."""
    return yaml.dump(shape, Dumper=_Lines, sort_keys=False, width=120, allow_unicode=True)


class _Lines(yaml.SafeDumper):
    """Lists on one line."""


_Lines.add_representer(
    list, lambda dumper, one: dumper.represent_sequence("tag:yaml.org,2002:seq", one, flow_style=True)
)


def looking(shape: dict[str, Any], reach: Reach) -> dict[str, Any]:
    """The same weights that look as far as the examples were drawn from."""
    return {**shape, "search_m": reach.metres, "never_beyond_m": max(shape["never_beyond_m"], reach.metres)}

"""Learns the weights of linking where nobody said which calls are one: by expectation maximisation.

Dempster, Laird and Rubin (1977); for record linkage Winkler, "Using the EM Algorithm for Weight Computation in the
Fellegi-Sunter Model of Record Linkage" (1988). In turn each pair of calls gets the probability that the weights of now
give it, and the weights are fitted to these probabilities as to decisions. A call is of one incident at the most: the
earlier ones within its reach share one certainty. Pure.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import yaml

from ops.correlating.learning import Example, learn
from streams import correlate, likeness, match_weights
from streams.categories import Catalogue
from streams.match_weights import Weights

ROUNDS: Final = 30
HELD: Final = 50.0
"""Where nobody decides, what little is seen moves the base's weights little: they stand for so many examples each."""
CLOSE: Final = 0.002
"""Nothing more is learnt when the number of joined pairs that is expected changes by less than this share."""


def expect_and_learn(
    told: Sequence[Example],
    base: Mapping[str, Any],
    catalogue: Catalogue,
    name: str,
    keep: Collection[str] = (),
    say: Callable[[int, float], None] = lambda _round, _joined: None,
) -> tuple[dict[str, Any], float]:
    """The weights file as an object, and how many of the pairs are expected to be one incident.

    Begins with the weights of `base`, and what they believe; how sure the result is nobody can tell without somebody
    who decides. `say` hears of each round.
    """
    shape, joined = dict(base), -1.0
    for turn in range(ROUNDS):
        weights = match_weights.load(yaml.safe_dump(shape), catalogue, name)
        believed = expected(told, weights)
        before, joined = joined, sum(one.joined for one in believed)
        say(turn + 1, joined)
        if abs(joined - before) <= CLOSE * max(joined, 1.0):
            break
        shape = learn(believed, base, catalogue, name, keep, HELD)
    return shape, joined


def expected(told: Sequence[Example], weights: Weights) -> list[Example]:
    """The examples with how likely each is to be one incident, by these weights."""
    of_call: defaultdict[str, float] = defaultdict(float)
    odds = [2.0 ** min(bits(one, weights), correlate.MOST_BITS) for one in told]
    for one, its in zip(told, odds, strict=True):
        of_call[one.later.report_id] += its
    return [
        replace(one, joined=its / (1.0 + of_call[one.later.report_id])) for one, its in zip(told, odds, strict=True)
    ]


def bits(one: Example, weights: Weights) -> float:
    """The log-odds that two calls are one incident: what `streams.correlate` gives for an incident of one report."""
    later, before = one.later, one.earlier
    return (
        weights.shape.prior_bits
        - weights.shape.burst_bits * math.log2(max(1, one.crowd))
        + weights.distance_bits(one.metres, correlate.sigma_m(weights, later, before))
        + weights.time_bits(abs(later.at_ms - before.at_ms), weights.window_ms(before.category))
        + weights.kinds(later.category)[before.category].bits
        + weights.source_bits(later.system, before.system)
        + weights.direction_bits(later.direction, before.direction)
        + weights.road_bits(later.road, before.road)
        + correlate.most_alike(weights.street, likeness.words(later.street), [before.street])
        + correlate.most_alike(weights.text, likeness.words(later.text), [before.text])
    )

"""The best rule of thumb, as a yardstick: link to the nearest earlier call within a radius and a window.

Tuned by grid on the training part and judged on the later one, like the matcher.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, NamedTuple

from ops.correlating.records import Heard
from ops.correlating.truth import Reach, Truth, earlier

RADII_M: Final = (50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 4_000, 5_000)
WINDOWS_MIN: Final = (1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60)


@dataclass(frozen=True, slots=True)
class Rule:
    """Within so many metres and minutes; of the same category, or of any."""

    metres: float
    minutes: float
    same: bool


class Near(NamedTuple):
    """An earlier call within reach of a later one."""

    metres: float
    minutes: float
    same: bool
    right: bool


RULES: Final = tuple(Rule(*one) for one in product(RADII_M, WINDOWS_MIN, (False, True)))


def near(heard: Sequence[Heard], truth: Truth, reach: Reach) -> dict[str, list[Near]]:
    """Key -> the earlier calls within reach, nearest first."""
    return {one.key: sorted(_pair(one, *other, truth) for other in others) for one, others in earlier(heard, reach)}


def _pair(one: Heard, metres: float, other: Heard, truth: Truth) -> Near:
    right = truth.cluster(one.key) == truth.cluster(other.key)
    return Near(metres, (one.at_ms - other.at_ms) / 60_000, one.told.category == other.told.category, right)


def counts(rule: Rule, keys: Iterable[str], pairs: dict[str, list[Near]], partners: set[str]) -> tuple[int, int]:
    """Found and labelled-false links of a rule over these calls."""
    found = false = 0
    for key in keys:
        for pair in pairs.get(key, ()):
            if pair.metres <= rule.metres and pair.minutes <= rule.minutes and (pair.same or not rule.same):
                found += pair.right and key in partners
                false += not pair.right
                break
    return found, false


def best(per_thousand: float, keys: Sequence[str], pairs: dict[str, list[Near]], partners: set[str]) -> Rule | None:
    """The rule that finds most with at most so many labelled-false links per 1,000 calls; None: each makes more.

    Of equally good ones the narrowest.
    """
    allowed = per_thousand * len(keys) / 1000
    told = ((counts(rule, keys, pairs, partners), rule) for rule in RULES)
    fitting = [(found, -false, -number) for number, ((found, false), _) in enumerate(told) if false <= allowed]
    return RULES[-max(fitting)[2]] if fitting else None

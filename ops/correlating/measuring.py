"""How good decisions are, by labels. Pure.

A call counts as found when the incident that it fits best holds an earlier call of its true cluster. A labelled-false
link is a call whose best incident holds none: an upper bound of the false ones, because labels are a lower bound.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from schemas.topic import HOUR_MS

BUDGETS: Final = (10, 20, 50, 93)
"""Labelled-false links per 1,000 calls at which finding is compared."""
RESAMPLES: Final = 400
TAIL: Final = 0.025
"""Of a 95 % interval, on each side."""


class Judged(NamedTuple):
    """One call with what labels say. `bits`: -inf without any candidate; `partner`: it has one that can be found."""

    key: str
    at_ms: int
    bits: float
    right: bool
    partner: bool


class Point(NamedTuple):
    """One point of the curve: from this weight on."""

    bits: float
    found: int
    false: int


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def curve(judged: Sequence[Judged]) -> list[Point]:
    """Found and labelled-false links by falling threshold; one point for each weight that occurs."""
    points: list[Point] = []
    found = false = 0
    for one in sorted(judged, key=lambda one: -one.bits):
        if one.bits == -math.inf:
            break
        found += one.right and one.partner
        false += not one.right
        if points and points[-1].bits == one.bits:
            points.pop()
        points.append(Point(one.bits, found, false))
    return points


def shares(judged: Sequence[Judged]) -> dict[str, float]:
    """By budget the share of the partners found, at the lowest threshold with no more labelled-false links than that
    per 1,000 calls; and under `average_precision` the area under the precision-recall curve, as a sum of steps.
    """
    partners = sum(one.partner for one in judged) or 1
    allowed = {str(budget): budget * len(judged) / 1000 for budget in BUDGETS}
    told = {**dict.fromkeys(allowed, 0.0), "average_precision": 0.0}
    before = 0
    for point in curve(judged):
        for name, most in allowed.items():
            if point.false <= most:
                told[name] = point.found / partners
        if point.found > before:
            told["average_precision"] += (point.found - before) / partners * point.found / (point.found + point.false)
            before = point.found
    return told


def bootstrap(judged: Sequence[Judged], seed: int, resamples: int = RESAMPLES) -> dict[str, Interval]:
    """`shares` with their intervals. Whole hours are drawn: calls of one hour hang together."""
    hours: dict[int, list[Judged]] = {}
    for one in judged:
        hours.setdefault(one.at_ms // HOUR_MS, []).append(one)
    blocks, dice = list(hours.values()), random.Random(seed)  # noqa: S311 - a draw that can be repeated
    drawn = [shares([one for block in dice.choices(blocks, k=len(blocks)) for one in block]) for _ in range(resamples)]
    told = shares(judged)
    return {name: _interval(value, sorted(one[name] for one in drawn)) for name, value in told.items()}


def _interval(value: float, drawn: Sequence[float]) -> Interval:
    if not drawn:
        return Interval(value, value, value)
    last = len(drawn) - 1
    return Interval(value, drawn[int(TAIL * last)], drawn[math.ceil((1 - TAIL) * last)])


@dataclass(frozen=True, slots=True)
class Bin:
    """Calls whose weight says a like probability: how many, what was said on average, what labels say."""

    count: int
    said: float
    right: float


def probability(bits: float) -> float:
    """Of log-odds in bits."""
    return 1 / (1 + 2.0 ** min(-bits, 1000.0)) if bits > -1000 else 0.0


def calibration(judged: Sequence[Judged], bins: int = 10) -> list[Bin]:
    """By equal parts of the said probability; empty parts are left out."""
    parts: dict[int, list[Judged]] = {}
    for one in judged:
        if one.bits > -math.inf:
            parts.setdefault(min(bins - 1, int(probability(one.bits) * bins)), []).append(one)
    return [
        Bin(
            len(part),
            sum(probability(one.bits) for one in part) / len(part),
            sum(one.right for one in part) / len(part),
        )
        for _, part in sorted(parts.items())
    ]


def b_cubed(clusters: Mapping[str, str], truth: Callable[[str], str]) -> tuple[float, float]:
    """Precision and recall of clusters, call by call (Bagga and Baldwin, 1998). `clusters`: call -> incident."""
    ours: dict[str, int] = {}
    theirs: dict[str, int] = {}
    both: dict[tuple[str, str], int] = {}
    for key, incident in clusters.items():
        true = truth(key)
        ours[incident] = ours.get(incident, 0) + 1
        theirs[true] = theirs.get(true, 0) + 1
        both[incident, true] = both.get((incident, true), 0) + 1
    if not clusters:
        return 1.0, 1.0
    precision = sum(count * count / ours[incident] for (incident, _), count in both.items()) / len(clusters)
    recall = sum(count * count / theirs[true] for (_, true), count in both.items()) / len(clusters)
    return precision, recall


def wilson(right: int, of: int) -> Interval:
    """A share with its 95 % interval (Wilson, 1927), for samples that a person read."""
    if not of:
        return Interval(0.0, 0.0, 1.0)
    z, share = 1.959964, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def hours_of(judged: Sequence[Judged]) -> float:
    """From the first to the last call, at least one hour."""
    times = [one.at_ms for one in judged]
    return max(1.0, (max(times) - min(times)) / HOUR_MS) if times else 1.0

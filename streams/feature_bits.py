"""What single features of two reports count in bits: time, distance, likeness of words, kinds. Pure.

The numbers come from the weights (`streams.match_weights`); these are their forms, ready for use.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

REMEMBERED_KINDS: Final = 512
"""More than any catalogue has; a neighbour's may have others."""


@dataclass(frozen=True)
class Curve:
    """Bits by time for incidents of one window: their ratio of likelihoods is two exponentials of the gap in ms."""

    early: float
    early_rate: float
    late: float
    late_rate: float
    least: float
    scale: float

    def bits(self, gap_ms: int) -> float:
        """Bits for so long a gap."""
        ratio = self.early * math.exp(self.early_rate * gap_ms) + self.late * math.exp(self.late_rate * gap_ms)
        return self.scale * max(math.log2(ratio), self.least) if ratio > 0 else self.scale * self.least


@dataclass(frozen=True)
class Fall:
    """Bits by distance: a Gaussian around the incident, and a wider one of those callers that are far off.

    In square metres; both weights hold the area in which an incident is looked for.
    """

    near: float
    far: float
    tail: float
    least: float
    scale: float

    def bits(self, squared: float, near: float, far: float) -> float:
        """Bits for the square of a distance, where these are the variances of the two."""
        half = -squared / 2
        ratio = self.near / near * math.exp(half / near) + self.far / far * math.exp(half / far)
        return self.scale * max(math.log2(ratio), self.least) if ratio > 0 else self.scale * self.least

    def of(self, squared: float, variance: float) -> float:
        """Bits where reports of one incident differ by this variance along each axis."""
        return self.bits(squared, variance, max(4 * variance, self.tail))


@dataclass(frozen=True)
class Likeness:
    """A table of likeness, ready for use."""

    percents: tuple[float, ...]
    values: tuple[float, ...]
    most: float

    def bits(self, percent: float) -> float:
        """Bits for so much likeness: on the straight line between the two points around it."""
        upper = bisect_left(self.percents, percent)
        if upper == 0:
            return self.values[0]
        x0, x1 = self.percents[upper - 1], self.percents[upper]
        y0, y1 = self.values[upper - 1], self.values[upper]
        return y0 + (y1 - y0) * (percent - x0) / (x1 - x0)


@dataclass(frozen=True)
class Kinds:
    """What two kinds count: bits for being of one incident, and by how much its places differ by their size."""

    bits: float
    variance: float
    """Along each axis: square of half the radius, square metres."""


class KindsOf(dict[str, Kinds]):
    """One kind with each other one, worked out when first met."""

    def __init__(self, bits: Callable[[str, str], float], spread_m: Callable[[str, str], float], code: str) -> None:
        super().__init__()
        self._of = bits, spread_m, code

    def __missing__(self, other: str) -> Kinds:
        """Work it out."""
        bits, spread_m, code = self._of
        if len(self) >= REMEMBERED_KINDS:
            self.clear()
        spread = spread_m(code, other)
        found = self[other] = Kinds(bits(code, other), spread * spread / 4)
        return found

"""What the file of the weights of correlation may hold; its comments say what each number means."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from streams.loading import Shape

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class DistanceShape(Shape):
    """Share of callers that are far off, and how far; and how much of it all counts."""

    tail: Share
    tail_m: Positive
    scale: NotNegative = 1.0
    """Factor of the bits: below 1 where other features say in part the same thing."""


class TimeShape(Shape):
    """How soon reports of one incident follow one another."""

    early_minutes: Positive
    late: Share
    late_least_minutes: Positive
    window_minutes: Positive
    scale: NotNegative = 1.0
    """As that of the distance."""


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
    """Bits for reports of the same far system (and agency, where one feed carries several), and of two."""

    same: float
    different: float
    pairs: dict[str, float] = {}
    """Of two named ones, as `112|psp`, or of one with itself: what an installation has learnt of its own sources."""


class AgreementShape(Shape):
    """Bits where both tell the same, and where they tell two; nothing where one does not tell it."""

    same: NotNegative = 0.0
    different: Annotated[float, Field(le=0)] = 0.0


class CostShape(Shape):
    """What mistakes cost, a missed link being 1. From these the thresholds follow, for bits are log-odds."""

    false_link: Positive
    """Two matters made one by the machine, which hides the second."""
    false_suggestion: Positive
    """A person looked for nothing."""
    categories: dict[str, Positive] = {}
    """`false_link` of reports or incidents of one kind."""


class CarefulShape(Shape):
    """What place, time and kind alone never join: words or shared identifiers must give so many bits."""

    bits: Positive
    categories: tuple[str, ...]
    """These kinds."""
    one_source_bits: float | None = None
    """Reports of one source whose kinds count less than this: who took both kept them apart."""


class MovingShape(Shape):
    """Kinds whose place is where somebody was seen passing: a driver, a stolen car, somebody on the run."""

    km_per_minute: NotNegative = 0.0
    """How far they come meanwhile."""
    least_bits: Annotated[float, Field(le=0)] = 0.0
    """What a distance counts at least that they may have come."""
    categories: tuple[str, ...] = ()


class WeightsShape(Shape):
    """The file as a whole; its comments say what each number means."""

    version: Literal[1]
    name: str
    prior_bits: float
    burst_bits: NotNegative = 0.0
    """Taken off for each doubling of the open incidents around: in a storm two trees are two trees."""
    costs: CostShape
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
    direction: AgreementShape = AgreementShape()
    road: AgreementShape = AgreementShape()
    careful: CarefulShape
    moving: MovingShape = MovingShape()

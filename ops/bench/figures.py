"""Figures of a measurement: percentiles of latencies, slope of a backlog."""

from collections.abc import Mapping, Sequence
from typing import Final

PERCENTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


def percentiles(
    values: Sequence[float], wanted: Mapping[str, float] = PERCENTILES, digits: int = 1
) -> dict[str, float]:
    """Nearest-rank percentiles and the maximum, rounded; empty for no values."""
    if not values:
        return {}
    ranked = sorted(values)
    return {name: round(_at(ranked, share), digits) for name, share in {**wanted, "max": 1.0}.items()}


def percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest-rank percentile, 0 to 1; None of nothing."""
    return _at(sorted(values), share) if values else None


def _at(ranked: Sequence[float], share: float) -> float:
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least-squares slope of (second, backlog) points, in records per second; 0 for fewer than two points."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0

"""The figures of the benchmarks are computed right."""

import os

import pytest

from ops.bench.figures import percentiles, slope
from ops.bench.processes import cpu_seconds, rss_mb, tree


def test_percentiles_are_values_that_were_measured() -> None:
    """Nearest rank: nothing is interpolated, the maximum is the maximum."""
    found = percentiles([float(n) for n in range(1, 1001)])
    assert (found["p50"], found["p99"], found["max"]) == (501.0, 991.0, 1000.0)


def test_no_values_no_figures() -> None:
    """A run without answers does not pretend to have been fast."""
    assert percentiles([]) == {}


@pytest.mark.parametrize(
    ("points", "expected"), [([(0, 0), (1, 5), (2, 10)], 5.0), ([(0, 7), (5, 7)], 0.0), ([(1, 1)], 0.0)]
)
def test_the_slope_shows_a_growing_backlog(points: list[tuple[float, float]], expected: float) -> None:
    """Records per second that are not kept up with."""
    assert slope(points) == pytest.approx(expected)


def test_a_process_is_measured() -> None:
    """This one uses memory and time; one that is gone uses none."""
    assert os.getpid() in tree(os.getpid())
    assert rss_mb(os.getpid()) > 1
    assert cpu_seconds([os.getpid()]) > 0
    assert rss_mb(2**30) == 0.0
    assert cpu_seconds([2**30]) == 0.0

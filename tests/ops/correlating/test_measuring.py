"""The yardsticks of linking, on cases that can be counted by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.correlating import measuring
from ops.correlating.measuring import Judged
from schemas.topic import HOUR_MS

NEVER = -math.inf


def judged(bits: float, *, right: bool = False, partner: bool | None = None, hour: int = 0) -> Judged:
    """A call; what is right has a partner unless said otherwise."""
    return Judged(f"{bits}-{hour}", hour * HOUR_MS, bits, right, right if partner is None else partner)


FIVE = [
    judged(9, right=True),
    judged(7),
    judged(5, right=True),
    judged(3),
    judged(NEVER, partner=True),
]


def test_the_curve_counts_from_the_heaviest_down() -> None:
    """Each point is what a threshold there would link; equal weights are one point; what has no candidate is none."""
    assert measuring.curve(FIVE) == [(9, 1, 0), (7, 1, 1), (5, 2, 1), (3, 2, 2)]
    assert measuring.curve([judged(4, right=True), judged(4)]) == [(4, 1, 1)]
    assert measuring.curve([]) == []


def test_a_budget_is_never_exceeded() -> None:
    """Of a thousand calls so many may be linked without a label: one false link among 100 calls is 10 per 1,000."""
    rest = [judged(NEVER) for _ in range(95)]
    told = measuring.shares([*FIVE, *rest])
    assert told["10"] == pytest.approx(2 / 3)
    none = measuring.shares([judged(11), judged(10), *FIVE, *rest])
    assert none["10"] == 0, "the heaviest ones are one false more than allowed"


def test_average_precision_is_the_area_in_steps() -> None:
    """First partner at precision 1, second at 2/3, third never."""
    assert measuring.shares(FIVE)["average_precision"] == pytest.approx((1 + 2 / 3) / 3)


def test_the_interval_holds_the_value_and_is_the_same_again() -> None:
    """Drawn by whole hours with a seed."""
    calls = [judged(9 - hour % 7, right=hour % 3 == 0, hour=hour) for hour in range(200)]
    first = measuring.bootstrap(calls, seed=1, resamples=50)
    assert first == measuring.bootstrap(calls, seed=1, resamples=50)
    for one in first.values():
        assert one.low <= one.value <= one.high
    wide = first["93"]
    assert wide.low < wide.high
    assert measuring.bootstrap(calls, seed=1, resamples=0)["93"].low == wide.value


def test_b_cubed_by_hand() -> None:
    """Truth abc, d; ours ab, cd: precision (1 + 1 + 1/2 + 1/2) / 4, recall (2/3 + 2/3 + 1/3 + 1) / 4."""
    ours = {"a": "1", "b": "1", "c": "2", "d": "2"}
    true = {"a": "x", "b": "x", "c": "x", "d": "y"}
    precision, recall = measuring.b_cubed(ours, true.__getitem__)
    assert precision == pytest.approx(3 / 4)
    assert recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4)


@given(st.dictionaries(st.integers(0, 30), st.integers(0, 5), min_size=1))
def test_clusters_that_are_the_truth_are_perfect(truth: dict[int, int]) -> None:
    """Whatever it is."""
    clusters = {str(key): str(value) for key, value in truth.items()}
    assert measuring.b_cubed(clusters, clusters.__getitem__) == pytest.approx((1, 1))


def test_calibration_holds_what_was_said_against_labels() -> None:
    """0 bits say one half; three of four such calls are right."""
    calls = [judged(0.0, right=right) for right in (True, True, True, False)] + [judged(NEVER)]
    (one,) = measuring.calibration(calls)
    assert (one.count, one.said, one.right) == (4, 0.5, 0.75)


def test_a_sample_that_was_read_has_an_interval() -> None:
    """Wilson's: 8 of 10 is between 49 and 94 %."""
    one = measuring.wilson(8, 10)
    assert (round(one.low, 2), one.value, round(one.high, 2)) == (0.49, 0.8, 0.94)
    assert measuring.wilson(0, 0) == measuring.Interval(0.0, 0.0, 1.0)

"""Fits additive weights together: logistic regression with a small ridge and with weights that may not be negative.

Weighed each for itself, features that say the same thing count two or three times (decision 0215). Pure.
"""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
RIDGE: Final = 1.0
ROUNDS: Final = 100
STEPS: Final = 60
CLOSE: Final = 1e-7
NATS: Final = float(np.log(2))
"""Of one bit."""


class Held(NamedTuple):
    """What each weight (the intercept first) is drawn to, in bits, and how strongly: as by so many examples."""

    bits: Matrix
    strength: Matrix


def fit(features: Matrix, labels: NDArray[Any], floors: Matrix, held: Held | None = None) -> Matrix:
    """Weights in bits: the intercept, then one for each column; each at least its floor (`-inf`: free).

    `labels`: whether each is one, or how likely it is. `held`: what the weights are drawn to, else to nothing, but for
    the intercept. Projected Newton steps with halving; the loss is convex, so what
    it comes to is the one best.
    """
    columns = np.hstack([np.ones((len(labels), 1)), features])
    lowest = np.concatenate([[-np.inf], floors])
    truth = labels.astype(np.float64)
    pull = held or Held(np.zeros(len(lowest)), np.concatenate([[0.0], np.full(len(floors), RIDGE)]))
    pull = pull._replace(bits=pull.bits * NATS)
    weights: Matrix = np.maximum(lowest, pull.bits)
    loss = _loss(columns, truth, pull, weights)
    for _ in range(ROUNDS):
        step = _newton(columns, truth, pull, weights, lowest)
        found = _walked(columns, truth, pull, weights, step, lowest, loss)
        if found is None or loss - found[1] < CLOSE * (1 + abs(loss)):
            break
        weights, loss = found
    return weights / NATS


def _newton(columns: Matrix, truth: Matrix, pull: Held, weights: Matrix, lowest: Matrix) -> Matrix:
    """The Newton step in the weights that are free to move; the others stand at their floor and are pushed down."""
    said = _probability(columns @ weights)
    slope = columns.T @ (said - truth) + pull.strength * (weights - pull.bits)
    free = ~((weights <= lowest) & (slope > 0))
    inside = columns[:, free]
    curve = (inside.T * (said * (1 - said))) @ inside + np.diag(pull.strength[free] + 1e-9)
    step = np.zeros_like(weights)
    step[free] = -np.linalg.solve(curve, slope[free])
    return step


def _walked(
    columns: Matrix, truth: Matrix, pull: Held, weights: Matrix, step: Matrix, lowest: Matrix, loss: float
) -> tuple[Matrix, float] | None:
    """As far along the step as the loss falls, kept above the floors; None when it falls nowhere."""
    share = 1.0
    for _ in range(STEPS):
        there: Matrix = np.maximum(weights + share * step, lowest)
        its = _loss(columns, truth, pull, there)
        if its < loss:
            return there, its
        share /= 2
    return None


def _loss(columns: Matrix, truth: Matrix, pull: Held, weights: Matrix) -> float:
    said = columns @ weights
    drawn = pull.strength * (weights - pull.bits) ** 2
    return float(np.sum(np.logaddexp(0.0, said) - truth * said) + 0.5 * np.sum(drawn))


def _probability(said: Matrix) -> Matrix:
    told: Any = 1.0 / (1.0 + np.exp(-np.clip(said, -500, 500)))
    return np.asarray(told, dtype=np.float64)

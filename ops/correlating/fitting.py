"""Fits additive weights together: logistic regression with a small ridge and with weights that may not be negative.

Weighed each for itself, features that say the same thing count two or three times (decision 0215). Pure.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
RIDGE: Final = 1.0
ROUNDS: Final = 100
STEPS: Final = 60
CLOSE: Final = 1e-7
NATS: Final = float(np.log(2))
"""Of one bit."""


def fit(features: Matrix, labels: NDArray[np.bool_], floors: Matrix) -> Matrix:
    """Weights in bits: the intercept, then one for each column; each at least its floor (`-inf`: free).

    Projected Newton steps with halving; the loss is convex, so what it comes to is the one best.
    """
    columns = np.hstack([np.ones((len(labels), 1)), features])
    lowest = np.concatenate([[-np.inf], floors])
    weights: Matrix = np.where(np.isfinite(lowest), np.maximum(lowest, 0.0), 0.0)
    truth = labels.astype(np.float64)
    ridge = np.full(len(weights), RIDGE)
    ridge[0] = 0.0
    loss = _loss(columns, truth, ridge, weights)
    for _ in range(ROUNDS):
        step = _newton(columns, truth, ridge, weights, lowest)
        found = _walked(columns, truth, ridge, weights, step, lowest, loss)
        if found is None or loss - found[1] < CLOSE * (1 + abs(loss)):
            break
        weights, loss = found
    return weights / NATS


def _newton(columns: Matrix, truth: Matrix, ridge: Matrix, weights: Matrix, lowest: Matrix) -> Matrix:
    """The Newton step in the weights that are free to move; the others stand at their floor and are pushed down."""
    said = _probability(columns @ weights)
    slope = columns.T @ (said - truth) + ridge * weights
    free = ~((weights <= lowest) & (slope > 0))
    inside = columns[:, free]
    curve = (inside.T * (said * (1 - said))) @ inside + np.diag(ridge[free] + 1e-9)
    step = np.zeros_like(weights)
    step[free] = -np.linalg.solve(curve, slope[free])
    return step


def _walked(
    columns: Matrix, truth: Matrix, ridge: Matrix, weights: Matrix, step: Matrix, lowest: Matrix, loss: float
) -> tuple[Matrix, float] | None:
    """As far along the step as the loss falls, kept above the floors; None when it falls nowhere."""
    share = 1.0
    for _ in range(STEPS):
        there: Matrix = np.maximum(weights + share * step, lowest)
        its = _loss(columns, truth, ridge, there)
        if its < loss:
            return there, its
        share /= 2
    return None


def _loss(columns: Matrix, truth: Matrix, ridge: Matrix, weights: Matrix) -> float:
    said = columns @ weights
    return float(np.sum(np.logaddexp(0.0, said) - truth * said) + 0.5 * np.sum(ridge * weights * weights))


def _probability(said: Matrix) -> Matrix:
    told: Any = 1.0 / (1.0 + np.exp(-np.clip(said, -500, 500)))
    return np.asarray(told, dtype=np.float64)

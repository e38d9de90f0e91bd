"""When a delivery is tried again, and when a person is told. Pure."""

from typing import Final

PAUSES_SECONDS: Final = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""After the first failures; then the last one for ever. Standard Webhooks' own schedule is too slow for dispatch."""
JITTER: Final = 0.2
"""Share by which a pause is longer or shorter, so that many deliveries do not knock at once."""
TELL_SECONDS: Final = 60.0
"""A delivery that fails for so long is an alarm."""


def pause_seconds(failures: int, chance: float, asked_seconds: float | None = None) -> float:
    """How long to wait after the n-th failure in a row (n from 1).

    `chance` is from [0, 1): where within the jitter. `asked_seconds` is the far side's Retry-After: never earlier.
    """
    planned = PAUSES_SECONDS[min(failures, len(PAUSES_SECONDS)) - 1] * (1 + JITTER * (2 * chance - 1))
    return planned if asked_seconds is None else max(planned, asked_seconds * (1 + JITTER * chance))

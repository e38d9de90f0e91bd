"""Totals over runs: one row for each fault, with the bound that so many runs give. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ops.prove.system import judge as judging
from ops.prove.system.judge import Judgement

CERTAINTY: Final = 0.95
Key = tuple[str, int, float, str, str]
"""Fault, seed, seconds, digest of the build, safety taken out: what has been run need not be run again."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run and what it came to. `caught`: the self-test of the judge on this run's own evidence.

    `off`: the safety that was taken out on purpose; such a run must be convicted, and counts in no total.
    `alerts_missing`, `alerts_unexpected`: names of alerts. `timeline`: its drawing for the page.
    """

    fault: str
    seed: int
    seconds: float
    build: str
    judgement: Judgement
    caught: Mapping[str, bool | None] = field(default_factory=dict)
    off: str = ""
    alerts_missing: tuple[str, ...] = ()
    alerts_unexpected: tuple[str, ...] = ()
    timeline: str = ""

    @property
    def key(self) -> Key:
        """What makes it the same run as another."""
        return self.fault, self.seed, self.seconds, self.build, self.off

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass; a run whose judge missed a spoilt record proves nothing."""
        missed = [f"the judge missed {name}" for name, told in self.caught.items() if told is False]
        alerts = [f"alert {name} missing" for name in self.alerts_missing]
        alerts += [f"alert {name} unexpected" for name in self.alerts_unexpected]
        return (*self.judgement.reasons, *missed, *alerts)

    @property
    def passed(self) -> bool:
        """Whether it proves what it was to prove."""
        return not self.reasons

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `read` takes it back."""
        return {
            **{name: getattr(self, name) for name in self.__slots__ if name != "judgement"},
            "judgement": self.judgement.as_dict(),
        }


def read(told: Mapping[str, Any]) -> Run:
    """The run that `as_dict` told, perhaps by way of JSON. KeyError or TypeError for anything else."""
    held = dict(told)
    held["judgement"] = judging.read(held["judgement"])
    held["alerts_missing"] = tuple(held["alerts_missing"])
    held["alerts_unexpected"] = tuple(held["alerts_unexpected"])
    return Run(**held)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A variant of a fault that could not be tried here, and why; its row stays unproven so far."""

    fault: str
    variant: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One fault over all its runs. Times are the worst of all runs; the share is over all first tries."""

    fault: str
    runs: int
    accepted: int
    delivered: int
    quarantined: int
    lost: int
    doubled: int
    order_inversions: int
    unexpected: int
    recovery_seconds: float | None
    answered_2xx_share: float | None
    loss_upper_bound: float | None
    slowest_recovery_seconds: float | None = None
    emergency_2xx_share: float | None = None
    longest_stall_seconds: float = 0.0
    p99_seconds: float | None = None
    urgent_overtaken: int = 0
    seeds: tuple[int, ...] = ()
    failures: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    alerts_missing: tuple[str, ...] = ()
    alerts_unexpected: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Every run passed."""
        return not self.failures


def rows(runs: Sequence[Run], skipped: Sequence[Skipped] = ()) -> list[Row]:
    """A row for each fault that was run, in the order of their first runs; runs with a safety out are left out."""
    kept = [run for run in runs if not run.off]
    return [
        _row(fault, [run for run in kept if run.fault == fault], [one for one in skipped if one.fault == fault])
        for fault in dict.fromkeys(run.fault for run in kept)
    ]


def total(runs: Sequence[Run]) -> Row:
    """All faults together; the bound is that of the sum."""
    return _row("total", [run for run in runs if not run.off], [])


def convictions(runs: Iterable[Run]) -> dict[str, bool]:
    """Safety taken out -> whether every run without it was convicted by its judge, as it must be."""
    told: dict[str, bool] = {}
    for run in runs:
        if run.off:
            told[run.off] = told.get(run.off, True) and not run.judgement.passed
    return told


def loss_upper_bound(lost: int, accepted: int) -> float | None:
    """The share of losses that is not exceeded with a certainty of 95 %; None of nothing.

    3/N for none lost (rule of three), else the exact bound of a Poisson count.
    """
    if not accepted:
        return None
    if not lost:
        return 3 / accepted
    low, high = float(lost), lost + 10 * math.sqrt(lost) + 10
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(lost, middle) > 1 - CERTAINTY:
            low = middle
        else:
            high = middle
    return min(1.0, high / accepted)


def _at_most(count: int, mean: float) -> float:
    """The chance that a Poisson count with this mean is at most `count`."""
    return math.fsum(math.exp(number * math.log(mean) - mean - math.lgamma(number + 1)) for number in range(count + 1))


def _row(fault: str, runs: Sequence[Run], skipped: Sequence[Skipped]) -> Row:
    told = [run.judgement for run in runs]
    accepted, lost = sum(one.accepted for one in told), sum(one.lost for one in told)
    return Row(
        fault=fault,
        runs=len(runs),
        accepted=accepted,
        delivered=sum(one.delivered for one in told),
        quarantined=sum(one.quarantined for one in told),
        lost=lost,
        doubled=sum(one.doubled for one in told),
        order_inversions=sum(one.order_inversions for one in told),
        unexpected=sum(one.unexpected for one in told),
        recovery_seconds=_worst(one.recovery_seconds for one in told),
        answered_2xx_share=_pooled(one.answered for one in told),
        loss_upper_bound=loss_upper_bound(lost, accepted),
        slowest_recovery_seconds=_worst(one.slowest_recovery_seconds for one in told),
        emergency_2xx_share=_pooled(one.answered_emergency for one in told),
        longest_stall_seconds=max((one.longest_stall_seconds for one in told), default=0.0),
        p99_seconds=_worst(one.p99_seconds for one in told),
        urgent_overtaken=sum(one.urgent_overtaken for one in told),
        seeds=tuple(run.seed for run in runs),
        failures=tuple(f"{run.fault} seed {run.seed}: {', '.join(run.reasons)}" for run in runs if not run.passed),
        skipped=tuple(f"{one.variant}: {one.reason}" for one in skipped),
        alerts_missing=tuple(dict.fromkeys(name for run in runs for name in run.alerts_missing)),
        alerts_unexpected=tuple(dict.fromkeys(name for run in runs for name in run.alerts_unexpected)),
    )


def _worst(values: Iterable[float | None]) -> float | None:
    return max((one for one in values if one is not None), default=None)


def _pooled(values: Iterable[tuple[int, int]]) -> float | None:
    pairs = list(values)
    of = sum(pair[1] for pair in pairs)
    return sum(pair[0] for pair in pairs) / of if of else None

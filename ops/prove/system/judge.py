"""The judgement of a run, over its evidence alone; and the proof, on that same evidence, that it can convict."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from ops.bench.figures import percentile
from ops.prove.system import checkers, measures, mutations
from ops.prove.system.history import Evidence
from ops.prove.system.known import Known, index
from ops.prove.system.measures import Span

SHOWN: Final = 20
"""Names kept of each thing that is wrong; the counts are whole."""
CONVICTS: Final = ("lost", "doubled", "order_inversions", "unexpected", "aborted_reads", "conflicting")
"""Counts that must be 0."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run came to. Counts are of different reports; seconds; None where the run does not tell.

    `quarantined`: everything set aside; `set_aside`: accepted reports among it. `recovery_seconds`: from the last heal
    to the first delivery anywhere; `slowest_recovery_seconds`: at the recipient that waited longest. `answered`: how
    many and of how many. `unseen_at_end`: accepted and not arrived when all had come that came. `figures`: what is
    worth a look and no fault. `ids`: by checker, the first of what is wrong.
    """

    run: str
    fault: str
    seed: int
    drained: bool
    accepted: int
    delivered: int
    quarantined: int
    set_aside: int
    lost: int
    doubled: int
    order_inversions: int
    unexpected: int
    aborted_reads: int
    conflicting: int
    quarantined_equals_injected: bool
    balanced: bool
    urgent_overtaken: int
    recovery_seconds: float | None
    slowest_recovery_seconds: float | None
    answered: tuple[int, int]
    answered_emergency: tuple[int, int]
    longest_stall_seconds: float
    p50_seconds: float | None
    p99_seconds: float | None
    unseen: tuple[tuple[float, int], ...]
    lost_places: Mapping[str, int]
    figures: Mapping[str, int]
    ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Nothing lost, doubled, out of order or from nowhere; the books balance; and the run came to its end."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass, in a few words each."""
        told = [f"{count} {name}" for name in CONVICTS if (count := getattr(self, name))]
        if not self.quarantined_equals_injected:
            told.append("quarantined is not what was injected")
        if not self.balanced:
            told.append("the books do not balance")
        if not self.drained:
            told.append("not drained")
        elif self.unseen_at_end:
            told.append(f"{self.unseen_at_end} unseen at the end")
        return tuple(told)

    @property
    def unseen_at_end(self) -> int:
        """Deliveries accepted and never seen."""
        return self.unseen[-1][1] if self.unseen else 0

    @property
    def answered_2xx_share(self) -> float | None:
        """Share of first tries of what was valid, answered 2xx within 2 s."""
        return self.answered[0] / self.answered[1] if self.answered[1] else None

    @property
    def emergency_2xx_share(self) -> float | None:
        """The same of emergency sources alone."""
        return self.answered_emergency[0] / self.answered_emergency[1] if self.answered_emergency[1] else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON; `read` takes it back."""
        return {
            **{one.name: getattr(self, one.name) for one in fields(self)},
            "passed": self.passed,
            "answered_2xx_share": self.answered_2xx_share,
            "emergency_2xx_share": self.emergency_2xx_share,
        }


def read(told: Mapping[str, Any]) -> Judgement:
    """The judgement that `as_dict` told, perhaps by way of JSON. KeyError or TypeError for anything else."""
    held = {one.name: told[one.name] for one in fields(Judgement)}
    held["answered"], held["answered_emergency"] = tuple(held["answered"]), tuple(held["answered_emergency"])
    held["unseen"] = tuple((at, count) for at, count in held["unseen"])
    held["ids"] = {name: tuple(ids) for name, ids in held["ids"].items()}
    return Judgement(**held)


def judge(evidence: Evidence) -> Judgement:
    """Judge a run. The same evidence gets the same judgement, whenever and wherever it is judged."""
    known = index(evidence)
    found = measures.spans(known)
    missing = checkers.lost(known)
    commands = checkers.lost_commands(known)
    delivered, set_aside = checkers.ends(known, {identity for identity, _ in missing})
    items, least, most = checkers.quarantine(known)
    wrong = {
        "lost": [f"{identity} -> {where}" for identity, where in missing] + [f"command {one}" for one in commands],
        "doubled": checkers.doubled(known),
        "order_inversions": checkers.order_inversions(known),
        "unexpected": checkers.unexpected(known),
        "aborted_reads": checkers.aborted_reads(known),
        "conflicting": checkers.conflicting(known),
        "equation": checkers.equation(known),
        "quarantine": [] if least <= items <= most else [f"{items} set aside, {least} to {most} were to be"],
        "urgent_overtaken": measures.overtaken(known),
        "set_aside_wrongly": checkers.set_aside_wrongly(known),
    }
    lost = len({identity for identity, _ in missing}) + len(commands)
    return Judgement(
        run=evidence.run,
        fault=evidence.fault,
        seed=evidence.seed,
        drained=evidence.drained,
        accepted=len(known.accepted),
        delivered=delivered,
        quarantined=len({row.item_id for row in evidence.aside}),
        set_aside=set_aside,
        lost=lost,
        doubled=len(wrong["doubled"]),
        order_inversions=len(wrong["order_inversions"]),
        unexpected=len(wrong["unexpected"]),
        aborted_reads=len(wrong["aborted_reads"]),
        conflicting=len(wrong["conflicting"]),
        quarantined_equals_injected=not wrong["quarantine"],
        balanced=not wrong["equation"] and len(known.accepted) == delivered + set_aside,
        urgent_overtaken=len(wrong["urgent_overtaken"]),
        **_times(known, found),
        lost_places=checkers.lost_places(known),
        figures=checkers.total_queue(known),
        ids={name: tuple(ids[:SHOWN]) for name, ids in wrong.items() if ids},
    )


def _times(known: Known, found: list[Span]) -> dict[str, Any]:
    first, slowest = measures.recovery(known.evidence, found)
    seconds = measures.latencies(found)
    return {
        "recovery_seconds": first,
        "slowest_recovery_seconds": slowest,
        "answered": measures.answered(known.evidence.operations),
        "answered_emergency": measures.answered(known.evidence.operations, emergency=True),
        "longest_stall_seconds": measures.longest_stall(known.evidence, found),
        "p50_seconds": percentile(seconds, 0.5),
        "p99_seconds": percentile(seconds, 0.99),
        "unseen": tuple(measures.unseen(found)),
    }


def self_test(evidence: Evidence) -> dict[str, bool | None]:
    """Spoil a copy of the run's own evidence, each time in one way, and say whether the checkers noticed.

    True: caught, by the checker whose business it is. False: not caught, so that this run proves nothing. None: this
    evidence is too small to be spoilt so.
    """
    before = judge(evidence)
    told: dict[str, bool | None] = {}
    for name, (spoil, caught) in mutations.MUTATIONS.items():
        spoilt = spoil(evidence)
        told[name] = None if spoilt is None else _worse(before, judge(spoilt), caught)
    return told


def _worse(before: Judgement, after: Judgement, caught: str) -> bool | None:
    """Whether the named checker found something that it had not found before; None where it was false already."""
    was, now = getattr(before, caught), getattr(after, caught)
    if was is False:
        return None
    return not after.passed and bool(not now if was is True else now > was)

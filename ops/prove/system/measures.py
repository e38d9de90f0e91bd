"""Figures of a run that are no verdict by themselves: how soon, how long nothing, who waited. Pure; seconds."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from ops.prove.system.history import OK, Evidence, Operation
from ops.prove.system.known import BAD, Known, applied, delivery_id
from schemas.report import Urgency

PROMPT_SECONDS: Final = 2.0
"""An answer within 2 s under all conditions (FAULTS 7)."""
OVERTAKEN_SECONDS: Final = 1.0
"""An urgent report must have waited at least so long beyond the usual before another counts as having overtaken it."""
HEAL: Final = "heal"


class Span(NamedTuple):
    """One accepted report on its way to one recipient. `arrived`: None if it never came."""

    recipient: str
    told: float
    accepted: float
    arrived: float | None
    ended: bool


def spans(known: Known) -> list[Span]:
    """All of them. `ended`: it lies there, is superseded or set aside."""
    found = []
    for one, report, recipient in known.pairs():
        effects = known.seen.get((report, recipient))
        arrived = min(effect.at for effect in effects) if effects else None
        found.append(
            Span(recipient, one.first, one.accepted or one.first, arrived, known.settled(one, report, recipient))
        )
    return found


def latencies(found: Sequence[Span]) -> list[float]:
    """From the first try to the effect, each report and recipient."""
    return [span.arrived - span.told for span in found if span.arrived is not None]


def answered(operations: Sequence[Operation], *, emergency: bool = False) -> tuple[int, int]:
    """How many first tries of valid reports and commands were answered 2xx within 2 s, of how many."""
    first = [
        one.attempts[0] for one in operations if one.attempts and one.what != BAD and (one.emergency or not emergency)
    ]
    prompt = sum(
        one.outcome == OK and 200 <= (one.status or 0) < 300 and one.t1 - one.t0 <= PROMPT_SECONDS for one in first
    )
    return prompt, len(first)


def healed(evidence: Evidence) -> float | None:
    """When the last fault was taken away; None when there was none."""
    return max((one.at for one in evidence.strikes if one.what.startswith(HEAL)), default=None)


def recovery(evidence: Evidence, found: Sequence[Span]) -> tuple[float | None, float | None]:
    """From the last heal to the first delivery of what was then under way or told later: the first anywhere, and the
    first at the recipient that waited longest.

    A recipient's time begins when there is something for it. None without a heal, or when nothing came.
    """
    heal = healed(evidence)
    if heal is None:
        return None, None
    waiting: dict[str, float] = {}
    came: dict[str, float] = {}
    for span in found:
        if span.arrived is None or span.arrived < heal:
            continue
        waiting[span.recipient] = min(max(span.told, heal), waiting.get(span.recipient, float("inf")))
        came[span.recipient] = min(span.arrived, came.get(span.recipient, span.arrived))
    if not came:
        return None, None
    return min(came.values()) - heal, max(came[who] - waiting[who] for who in came)


def longest_stall(evidence: Evidence, found: Sequence[Span]) -> float:
    """The longest time in which nothing took effect anywhere while something accepted was on its way.

    What never arrived is a loss, not a stall, and stalls nothing.
    """
    coming = sorted((span.arrived, span.accepted) for span in found if span.arrived is not None)
    if not coming:
        return 0.0
    arrivals = [arrived for arrived, _ in coming]
    oldest = [accepted for _, accepted in coming]
    for at in range(len(oldest) - 2, -1, -1):
        oldest[at] = min(oldest[at], oldest[at + 1])
    moments = sorted({one.at for one in applied(evidence)})
    longest = 0.0
    for before, after in pairwise([float("-inf"), *moments]):
        at = bisect_left(arrivals, after)
        if at < len(arrivals):
            longest = max(longest, after - max(before, oldest[at]))
    return longest


def overtaken(known: Known) -> list[str]:
    """Urgent before routine: routine deliveries first tried while an urgent one lay in the recipient's outbox untried.

    It lay there, free to go, from the time of its fact or of the last request about its incident (a retry blocks its
    incident, never others), and the usual time from then to the first try of urgent ones, and a second more.
    """
    first: set[tuple[str, str]] = set()
    last: dict[tuple[str, str], float] = {}
    routine: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    waits: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    facts = {fact: one.at_ms / 1000 for own in known.arrivals.values() for fact, one in own.items()}
    everyone = known.recipients
    told = {delivery_id(fact, who): at for fact, at in facts.items() for who in everyone}
    for one in sorted(known.evidence.effects, key=lambda effect: effect.at):
        place = one.recipient, one.subject_id
        if one.delivery_id in told and (one.recipient, one.delivery_id) not in first:
            first.add((one.recipient, one.delivery_id))
            if one.urgency == Urgency.URGENT:
                free = max(told[one.delivery_id], last.get(place, 0.0))
                waits[one.recipient].append((free, one.at))
            else:
                routine[one.recipient].append((one.at, one.delivery_id))
        last[place] = one.at
    return [name for recipient in waits for name in _inside(recipient, waits[recipient], routine[recipient])]


def _inside(recipient: str, waiting: list[tuple[float, float]], routine: list[tuple[float, str]]) -> Iterator[str]:
    usual = median(at - free for free, at in waiting) + OVERTAKEN_SECONDS
    moments = [at for at, _ in routine]
    for begin, end in _merged((free + usual, at) for free, at in waiting if free + usual < at):
        for _, delivery in routine[bisect_right(moments, begin) : bisect_left(moments, end)]:
            yield f"delivery {delivery} -> {recipient}"


def _merged(windows: Iterator[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for begin, end in sorted(windows):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def unseen(found: Sequence[Span], step_seconds: float = 1.0) -> list[tuple[float, int]]:
    """Unseen over time: how many were accepted and had not arrived, at each step of the run; it must come to 0.

    What ended otherwise (superseded, set aside) is not waited for.
    """
    waited = [span for span in found if span.arrived is not None or not span.ended]
    if not waited:
        return []
    accepted = sorted(min(span.accepted, span.arrived or span.accepted) for span in waited)
    arrived = sorted(span.arrived for span in waited if span.arrived is not None)
    begin, end = accepted[0], max([accepted[-1], *arrived[-1:]])
    moments = [begin + step_seconds * number for number in range(int((end - begin) / step_seconds) + 1)] + [end]
    return [(at, max(0, bisect_right(accepted, at) - bisect_right(arrived, at))) for at in moments]

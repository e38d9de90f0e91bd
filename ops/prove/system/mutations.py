"""Ways to spoil evidence so that a checker must notice. Each answers None where there is nothing to spoil."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from ops.prove.system import checkers
from ops.prove.system.history import FAIL, OK, Effect, Evidence
from ops.prove.system.known import ARRIVALS, COMMAND, Known, Told, applied, index

Spoil = Callable[[Evidence], Evidence | None]
NOBODY: Final = "00000000-0000-0000-0000-000000000000"


def one_removed(evidence: Evidence) -> Evidence | None:
    """Take away every effect of one accepted report at one recipient that must have it."""
    known = index(evidence)
    lost = {identity for identity, _ in checkers.lost(known)}
    for one, report, recipient in known.pairs():
        gone = {id(effect) for effect in known.seen.get((report, recipient), ())}
        if gone and one.identity not in lost and not _ended_without_effect(known, one, report, recipient):
            return replace(evidence, effects=[effect for effect in evidence.effects if id(effect) not in gone])
    return None


def _ended_without_effect(known: Known, one: Told, report: str, recipient: str) -> bool:
    return replace(known, seen={}).settled(one, report, recipient)


def one_doubled(evidence: Evidence) -> Evidence | None:
    """Let one arrival take effect a second time, as a recipient without de-duplication would."""
    times = Counter((one.delivery_id, one.recipient) for one in evidence.effects if one.applied)
    for effect in applied(evidence):
        if effect.kind in ARRIVALS and effect.report_ids and times[effect.delivery_id, effect.recipient] == 1:
            return replace(evidence, effects=[*evidence.effects, replace(effect, at=_end(evidence) + 1)])
    return None


def two_arrivals(evidence: Evidence) -> Evidence | None:
    """Let one report arrive by two facts, as a processor without its state would."""
    offset = max((one.offset for one in evidence.facts), default=0) + 1
    for facts in index(evidence).arrivals.values():
        if len(facts) == 1:
            again = replace(next(iter(facts.values())), fact_id=NOBODY, offset=offset)
            return replace(evidence, facts=[*evidence.facts, again])
    return None


def one_contradicted(evidence: Evidence) -> Evidence | None:
    """Let one fact stand a second time with another content, as a step with a clock or dice in it would write it."""
    offset = max((one.offset for one in evidence.facts), default=0) + 1
    wrong = set(checkers.conflicting(index(evidence)))
    for fact in evidence.facts:
        if f"fact {fact.fact_id}" not in wrong:
            other = replace(fact, sequence=(fact.sequence or 0) + 1, offset=offset)
            return replace(evidence, facts=[*evidence.facts, other])
    return None


def two_swapped(evidence: Evidence) -> Evidence | None:
    """Swap the times of two effects of one incident at one recipient."""
    last: dict[tuple[str, str], Effect] = {}
    for effect in applied(evidence):
        place = effect.recipient, effect.subject_id
        before = last.get(place)
        if before is not None and before.sequence < effect.sequence and before.at < effect.at:
            swapped = {id(before): replace(before, at=effect.at), id(effect): replace(effect, at=before.at)}
            return replace(evidence, effects=[swapped.get(id(one), one) for one in evidence.effects])
        if before is None or effect.sequence >= before.sequence:
            last[place] = effect
    return None


def one_unsent(evidence: Evidence) -> Evidence | None:
    """Add an effect that nobody sent."""
    for effect in applied(evidence):
        if effect.kind in ARRIVALS:
            strange = replace(
                effect, at=_end(evidence) + 1, delivery_id=NOBODY, subject_id=NOBODY, report_ids=(NOBODY,)
            )
            return replace(evidence, effects=[*evidence.effects, strange])
    return None


def one_refused(evidence: Evidence) -> Evidence | None:
    """Say of a report that came to light that it had been refused."""
    known = index(evidence)
    tellers = Counter(report for one in known.told.values() for report in one.reports)
    for one in known.accepted:
        if any(tellers[it] == 1 and it in known.arrivals and not known.set_aside(one, it) for it in one.reports):
            operations = [
                replace(operation, outcome=FAIL) if operation.identity == one.identity else operation
                for operation in evidence.operations
            ]
            return replace(evidence, operations=operations)
    return None


def command_unheard(evidence: Evidence) -> Evidence | None:
    """Take away every fact that tells of one accepted command."""
    causes, aside = {fact.cause_id for fact in evidence.facts}, index(evidence).aside
    for operation in evidence.operations:
        heard = operation.command_id in causes and operation.document_id not in aside
        if operation.what == COMMAND and operation.outcome == OK and operation.command_id and heard:
            facts = [fact for fact in evidence.facts if fact.cause_id != operation.command_id]
            return replace(evidence, facts=facts)
    return None


def quarantine_dropped(evidence: Evidence) -> Evidence | None:
    """Take items out of the quarantine until one is missing of those that had to be there."""
    ours = sorted(checkers.ours_aside(index(evidence)))
    gone = set(ours[: len(ours) - evidence.expected_bad + 1])
    if not gone or not evidence.expected_bad:
        return None
    return replace(evidence, aside=[row for row in evidence.aside if row.item_id not in gone])


def ledger_false(evidence: Evidence) -> Evidence | None:
    """Let the ledger say that it does not balance."""
    return replace(evidence, ledger={**evidence.ledger, "balanced": False})


def _end(evidence: Evidence) -> float:
    return max(one.at for one in evidence.effects)


MUTATIONS: Final[Mapping[str, tuple[Spoil, str]]] = {
    "one-removed": (one_removed, "lost"),
    "one-doubled": (one_doubled, "doubled"),
    "two-arrivals": (two_arrivals, "doubled"),
    "one-contradicted": (one_contradicted, "conflicting"),
    "command-unheard": (command_unheard, "lost"),
    "two-swapped": (two_swapped, "order_inversions"),
    "one-unsent": (one_unsent, "unexpected"),
    "one-refused": (one_refused, "aborted_reads"),
    "quarantine-dropped": (quarantine_dropped, "quarantined_equals_injected"),
    "ledger-false": (ledger_false, "balanced"),
}
"""By name: how to spoil, and the field of the judgement that must tell."""

"""What is settled, and what is missing: parts of the book, balanced by `ops.ledger`. Pure.

The ledger of the whole is the sum of the settled components' and the open ones'. An open component is held against
a stage only if all of it was known before the time up to which that stage has worked (`Read.horizons`): so a loss is
named under load, too, where a stage is never at rest as a whole.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ops.bookkeeping.book import NEVER, Aside, Part, sources
from ops.ledger import Ledger, balance
from ops.ledger_rows import DELIVER, GONE, INCIDENTS, ROUTE, Journal

_NUMBERS: Final = (
    "accepted",
    "delivered",
    "quarantined",
    "in_flight",
    "reports",
    "repeated",
    "superseded",
    "beyond_retention",
)
_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "nobody": (),
    "changes": ("deliveries", "delivered", "quarantined", "in_flight"),
    "commands": ("accepted", "answered", "in_flight"),
}
"""Counts by name, with those names that are always there."""

Since = Mapping[str, int]
"""`facts_since_ms`, `decisions_since_ms`, `aside_since_ms` of `ops.ledger_rows.Sources`."""


def numbers(ledger: Ledger) -> Counter[str]:
    """Its counts by flat names, for adding and taking away."""
    found = Counter({name: getattr(ledger, name) for name in _NUMBERS})
    for group in _GROUPS:
        found.update({f"{group}:{name}": count for name, count in getattr(ledger, group).items()})
    return found


def with_numbers(ledger: Ledger, counts: Mapping[str, int]) -> Ledger:
    """The ledger with these counts in place of its own."""
    for name in _NUMBERS:
        setattr(ledger, name, counts.get(name, 0))
    for group, always in _GROUPS.items():
        its = {name.split(":", 1)[1]: count for name, count in counts.items() if name.startswith(f"{group}:") and count}
        setattr(ledger, group, {**dict.fromkeys(always, 0), **its})
    return ledger


def account(part: Part, aside: Aside, journals: Mapping[str, Journal | None], since: Since) -> Ledger:
    """One component's account, as if every stage were at rest and every journal read: only what is whole balances."""
    read = {
        name: Journal((), NEVER, one.since_ms, one.gaps) if one else Journal((), NEVER)
        for name, one in journals.items()
    }
    return balance(sources([part], aside, read or {"": Journal((), NEVER)}, **since))


def settled(ledger: Ledger) -> bool:
    """Whether nothing of a component is left to happen, or to be shown to a person."""
    waits = ledger.untraced or ledger.in_flight or ledger.changes["in_flight"] or ledger.commands["in_flight"]
    return ledger.balanced is True and not waits


@dataclass(frozen=True)
class Read:
    """How what is open was read: everything up to `now_ms`, what is younger than `fresh_ms` perhaps in part only.

    `horizons`: stage -> until when what it had to do was done. `facts_ms`, `decisions_ms`: when their reading began.
    """

    now_ms: int
    fresh_ms: int
    journals: Mapping[str, Journal | None]
    since: Since
    horizons: Mapping[str, int]
    facts_ms: int
    decisions_ms: int


@dataclass
class Verdict:
    """The whole account, and what of it is open. `oldest_ms`: stage -> since when its oldest work waits."""

    ledger: Ledger
    at_ms: int
    oldest_ms: dict[str, int] = field(default_factory=dict)
    stuck: dict[str, list[str]] = field(default_factory=dict)
    """Node -> documents that its journal has not published although they are old."""


def judge(parts: Iterable[Part], aside: Aside, read: Read, settled_counts: Mapping[str, int], stuck_ms: int) -> Verdict:
    """The verdict over the open components and the counts of the settled ones."""
    by_moving: defaultdict[frozenset[str] | None, list[Part]] = defaultdict(list)
    for part in parts:
        by_moving[_moving(part, read)].append(part)
    counts: Counter[str] = Counter(settled_counts)
    whole = Ledger(unreachable=sorted(name for name, one in read.journals.items() if one is None))
    oldest: dict[str, int] = {}
    stuck: defaultdict[str, list[str]] = defaultdict(list)
    for moving, its in by_moving.items():
        told = _told(its, aside, read, moving)
        counts.update(numbers(told))
        whole.overdue += told.overdue
        if moving is not None:
            whole.untraced += told.untraced
            whole.missing = {
                name: sorted({*whole.missing.get(name, ()), *told.missing.get(name, ())})
                for name in {*whole.missing, *told.missing}
            }
        for part in its:
            _waiting(part, oldest, stuck, read.now_ms - stuck_ms)
    whole.overdue.sort(key=lambda one: (one["deadline_ms"], one["delivery"]))
    whole.missing = dict(sorted(whole.missing.items()))
    whole.untraced.sort()
    whole.balanced = False if whole.missing else None if whole.unreachable else True
    return Verdict(with_numbers(whole, counts), read.now_ms, oldest, dict(stuck))


def _moving(part: Part, read: Read) -> frozenset[str] | None:
    """The stages that may still have to do with a component; None when it is too fresh to be judged at all."""
    if part.news_ms >= read.fresh_ms:
        return None
    stages = [INCIDENTS, ROUTE]
    stages += [DELIVER + who for decision in part.decisions.values() for who in decision.deliveries]
    moving = {stage for stage in stages if part.news_ms >= read.horizons.get(stage, 0)}
    if ROUTE in moving:
        # A decision may stand there whose deliveries route has still to write: a crash lies between them.
        moving.update(stages[2:])
    return frozenset(moving)


def _told(parts: list[Part], aside: Aside, read: Read, moving: frozenset[str] | None) -> Ledger:
    times: dict[str, Any] = {**read.since, "now_ms": read.now_ms}
    if moving is not None:
        times |= {"moving": moving, "facts_ms": read.facts_ms, "decisions_ms": read.decisions_ms}
        return balance(sources(parts, aside, read.journals, **times))
    told = balance(sources(parts, aside, read.journals, **times, facts_ms=0, decisions_ms=0))
    # What is fresh and not done is on its way: it was perhaps read in part only.
    told.in_flight = told.accepted - told.delivered - told.quarantined
    changes, commands = told.changes, told.commands
    changes["in_flight"] = changes["deliveries"] - changes["delivered"] - changes["quarantined"]
    commands["in_flight"] = commands["accepted"] - commands["answered"]
    return told


def _waiting(part: Part, oldest: dict[str, int], stuck: dict[str, list[str]], stuck_before_ms: int) -> None:
    """Note since when each stage's oldest work waits, and which rows wait too long for their publisher."""

    def waits(stage: str, since_ms: int) -> None:
        oldest[stage] = min(since_ms, oldest.get(stage, NEVER))

    told = {fact.report_id for fact in part.facts.values()} | {fact.cause_id for fact in part.facts.values()}
    for document, (node, _, row) in part.rows.items():
        if row.state in {"received", "quarantine-pending"}:
            waits("publish", row.received_ms)
            if row.received_ms < stuck_before_ms:
                stuck[node].append(document)
        elif row.state != GONE and any(name not in told for name in (*row.reports, *row.commands)):
            waits("incidents", row.received_ms)
    for fact_id, fact in part.facts.items():
        if fact_id not in part.decisions:
            waits("route", fact.at_ms)
    for decision in part.decisions.values():
        if any(delivery not in part.receipts for delivery in decision.deliveries.values()):
            waits("deliver", decision.at_ms)

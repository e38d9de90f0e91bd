"""The ledger: is everything that we accepted delivered, quarantined or in flight? Sets of ids, compared. Pure.

Counted per (report, recipient), from sources that know nothing of each other: the intake journals, `incident.facts`,
`routing.decisions`, `delivery.receipts`, `quarantine`. Each stage is held against the one before and the one after;
an id that is in one and not in the other is named. An absence is lawful only while the stage between still has
something to read (`moving`), or when what is absent is so old that retention may have deleted it, which is counted
apart; otherwise it is a loss. What a rule routes to nobody counts as delivered to nobody.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

from ops.ledger_rows import DELIVER, GONE, INCIDENTS, PUBLISH, ROUTE, DecisionRow, Row, Sources
from schemas.delivery import Outcome
from schemas.topic import DAY_MS, HOUR_MS

REPEATED: Final = "ReportRepeated"
NOT_IN_JOURNAL: Final = "not_in_journal"
REPORT_KINDS: Final = frozenset({"IncidentOpened", "ReportLinked", "ReportHeldLate", REPEATED})
"""Facts of a report. A repeat alone is no arrival: the fact that it repeats must be there, too."""
TRIMMED_SLACK_MS: Final = HOUR_MS
"""A fact may be so much younger than its journal row, which may be trimmed already; and clocks differ."""
BEHIND_MS: Final = 7 * DAY_MS
"""A later stage may be so much behind the earlier one, whose record left first: an outbox waits for its recipient."""


class State(IntEnum):
    """What became of a pair; of several deliveries the worst counts. BEYOND: what would tell may be deleted by now."""

    BEYOND = 0
    DELIVERED = 1
    QUARANTINED = 2
    IN_FLIGHT = 3
    MISSING = 4


@dataclass
class Ledger:
    """The account. `balanced` None: a source could not be read, and what was read shows no fault.

    `beyond_retention`: what is too old to be held against topics that delete; it is in no other count. `untraced`:
    documents that a journal lost before it said what they became, and of which no topic tells: they may have been
    lost, or have become nothing (a sign of life, a snapshot without news). In no count either.
    """

    accepted: int = 0
    delivered: int = 0
    quarantined: int = 0
    in_flight: int = 0
    balanced: bool | None = None
    overdue: list[dict[str, Any]] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    nobody: dict[str, int] = field(default_factory=dict)
    reports: int = 0
    repeated: int = 0
    superseded: int = 0
    beyond_retention: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    commands: dict[str, int] = field(default_factory=dict)
    unreachable: list[str] = field(default_factory=list)
    untraced: list[str] = field(default_factory=list)


def balance(sources: Sources) -> Ledger:
    """The account of the sources. Names every id that is where it should not be, or is not where it should."""
    return _Account(sources).closed()


class _Account:
    """One balancing: indexes of the sources, and what is found."""

    def __init__(self, sources: Sources) -> None:
        self._from = sources
        self._missing: defaultdict[str, list[str]] = defaultdict(list)
        self._ledger = Ledger(unreachable=sorted(name for name, one in sources.journals.items() if one is None))
        self._rows = [row for one in sources.journals.values() if one is not None for row in one.rows]
        self._told: defaultdict[str, list[str]] = defaultdict(list)
        for fact_id, fact in sources.facts.items():
            if fact.report_id is not None and fact.kind in REPORT_KINDS:
                self._told[fact.report_id].append(fact_id)
        early = [one for one in sources.aside if one.stage not in {"deliver", "route"}]
        self._aside_reports = {one.report_id for one in early if one.report_id}
        self._aside_documents = {one.document_id for one in sources.aside if one.document_id}
        self._aside_deliveries = {one.delivery_id for one in sources.aside if one.delivery_id}
        self._aside_causes = {one.cause_id for one in sources.aside if one.cause_id}
        self._accepted = {report for row in self._rows for report in row.reports}
        # A row is marked a moment after it was published: until then the journal does not know its reports.
        self._unmarked = {row.document_id for row in self._rows if row.state == "received"}
        self._of_gaps = dict(self._told_of_gaps())

    def _told_of_gaps(self) -> Iterator[tuple[str, int]]:
        """Reports that topics tell of while their journal was lost and an older one put back; when they first did."""
        gaps = [gap for one in self._from.journals.values() if one for gap in one.gaps]
        for report, ids in self._told.items() if gaps else ():
            first = min((self._from.facts[one] for one in ids), key=lambda fact: fact.at_ms)
            slack = TRIMMED_SLACK_MS
            in_gap = any(begin_ms - slack <= first.at_ms <= end_ms + slack for begin_ms, end_ms in gaps)
            if in_gap and report not in self._accepted and first.document_id not in self._unmarked:
                yield report, first.at_ms

    def closed(self) -> Ledger:
        """Every check, then the verdict."""
        counts: Counter[State] = Counter()
        for state in (*self._documents(), *self._reports()):
            counts[state] += 1
        self._changes()
        self._commands()
        self._unexpected()
        told = self._ledger
        told.beyond_retention += counts.pop(State.BEYOND, 0)
        told.accepted = counts.total()
        told.delivered, told.quarantined = counts[State.DELIVERED], counts[State.QUARANTINED]
        told.in_flight = counts[State.IN_FLIGHT]
        told.missing = {name: sorted(set(ids)) for name, ids in sorted(self._missing.items()) if ids}
        told.overdue.sort(key=lambda one: (one["deadline_ms"], one["delivery"]))
        told.superseded = sum(kinds == {Outcome.SUPERSEDED} for kinds, _ in self._from.receipts.values())
        told.balanced = False if told.missing else None if told.unreachable else True
        return told

    def _documents(self) -> Iterator[State]:
        """Documents that became no report: set aside, or not yet translated as far as the journal knows."""
        told = {fact.document_id for fact in self._from.facts.values()}
        for row in self._rows:
            if row.state == "quarantined":
                if row.document_id in self._aside_documents:
                    yield State.QUARANTINED
                elif _beyond(row.received_ms, self._from.aside_since_ms):
                    yield State.BEYOND
                else:
                    self._missing["not_in_quarantine"].append(row.document_id)
                    yield State.MISSING
            elif row.state == "quarantine-pending" or (row.state == "received" and not row.reports):
                yield State.IN_FLIGHT
            elif row.state == GONE and not (row.reports or row.commands):
                yield from self._gone(row, told)

    def _gone(self, row: Row, told: Collection[str | None]) -> Iterator[State]:
        """A document whose journal was lost before it said what became of it: what the topics tell of it counts."""
        if row.document_id in told or row.document_id in self._aside_documents:
            return
        if {PUBLISH, INCIDENTS} & set(self._from.moving):
            yield State.IN_FLIGHT
        elif _beyond(row.received_ms, self._from.facts_since_ms, self._from.aside_since_ms):
            yield State.BEYOND
        else:
            self._ledger.untraced.append(row.document_id)

    def _reports(self) -> Iterator[State]:
        """One state per (report, recipient) of every accepted report."""
        unpublished = dict.fromkeys(self._of_gaps, False)
        received = dict(self._of_gaps)
        for row in self._rows:
            for report in row.reports:
                unpublished[report] = unpublished.get(report, True) and row.state == "received"
                received[report] = min(row.received_ms, received.get(report, row.received_ms))
        self._ledger.reports = len(unpublished)
        for report, waits in unpublished.items():
            facts = self._told.get(report, [])
            kinds = {self._from.facts[fact].kind for fact in facts}
            self._ledger.repeated += REPEATED in kinds
            if kinds <= {REPEATED}:
                yield self._untold(report, received[report], waits=waits)
            else:
                yield from self._pairs(facts).values()

    def _untold(self, report: str, received_ms: int, *, waits: bool) -> State:
        if report in self._aside_reports:
            return State.QUARANTINED
        if waits or {PUBLISH, INCIDENTS} & set(self._from.moving):
            return State.IN_FLIGHT
        if _beyond(received_ms, self._from.facts_since_ms, self._from.aside_since_ms):
            return State.BEYOND
        self._missing["in_facts"].append(report)
        return State.MISSING

    def _pairs(self, facts: list[str]) -> dict[str, State]:
        """Recipient -> state, over all facts that told of the report; an empty name is nobody, or not yet decided."""
        pairs: dict[str, State] = {}
        rules: list[str] = []
        for fact_id in facts:
            decision = self._from.decisions.get(fact_id)
            if decision is None:
                pairs[""] = max(pairs.get("", State.BEYOND), self._undecided(fact_id))
                continue
            rules += decision.rules
            for recipient, delivery in decision.deliveries.items():
                state = self._delivery(delivery, recipient, decision)
                pairs[recipient] = max(pairs.get(recipient, State.BEYOND), state)
        if not pairs:
            for rule in dict.fromkeys(rules[:1]):
                self._ledger.nobody[rule] = self._ledger.nobody.get(rule, 0) + 1
            return {"": State.DELIVERED}
        return pairs

    def _undecided(self, fact_id: str) -> State:
        if fact_id in self._aside_causes:
            return State.QUARANTINED
        if ROUTE in self._from.moving:
            return State.IN_FLIGHT
        if _beyond(self._from.facts[fact_id].at_ms, self._from.decisions_since_ms, self._from.aside_since_ms):
            return State.BEYOND
        self._missing["without_decision"].append(fact_id)
        return State.MISSING

    def _delivery(self, delivery: str, recipient: str, decision: DecisionRow) -> State:
        kinds = self._from.receipts.get(delivery, (frozenset(), 0))[0]
        if kinds & {Outcome.DELIVERED, Outcome.SUPERSEDED}:
            return State.DELIVERED
        if Outcome.QUARANTINED in kinds:
            if delivery in self._aside_deliveries:
                return State.QUARANTINED
            if _beyond(decision.at_ms, self._from.aside_since_ms):
                return State.BEYOND
            self._missing["not_in_quarantine"].append(delivery)
            return State.MISSING
        if decision.deadline_ms is not None and decision.deadline_ms < self._from.now_ms:
            self._ledger.overdue.append(
                {"delivery": delivery, "recipient": recipient, "deadline_ms": decision.deadline_ms}
            )
        if DELIVER + recipient in self._from.moving:
            return State.IN_FLIGHT
        self._missing["without_receipt"].append(delivery)
        return State.MISSING

    def _changes(self) -> None:
        """Facts that are no report's arrival: every one is decided, every delivery of theirs has its end."""
        counts: Counter[State] = Counter()
        for fact_id, fact in self._from.facts.items():
            if fact.report_id is not None and fact.kind in REPORT_KINDS:
                continue
            decision = self._from.decisions.get(fact_id)
            if decision is None:
                counts[self._undecided(fact_id)] += 1
                continue
            for recipient, delivery in decision.deliveries.items():
                counts[self._delivery(delivery, recipient, decision)] += 1
        self._ledger.beyond_retention += counts.pop(State.BEYOND, 0)
        self._ledger.changes = {
            "deliveries": counts.total(),
            "delivered": counts[State.DELIVERED],
            "quarantined": counts[State.QUARANTINED],
            "in_flight": counts[State.IN_FLIGHT],
        }

    def _commands(self) -> None:
        """Every accepted command became a fact, be it a refusal."""
        asked = {one: row for row in self._rows for one in row.commands}
        causes = {fact.cause_id for fact in self._from.facts.values()} | self._aside_causes
        open_ones = [one for one in asked if one not in causes]
        moving = bool({PUBLISH, INCIDENTS} & set(self._from.moving))
        waiting = {one for one in open_ones if moving or asked[one].state == "received"}
        since = self._from.facts_since_ms, self._from.aside_since_ms
        beyond = {one for one in open_ones if one not in waiting and _beyond(asked[one].received_ms, *since)}
        self._missing["without_answer"] += [one for one in open_ones if one not in waiting | beyond]
        self._ledger.beyond_retention += len(beyond)
        self._ledger.commands = {
            "accepted": len(asked) - len(beyond),
            "answered": len(asked) - len(open_ones),
            "in_flight": len(waiting),
        }

    def _unexpected(self) -> None:
        """Ids of a later stage that the stage before it does not know."""
        facts, decisions, receipts = self._from.facts, self._from.decisions, self._from.receipts
        known = [one for one in self._from.journals.values() if one is not None]
        if known and not self._ledger.unreachable:
            begin = max((one.since_ms + TRIMMED_SLACK_MS for one in known if one.since_ms), default=0)
            until = min(one.read_ms for one in known)
            for report in self._told.keys() - self._accepted - self._of_gaps.keys():
                told = [facts[one] for one in self._told[report] if facts[one].document_id not in self._unmarked]
                if told and all(begin <= one.at_ms < until for one in told):
                    self._missing[NOT_IN_JOURNAL].append(report)
        for fact_id, decision in decisions.items():
            if fact_id not in facts and _whole_from(self._from.facts_since_ms) <= decision.at_ms < self._from.facts_ms:
                self._missing["decision_without_fact"].append(fact_id)
        if ROUTE in self._from.moving:
            # Route writes a decision and its deliveries at once, to partitions that fail apart: what it has not
            # committed may stand in an outbox and be delivered while the decision's partition takes nothing.
            return
        decided = {one for row in decisions.values() for one in row.deliveries.values()}
        since_ms = _whole_from(self._from.decisions_since_ms)
        for delivery, (_, at_ms) in receipts.items():
            if delivery not in decided and since_ms <= at_ms < self._from.decisions_ms:
                self._missing["receipt_without_decision"].append(delivery)


def _beyond(at_ms: int, *since_ms: int) -> bool:
    """Whether what followed on something of this time may have left one of the topics by retention."""
    return any(one and at_ms < one + TRIMMED_SLACK_MS for one in since_ms)


def _whole_from(since_ms: int) -> int:
    """From when on something must have its cause in the topic before, however late its stage was."""
    return since_ms + BEHIND_MS if since_ms else 0

"""The ledger: is everything that we accepted delivered, quarantined or in flight? Sets of ids, compared. Pure.

Counted per (report, recipient), from sources that know nothing of each other: the intake journals, `incident.facts`,
`routing.decisions`, `delivery.receipts`, `quarantine`. Each stage is held against the one before and the one after;
an id that is in one and not in the other is named. An absence is lawful only while the stage between still has
something to read (`moving`); otherwise it is a loss. What a rule routes to nobody counts as delivered to nobody.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from schemas.delivery import Outcome

REPORT_KINDS: Final = frozenset({"IncidentOpened", "ReportLinked", "ReportRepeated", "ReportHeldLate"})
"""Facts that say that a report has arrived."""
TRIMMED_SLACK_MS: Final = 3_600_000
"""A fact may be so much younger than its journal row, which may be trimmed already."""
PUBLISH, INCIDENTS, ROUTE, DELIVER = "publish", "incidents", "route", "deliver:"
"""Stages that can still be moving; the last with a recipient's name."""


class Row(NamedTuple):
    """A journal row: its state by name (`received`, `published`, `quarantine-pending`, `quarantined`)."""

    document_id: str
    state: str
    reports: tuple[str, ...]
    commands: tuple[str, ...] = ()


class FactRow(NamedTuple):
    """A record of `incident.facts`."""

    kind: str
    report_id: str | None
    cause_id: str | None
    at_ms: int
    document_id: str | None = None


class DecisionRow(NamedTuple):
    """A record of `routing.decisions`. `deliveries`: recipient -> delivery id."""

    kind: str
    report_id: str | None
    rules: tuple[str, ...]
    deliveries: Mapping[str, str]
    deadline_ms: int | None
    at_ms: int


class AsideRow(NamedTuple):
    """A record of `quarantine`; `cause_id` is the id of the record that was set aside."""

    stage: str
    document_id: str | None = None
    report_id: str | None = None
    delivery_id: str | None = None
    cause_id: str | None = None


@dataclass(frozen=True)
class Journal:
    """One intake node's rows, read at `read_ms`. `since_ms`: older rows may have been trimmed; 0: none was."""

    rows: Collection[Row]
    read_ms: int
    since_ms: int = 0


@dataclass(frozen=True)
class Sources:
    """What was read, in this order: journals, facts, decisions, receipts and quarantine.

    `journals`: None for a node that could not be reached. Facts and decisions by fact id, receipts by delivery id
    with every outcome and the time of the first. `moving`: stages that had something to read left when the stage
    before them had been read. `facts_ms`, `decisions_ms`: when their reading began;
    `facts_since_ms`, `decisions_since_ms`: older ones may be gone by retention.
    """

    journals: Mapping[str, Journal | None]
    facts: Mapping[str, FactRow]
    decisions: Mapping[str, DecisionRow]
    receipts: Mapping[str, tuple[frozenset[str], int]]
    aside: Collection[AsideRow]
    moving: Collection[str] = ()
    facts_ms: int = 2**62
    decisions_ms: int = 2**62
    facts_since_ms: int = 0
    decisions_since_ms: int = 0
    now_ms: int = 0


class State(IntEnum):
    """What became of a pair; of several deliveries the worst counts."""

    DELIVERED = 0
    QUARANTINED = 1
    IN_FLIGHT = 2
    MISSING = 3


@dataclass
class Ledger:
    """The account. `balanced` None: a source could not be read, and what was read shows no fault."""

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
    changes: dict[str, int] = field(default_factory=dict)
    commands: dict[str, int] = field(default_factory=dict)
    unreachable: list[str] = field(default_factory=list)


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

    def closed(self) -> Ledger:
        """Every check, then the verdict."""
        counts: Counter[State] = Counter()
        for state in (*self._documents(), *self._reports()):
            counts[state] += 1
        self._changes()
        self._commands()
        self._unexpected()
        told = self._ledger
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
        for row in self._rows:
            if row.state == "quarantined":
                if row.document_id in self._aside_documents:
                    yield State.QUARANTINED
                else:
                    self._missing["not_in_quarantine"].append(row.document_id)
                    yield State.MISSING
            elif row.state == "quarantine-pending" or (row.state == "received" and not row.reports):
                yield State.IN_FLIGHT

    def _reports(self) -> Iterator[State]:
        """One state per (report, recipient) of every accepted report."""
        unpublished: dict[str, bool] = {}
        for row in self._rows:
            for report in row.reports:
                unpublished[report] = unpublished.get(report, True) and row.state == "received"
        self._ledger.reports = len(unpublished)
        for report, waits in unpublished.items():
            facts = self._told.get(report)
            if facts is None:
                yield self._untold(report, waits=waits)
                continue
            self._ledger.repeated += any(self._from.facts[fact].kind == "ReportRepeated" for fact in facts)
            yield from self._pairs(facts).values()

    def _untold(self, report: str, *, waits: bool) -> State:
        if report in self._aside_reports:
            return State.QUARANTINED
        if waits or {PUBLISH, INCIDENTS} & set(self._from.moving):
            return State.IN_FLIGHT
        self._missing["in_facts"].append(report)
        return State.MISSING

    def _pairs(self, facts: list[str]) -> dict[str, State]:
        """Recipient -> state, over all facts that told of the report; an empty name is nobody, or not yet decided."""
        pairs: dict[str, State] = {}
        rules: list[str] = []
        for fact_id in facts:
            decision = self._from.decisions.get(fact_id)
            if decision is None:
                pairs[""] = max(pairs.get("", State.DELIVERED), self._undecided(fact_id))
                continue
            rules += decision.rules
            for recipient, delivery in decision.deliveries.items():
                state = self._delivery(delivery, recipient, decision)
                pairs[recipient] = max(pairs.get(recipient, State.DELIVERED), state)
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
        self._missing["without_decision"].append(fact_id)
        return State.MISSING

    def _delivery(self, delivery: str, recipient: str, decision: DecisionRow) -> State:
        kinds = self._from.receipts.get(delivery, (frozenset(), 0))[0]
        if kinds & {Outcome.DELIVERED, Outcome.SUPERSEDED}:
            return State.DELIVERED
        if Outcome.QUARANTINED in kinds:
            if delivery in self._aside_deliveries:
                return State.QUARANTINED
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
        self._ledger.changes = {
            "deliveries": counts.total(),
            "delivered": counts[State.DELIVERED],
            "quarantined": counts[State.QUARANTINED],
            "in_flight": counts[State.IN_FLIGHT],
        }

    def _commands(self) -> None:
        """Every accepted command became a fact, be it a refusal."""
        asked = {one: row.state for row in self._rows for one in row.commands}
        causes = {fact.cause_id for fact in self._from.facts.values()} | self._aside_causes
        open_ones = [one for one in asked if one not in causes]
        moving = bool({PUBLISH, INCIDENTS} & set(self._from.moving))
        waiting = [one for one in open_ones if moving or asked[one] == "received"]
        self._missing["without_answer"] += [one for one in open_ones if one not in set(waiting)]
        self._ledger.commands = {
            "accepted": len(asked),
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
            accepted = {report for row in self._rows for report in row.reports}
            # A row is marked a moment after it was published: until then the journal does not know its reports.
            unmarked = {row.document_id for row in self._rows if row.state == "received"}
            for report, ids in self._told.items():
                told = [facts[one] for one in ids if facts[one].document_id not in unmarked]
                if report not in accepted and told and all(begin <= one.at_ms < until for one in told):
                    self._missing["not_in_journal"].append(report)
        for fact_id, decision in decisions.items():
            if fact_id not in facts and self._from.facts_since_ms <= decision.at_ms < self._from.facts_ms:
                self._missing["decision_without_fact"].append(fact_id)
        decided = {one for row in decisions.values() for one in row.deliveries.values()}
        for delivery, (_, at_ms) in receipts.items():
            if delivery not in decided and self._from.decisions_since_ms <= at_ms < self._from.decisions_ms:
                self._missing["receipt_without_decision"].append(delivery)

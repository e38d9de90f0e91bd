"""Evidence, indexed once for all checkers: which report came of which operation, and who got it when. Pure."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from ops.prove.system.history import FAIL, INFO, OK, Effect, Evidence, FactRow, Operation
from schemas.wire import derived_id

ARRIVALS: Final = frozenset({"IncidentOpened", "ReportLinked", "ReportHeldLate"})
"""Kinds of facts with which a report becomes part of the truth; its own delivery has the same kind."""
COMMAND: Final = "command"
BAD: Final = "bad"
Pair = tuple[str, str]
"""Report and recipient."""


@dataclass(slots=True)
class Told:
    """A report as partners told it, over all operations of one identity.

    `first`: when the first try began; `accepted`: when the first yes was there, None without one. `reports`: ids of
    what it became, by the answers and by the facts.
    """

    identity: str
    first: float = float("inf")
    accepted: float | None = None
    possible: bool = False
    emergency: bool = False
    urgent: bool = False
    bad: bool = False
    recipients: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    reports: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Known:
    """The index. `arrivals`: report -> its own facts; `moved`: deliveries by which a person moved a known report.

    `seen`: (report, recipient) -> the applied effects with which the report came there, by time.
    """

    evidence: Evidence
    told: dict[str, Told] = field(default_factory=dict)
    of_report: dict[str, Told] = field(default_factory=dict)
    arrivals: dict[str, dict[str, FactRow]] = field(default_factory=lambda: defaultdict(dict))
    moved: set[str] = field(default_factory=set)
    seen: dict[Pair, list[Effect]] = field(default_factory=lambda: defaultdict(list))
    aside: set[str] = field(default_factory=set)
    """What lies in quarantine: ids of deliveries, of reports, of documents that became no report, of facts."""
    highest: dict[Pair, int] = field(default_factory=dict)
    """(Incident, recipient) -> highest sequence that was applied."""

    @property
    def recipients(self) -> set[str]:
        """Everyone who got a request."""
        return {one.recipient for one in self.evidence.effects}

    @property
    def accepted(self) -> list[Told]:
        """What was answered with a yes."""
        return [one for one in self.told.values() if one.accepted is not None]

    def pairs(self) -> Iterator[tuple[Told, str, str]]:
        """Every accepted report with each recipient that must get it: what was told, report, recipient."""
        for one in self.accepted:
            for report in sorted(one.reports):
                for recipient in sorted(one.recipients):
                    yield one, report, recipient

    def set_aside(self, one: Told, report: str) -> bool:
        """Whether it lies in quarantine, for all its recipients."""
        return report in self.aside or not one.documents.isdisjoint(self.aside)

    def settled(self, one: Told, report: str, recipient: str) -> bool:
        """Whether this delivery has ended: there, superseded by a newer one that is there, or in quarantine."""
        if (report, recipient) in self.seen or self.set_aside(one, report):
            return True
        for fact in self.arrivals.get(report, {}).values():
            delivery = delivery_of(fact, recipient)
            if delivery in self.aside or fact.fact_id in self.aside:
                return True
            newer = self.highest.get((fact.incident_id or "", recipient), -1) > (fact.sequence or 0)
            if delivery in self.evidence.superseded and newer:
                return True
        return False


@lru_cache(maxsize=1 << 18)
def delivery_id(fact_id: str, recipient: str) -> str:
    """The id of the delivery by which this recipient is told of a fact, as route derives it."""
    return derived_id("delivery", fact_id, recipient)


def delivery_of(fact: FactRow, recipient: str) -> str:
    """The same of a fact at hand."""
    return delivery_id(fact.fact_id, recipient)


def applied(evidence: Evidence) -> list[Effect]:
    """The effects that took place, by time; those of one moment in the order in which they were written."""
    return sorted((one for one in evidence.effects if one.applied), key=lambda one: one.at)


def index(evidence: Evidence) -> Known:
    """Index the evidence."""
    known = Known(evidence)
    for row in evidence.aside:
        # The narrowest name counts: a refused delivery excuses no other recipient, a report no other of its document.
        if (name := row.delivery_id or row.report_id or row.document_id or row.cause_id) is not None:
            known.aside.add(name)
    for operation in evidence.operations:
        if operation.what != COMMAND:
            _tell(known, operation)
    _facts(known)
    for effect in applied(evidence):
        place = effect.subject_id, effect.recipient
        known.highest[place] = max(effect.sequence, known.highest.get(place, -1))
        if effect.kind in ARRIVALS and effect.delivery_id not in known.moved:
            for report in effect.report_ids:
                known.seen[report, effect.recipient].append(effect)
    return known


def _tell(known: Known, operation: Operation) -> None:
    one = known.told.setdefault(operation.identity, Told(operation.identity))
    one.recipients |= set(operation.recipients)
    one.emergency |= operation.emergency
    one.urgent |= operation.urgent
    one.bad |= operation.what == BAD
    one.reports |= set(operation.report_ids)
    if operation.document_id:
        one.documents.add(operation.document_id)
    if operation.outcome in {OK, INFO}:
        one.possible = True
    if operation.outcome != FAIL and operation.attempts:
        one.first = min(one.first, operation.attempts[0].t0)
    if operation.outcome == OK:
        yes = min((attempt.t1 for attempt in operation.attempts if attempt.outcome == OK), default=one.first)
        one.accepted = min(yes, one.accepted if one.accepted is not None else yes)


def _facts(known: Known) -> None:
    recipients = known.recipients
    for fact in known.evidence.facts:
        if fact.report_id is None or fact.kind not in ARRIVALS:
            continue
        if fact.cause_id not in {None, fact.report_id}:
            known.moved |= {delivery_of(fact, recipient) for recipient in recipients}
            continue
        known.arrivals[fact.report_id].setdefault(fact.fact_id, fact)
        if fact.identity is not None and fact.identity in known.told:
            known.told[fact.identity].reports.add(fact.report_id)
    known.of_report = {report: one for one in known.told.values() for report in sorted(one.reports)}
    # Of two identities that answered with one report id the one that may be there counts, else a conflict cries wolf.
    known.of_report |= {report: one for one in known.told.values() if one.possible for report in sorted(one.reports)}

"""What officers decided about links, as labels for the next learning: folded from facts, without personal data. Pure.

A label says whether a report and an incident are one, who decided it how, and what the machine had weighed. Facts leave
with their retention, a file of labels stays.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Final

import orjson

from schemas.incident import (
    Explanation,
    Fact,
    IncidentOpened,
    LinkSuggested,
    ReportLinked,
    ReportUnlinked,
    SuggestionSettled,
)
from schemas.report import Mode

WEIGHTS, PERSON = "weights", "person"
NONE: Final = Explanation(rule=PERSON)


class Decided(StrEnum):
    """How a person decided."""

    SUGGESTION_CONFIRMED = "suggestion-confirmed"
    SUGGESTION_REJECTED = "suggestion-rejected"
    LINK_UNDONE = "link-undone"
    LINK_KEPT = "link-kept"
    """A doubted one."""
    LINKED_BY_HAND = "linked-by-hand"


@dataclass(frozen=True, slots=True)
class Label:
    """One decision. `one`: whether the report belongs to the incident; bits and evidence are the machine's, if any."""

    at: datetime
    unit: str
    decided: Decided
    one: bool
    report_id: str
    incident_id: str
    weights: str
    bits: float
    evidence: str


@dataclass
class Labels:
    """Facts in, in the order of their territory; labels out. Exercises and tests teach nothing."""

    _linked: dict[str, tuple[str, Explanation]] = field(default_factory=dict)
    """Report -> the incident that the machine gave it to, and why."""
    _suggested: dict[tuple[str, str], tuple[str, Explanation]] = field(default_factory=dict)
    """Incident and target -> the report that raised the question, and why."""
    _opened: set[str] = field(default_factory=set)
    _settled: set[str] = field(default_factory=set)
    """Commands that settled a suggestion: the moves that follow from it say nothing new."""

    def take(self, fact: Fact, mode: str) -> Label | None:
        """One fact; the label that it makes, if it makes one."""
        change, incident = fact.change, fact.incident_id
        if mode != Mode.REAL or incident is None:
            return None
        if isinstance(change, IncidentOpened):
            self._opened.add(incident)
        elif isinstance(change, LinkSuggested):
            said = change.suggestion
            self._suggested[incident, said.target_id] = said.report_id, said.explanation
        elif isinstance(change, SuggestionSettled):
            return self._settle(fact, incident, change)
        elif isinstance(change, ReportUnlinked):
            return self._undo(fact, incident, change.report_id)
        elif isinstance(change, ReportLinked):
            return self._link(fact, incident, change)
        return None

    def _settle(self, fact: Fact, incident: str, change: SuggestionSettled) -> Label | None:
        self._settled.add(fact.caused_by)
        if change.report_id is not None:
            _, why = self._linked.get(change.report_id, (incident, NONE))
            return _label(fact, Decided.LINK_KEPT, change.report_id, incident, why, one=True)
        report, why = self._suggested.pop((incident, change.target_id), ("", NONE))
        how = Decided.SUGGESTION_CONFIRMED if change.confirmed else Decided.SUGGESTION_REJECTED
        return _label(fact, how, report, change.target_id, why, one=change.confirmed) if report else None

    def _undo(self, fact: Fact, incident: str, report: str) -> Label | None:
        given, why = self._linked.pop(report, ("", NONE))
        return _label(fact, Decided.LINK_UNDONE, report, incident, why, one=False) if given == incident else None

    def _link(self, fact: Fact, incident: str, change: ReportLinked) -> Label | None:
        if change.explanation.rule == WEIGHTS:
            self._linked[change.report_id] = incident, change.explanation
        if change.explanation.rule != PERSON or fact.caused_by in self._settled:
            return None
        if incident not in self._opened:  # taken out, into an incident of its own
            self._opened.add(incident)
            return None
        return _label(fact, Decided.LINKED_BY_HAND, change.report_id, incident, NONE, one=True)


def _label(fact: Fact, decided: Decided, report: str, incident: str, why: Explanation, *, one: bool) -> Label:
    evidence = {part.feature: [part.value, part.weight_bits] for part in why.evidence}
    told = orjson.dumps(evidence).decode()
    return Label(fact.at, fact.unit, decided, one, report, incident, why.version, why.weight_bits, told)


def written(labels: Iterable[Label]) -> str:
    """A CSV file: a line for each label, columns named after its fields."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(one.name for one in fields(Label))
    for label in labels:
        at, unit, decided, one, *rest = astuple(label)
        rows.writerow([at.isoformat(), unit, decided, int(one), *rest])
    return file.getvalue()

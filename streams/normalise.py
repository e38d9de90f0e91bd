"""normalise: every report gets a unit, a point, a category and an urgency, and goes to its territory's log.

One instance per intake topic. Reports, commands and snapshots of feeds come in; `territory.log` goes out, keyed by
unit: everything that can change a territory's incidents, in one order. Repeats pass: the incidents
processor knows what it has seen. State: which unit has a thread, so that all its revisions go to one log, and what
each feed showed last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import orjson

from schemas.command import Command
from schemas.envelope import attributes
from schemas.errors import Code, Rejected
from schemas.finding import Finding, FindingCode
from schemas.notice import Notice, NoticeChanged, SnapshotTaken
from schemas.report import RECORDS, Mode, Report, ReportNormalised, Revision
from schemas.topics import LOG
from schemas.unit import Observation
from schemas.wire import derived_id, parse, type_name
from streams.bounded import remember
from streams.categories import Catalogue
from streams.contract import Outcome, Output, Processor, Record, State
from streams.emit import milliseconds, moment, output
from streams.modes import allowed
from streams.placing import Placed, place_report
from streams.snapshots import Change, compare
from streams.territory import Territory
from streams.urgency import UrgencyRules

NAME: Final = "normalise"
REPORT, COMMAND, SNAPSHOT = type_name(Report), type_name(Command), type_name(SnapshotTaken)


class SourceRule(NamedTuple):
    """What normalise must know of a source instance: its mapping of codes, and which event times are plausible."""

    mapping: str | None = None
    past_seconds: float = 86_400.0
    future_seconds: float = 300.0


_USUAL: Final = SourceRule()


@dataclass(frozen=True)
class NormaliseReference:
    """Everything that decides, beside the report: immutable, each part with a version.

    `sources` by source instance; where a mapping is not named or not there, the one that bears the source's name or
    its far system's is used.
    """

    territory: Territory
    catalogue: Catalogue
    urgency: UrgencyRules
    sources: Mapping[str, SourceRule] = field(default_factory=dict)
    mode: Mode = Mode.REAL
    installation: str = ""
    remembered_threads: int = 200_000

    @property
    def versions(self) -> dict[str, str]:
        """Digest of each reference data set, written into every report."""
        return {
            "catalogue": self.catalogue.version,
            "territory": self.territory.version,
            "urgency": self.urgency.version,
        }

    def rule(self, report: Report) -> SourceRule:
        """The rule of the report's source, with the first mapping that is there."""
        rule = self.sources.get(report.source) or _USUAL
        mappings = self.catalogue.mappings
        if rule.mapping in mappings:
            return rule
        name = next((name for name in (report.source, report.far_system) if name in mappings), None)
        return rule if rule.mapping is name else rule._replace(mapping=name)


def processor(topic: str, reference: NormaliseReference) -> Processor:
    """The processor of one intake topic."""
    versions = reference.versions

    def step(state: State, record: Record) -> Outcome:
        """Normalise one record; called again after a crash with the same state, and then gives the same bytes."""
        told = attributes(record.headers)
        match told.get("type"):
            case kind if kind == REPORT:
                return _report(state, record, told, reference, versions)
            case kind if kind == COMMAND:
                return _command(record, told, reference)
            case kind if kind == SNAPSHOT:
                return _snapshot(state, record, told, reference)
            case _:
                raise Rejected(Code.RECORD_INVALID, "a record of a type that is not read here", "/type")

    return Processor(name=NAME, input=topic, outputs=(LOG,), step=step, encode=orjson.dumps, decode=orjson.loads)


def _report(
    state: State, record: Record, told: dict[str, str], reference: NormaliseReference, versions: dict[str, str]
) -> Outcome:
    report = parse(Report, record.value)
    allowed(report.mode, reference.mode)
    thread = f"t|{report.thread_id}"
    remembered: str | None = state.get(thread)
    placed = place_report(report.told, reference.territory, remembered)
    normalised = _normalised(report, placed, reference, versions)
    outputs = [_to_log(normalised, record, told), *_observations(normalised, placed, record, told)]
    if remembered is not None or report.told.unit is not None:
        return Outcome(outputs)
    puts: dict[str, object] = {thread: placed.unit}
    oldest = remember(state, "t", thread, reference.remembered_threads, puts)
    return Outcome(outputs, puts, (oldest,) if oldest else ())


def _normalised(
    report: Report, placed: Placed, reference: NormaliseReference, versions: dict[str, str]
) -> ReportNormalised:
    rule = reference.rule(report)
    understood = reference.catalogue.understand(rule.mapping, report.told.category, report.told.subcategory)
    urgency = reference.urgency.decide(report.told, understood.category)
    event_at, odd_time = plausible(report, rule)
    own = [*placed.findings, *odd_time]
    if not understood.known:
        own.append(Finding(code=FindingCode.UNKNOWN_CODE, at="/told/category", detail="no mapping knows the code"))
    if reference.installation and reference.installation in report.told.via:
        own.append(Finding(code=FindingCode.LOOP, at="/told/via", detail="came back to where it had been"))
    told_codes = {finding.code for finding in report.findings}
    findings = (*report.findings, *(finding for finding in own if finding.code not in told_codes))
    return ReportNormalised(
        report=report,
        unit=placed.unit,
        place=placed.place,
        category=understood.category.code,
        cap_category=understood.category.cap,
        urgency=urgency.urgency,
        urgency_rule=urgency.rule,
        event_at=event_at,
        findings=findings,
        versions=versions,
    )


def plausible(report: Report, rule: SourceRule) -> tuple[datetime, tuple[Finding, ...]]:
    """When it happened: the far side's time within the source's window round receipt, else receipt, with a finding.

    A territory of fed history (clock `records`) lives by the told times, so there they are always taken.
    """
    told = report.told
    at = told.event_at or told.registered_at
    if at is None:
        return report.received_at, ()
    if at.tzinfo is None:
        return report.received_at, (_time_finding("a time without zone"),)
    if told.clock == RECORDS:
        return at, ()
    early = report.received_at - timedelta(seconds=rule.past_seconds)
    late = report.received_at + timedelta(seconds=rule.future_seconds)
    if early <= at <= late:
        return at, ()
    return report.received_at, (_time_finding("outside the source's window round receipt"),)


def _time_finding(detail: str) -> Finding:
    return Finding(code=FindingCode.TIME_IMPLAUSIBLE, at="/told/event_at", detail=detail)


def _to_log(normalised: ReportNormalised, record: Record, told: dict[str, str]) -> Output:
    report = normalised.report
    return output(
        LOG,
        normalised.unit,
        normalised,
        id=derived_id(NAME, report.report_id, report.document.document_id),
        part=NAME,
        time=moment(record.timestamp_ms),
        carried=told,
        extensions={
            "documentid": report.document.document_id,
            "reportid": report.report_id,
            "threadid": report.thread_id,
            "mode": report.mode.value,
            "unit": normalised.unit,
        },
    )


def _observations(normalised: ReportNormalised, placed: Placed, record: Record, told: dict[str, str]) -> list[Output]:
    """What neighbours near the border may know: nothing personal, no text; never of tests, never of cancellations."""
    report, position = normalised.report, normalised.place.position
    if position is None or report.mode is Mode.TEST or report.told.revision is Revision.CANCELLATION:
        return []
    return [
        output(
            LOG,
            neighbour,
            Observation(
                report_id=report.report_id,
                from_unit=normalised.unit,
                to_unit=neighbour,
                category=normalised.category,
                position=position,
                event_at=normalised.event_at,
            ),
            id=derived_id("observation", report.report_id, report.document.document_id, neighbour),
            part=NAME,
            time=moment(record.timestamp_ms),
            carried={name: told[name] for name in ("mode", "traceparent") if name in told},
            extensions={"reportid": report.report_id, "unit": neighbour},
        )
        for neighbour in placed.near
    ]


def _command(record: Record, told: dict[str, str], reference: NormaliseReference) -> Outcome:
    """A command passes unchanged into the log of its unit, behind everything that the desk could have seen.

    Only a null header stays behind: foreign ones may be null, and no output carries one.
    """
    command = parse(Command, record.value)
    allowed(command.mode, reference.mode)
    added = {"unit": command.unit, "kind": command.verb.value}
    came = ((name, raw) for name, raw in record.headers if raw is not None)
    new = ((f"ce_{name}", text.encode()) for name, text in added.items() if name not in told)
    return Outcome((Output(LOG, command.unit.encode(), record.value, (*came, *new)),))


def _snapshot(state: State, record: Record, told: dict[str, str], reference: NormaliseReference) -> Outcome:
    snapshot = parse(SnapshotTaken, record.value)
    for notice in snapshot.items:
        allowed(notice.mode, reference.mode)
    now = snapshot.taken_at or moment(record.timestamp_ms)
    names, last_ms = state.get(f"f|{snapshot.feed}") or ((), 0)
    if milliseconds(now) < last_ms:
        return Outcome()
    keys = {name: f"n|{snapshot.feed}|{name}" for name in {*names, *(one.notice_id for one in snapshot.items)}}
    known = {name: Notice.model_validate_json(state.get(keys[name])) for name in names}
    compared = compare(known, snapshot, now, reference.territory)
    puts: dict[str, object] = {keys[name]: one.to_json().decode() for name, one in sorted(compared.kept.items())}
    still: Any = sorted({*names, *compared.kept} - set(compared.gone))
    puts[f"f|{snapshot.feed}"] = (still, milliseconds(now))
    outputs = [_notice(change, snapshot, record, told) for change in compared.changes]
    return Outcome(outputs, puts, tuple(keys[name] for name in compared.gone))


def _notice(change: Change, snapshot: SnapshotTaken, record: Record, told: dict[str, str]) -> Output:
    payload = NoticeChanged(
        unit=change.unit, notice=change.notice, withdrawn=change.withdrawn, caused_by=snapshot.snapshot_id
    )
    return output(
        LOG,
        change.unit,
        payload,
        id=derived_id("notice", snapshot.snapshot_id, change.notice.notice_id, change.unit, str(change.withdrawn)),
        part=NAME,
        time=moment(record.timestamp_ms),
        carried=told,
        extensions={"mode": change.notice.mode.value, "unit": change.unit, "causeid": snapshot.snapshot_id},
    )

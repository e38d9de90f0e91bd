"""What route looks at in a fact: its subject, what rules see of it, and the parts that profiles pick from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from schemas.notice import Severity
from schemas.report import Urgency
from schemas.summary import IncidentState
from schemas.wire import derived_id
from streams.emit import milliseconds
from streams.profiles import project
from streams.routing import Decision, Routing, View

LOOP: Final = Decision(("loop",), ())
"""A report that came back to where it had been travels no further."""
REPEATED: Final = Decision(("repeated",), ())
"""A report came again: whoever was to get it has it."""
MOVED: Final = Decision(("moved",), ())
"""One of many reports of a merge: the last one's fact carries the incident as it is then."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a delivery is about, and what rules and profiles look at."""

    id: str
    sequence: int
    view: View
    parts: Mapping[str, Mapping[str, Any]]
    report_ids: tuple[str, ...]
    merged_into: str = ""
    """The incident that this one has become part of, with this fact."""


def subject(fact: dict[str, Any], mode: str) -> Subject:
    """What a fact is about. A notice has no sequence of its own: the step's time in ms orders its deliveries.

    `mode` is the one in the record's headers, because not every fact holds a summary or a report that names it.
    """
    change = fact["change"]
    normalised = change.get("report") or {}
    report = {**(normalised.get("report") or {}), **normalised}
    report.pop("report", None)
    summary = fact.get("summary") or {}
    notice = change.get("notice") or {}
    category = str(summary.get("category") or report.get("category") or "")
    told = report.get("told") or {}
    severity = str(notice.get("severity") or "")
    urgent_notice = severity in {Severity.SEVERE, Severity.EXTREME}
    view = View(
        kind=change["kind"],
        category=category,
        group=category.split(".", 1)[0],
        unit=str(fact.get("unit") or ""),
        urgency=str(
            summary.get("urgency") or report.get("urgency") or (Urgency.ORDINARY, Urgency.URGENT)[urgent_notice]
        ),
        mode=mode,
        flags=frozenset([*(summary.get("flags") or ()), *(told.get("flags") or ())]),
        severity=severity,
        source=str(report.get("source") or notice.get("feed") or ""),
        deadline=str(change.get("deadline") or ""),
    )
    known = [*(summary.get("first_reports") or ()), *(summary.get("last_reports") or ())]
    own = report.get("report_id") or change.get("report_id")
    incident = fact.get("incident_id")
    name = incident or (derived_id("notice", notice["notice_id"], view.unit) if notice else fact["fact_id"])
    at_ms = milliseconds(datetime.fromisoformat(fact["at"]))
    return Subject(
        id=name,
        sequence=int(summary.get("sequence") or 0) if incident else at_ms,
        view=view,
        parts={"fact": fact, "report": report, "summary": summary, "change": _without_report(change)},
        report_ids=(own,) if own else tuple(dict.fromkeys(known)),
        merged_into=str(summary.get("merged_into") or "") if change.get("after") == IncidentState.MERGED else "",
    )


def _without_report(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in change.items() if name != "report"}


def decide(routing: Routing, one: Subject) -> Decision:
    """The rules that hold for a fact.

    A looping report goes to nobody, and neither does what tells a recipient nothing: a repeat, a merge's single report.
    """
    if one.view.kind == "ReportRepeated":
        return REPEATED
    if one.view.kind == "ReportLinked" and not one.parts["report"] and not one.parts["summary"]:
        return MOVED
    findings = one.parts["report"].get("findings") or ()
    if any(finding.get("code") == "loop" for finding in findings):
        return LOOP
    return routing.decide(one.view)


def body(routing: Routing, profile: str, one: Subject) -> dict[str, Any]:
    """The permitted fields of a fact, in the order of the profile; nothing else."""
    return project(routing.profiles[profile].tree, one.parts)

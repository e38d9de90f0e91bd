"""What the page may see of each message, named field by field: what is not named is not shown (DODO Act art. 13)."""

from typing import Any

from schemas.feed import Alarm, FeedStatus, Figure, said_of
from schemas.incident import Explanation, IncidentSummary, ObservationMade
from schemas.ledger import LedgerTold
from schemas.notice import Notice
from schemas.place import Place
from schemas.report import ReportNormalised

View = dict[str, Any]


def incident(summary: IncidentSummary) -> View:
    """A row of the list. Without texts: those stay with the reports' own page behind accounts."""
    return {
        "id": summary.incident_id,
        "unit": summary.unit,
        "version": summary.sequence,
        "state": summary.state.value,
        "mode": summary.mode.value,
        "urgency": summary.urgency.value,
        "category": summary.category,
        "cap_category": summary.cap_category,
        "place": place(summary.place),
        "opened_at": summary.opened_at.isoformat(),
        "event_at": summary.event_at.isoformat(),
        "updated_at": summary.updated_at.isoformat(),
        "stages": {stage.stage.value: stage.at.isoformat() for stage in summary.stages},
        "reports": summary.reports,
        "sources": summary.sources,
        "unread": summary.unread,
        "flags": list(summary.flags),
        "resources": list(summary.resources),
        "references": [
            f"{reference.system}: {reference.id}" for reference in summary.references if reference.system == "cpr_id"
        ],
        "casualties": summary.casualties.model_dump(exclude_none=True) if summary.casualties else None,
        "suggestions": [
            {"target": s.target_id, "report": s.report_id, "why": explanation(s.explanation)}
            for s in summary.suggestions
        ],
        "merged_into": summary.merged_into,
        "handed_to": summary.handed_to,
    }


def report(normalised: ReportNormalised) -> View:
    """A report under its incident: who told, when, where, what kind; no text, no person."""
    told = normalised.report.told
    return {
        "id": normalised.report.report_id,
        "source": normalised.report.source,
        "channel": told.channel,
        "revision": told.revision.value,
        "category": normalised.category,
        "urgency": normalised.urgency.value,
        "place": place(normalised.place),
        "event_at": normalised.event_at.isoformat(),
        "received_at": normalised.report.received_at.isoformat(),
        "findings": sorted({finding.code.value for finding in normalised.findings}),
    }


def place(told: Place) -> View:
    """A place as one line and a point."""
    street = " ".join(part for part in (told.street, told.building) if part)
    road = f"{told.road} km {told.road_km:g}" if told.road and told.road_km is not None else told.road
    line = ", ".join(part for part in (street, road, told.object_name, told.locality, told.gmina) if part)
    view: View = {"line": line}
    if told.position:
        view |= {"lat": told.position.lat, "lon": told.position.lon, "uncertainty_m": told.position.uncertainty_m}
    return view


def explanation(why: Explanation) -> View:
    """Why two were linked, as features and bits."""
    return {
        "rule": why.rule,
        "bits": round(why.weight_bits, 1),
        "evidence": [{"feature": e.feature, "value": e.value, "bits": round(e.weight_bits, 1)} for e in why.evidence],
    }


def neighbour(change: ObservationMade) -> View:
    """What a unit next door has that may be the same: whose, which incident there if it is known, and why."""
    return {
        "unit": change.from_unit,
        "incident": change.other_incident_id,
        "why": explanation(change.explanation) if change.explanation is not None else None,
    }


def notice(told: Notice) -> View:
    """A warning with its source, which must be named."""
    return {
        "id": told.notice_id,
        "event": told.event,
        "severity": told.severity.value,
        "degree": told.degree,
        "starts_at": told.starts_at.isoformat() if told.starts_at else None,
        "ends_at": told.ends_at.isoformat() if told.ends_at else None,
        "text": told.text,
        "attribution": told.attribution,
        "teryt": list(told.teryt),
    }


def alarm(told: Alarm) -> View:
    """An alarm."""
    return {
        "id": told.alarm_id,
        "kind": told.kind,
        "subject": told.subject,
        "class": told.alarm_class.value,
        "active": told.active,
        "raised_at": told.raised_at.isoformat(),
        "detail": told.detail,
    }


def ledger(told: LedgerTold) -> View:
    """The account: counts, and the ids that a person can look up."""
    return {"id": "ledger", **told.model_dump(mode="json")}


def feed(status: FeedStatus) -> View:
    """A feed with what its age is counted from."""
    return {
        "id": said_of(status.feed, status.node),
        "feed": status.feed,
        "system": status.system,
        "state": status.state.value,
        "since": status.since.isoformat(),
        "said_at": status.said_at.isoformat(),
        "last_document_at": status.last_document_at.isoformat() if status.last_document_at else None,
        "documents": status.documents,
        "rejected": status.rejected,
        "expected_every_seconds": status.expected_every_seconds,
        "emergency": status.emergency,
        "code": status.code,
    }


def figure(told: Figure) -> View:
    """A windowed count."""
    return {
        "figure": told.figure,
        "label": told.label,
        "window_start": told.window_start.isoformat(),
        "window_seconds": told.window_seconds,
        "count": told.count,
    }

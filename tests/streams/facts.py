"""Facts, and what may be asked of their parts, for the tests of routing."""

from datetime import timedelta
from typing import Any

from schemas.finding import Finding, FindingCode
from schemas.incident import (
    Evidence,
    Explanation,
    Fact,
    IncidentOpened,
    IncidentState,
    IncidentSummary,
    NoticeIssued,
    ReportLinked,
    Stage,
    StageTime,
    Suggestion,
)
from schemas.notice import Notice
from schemas.place import Place
from schemas.report import Casualties, Mode, Reference, ReportNormalised, Urgency
from tests.schemas import samples
from tests.schemas.samples import AT


def summary(**changes: Any) -> IncidentSummary:
    """An accident with everything filled in."""
    values: dict[str, Any] = {
        "incident_id": "i-1",
        "unit": "kmp-kalisz",
        "sequence": 3,
        "state": IncidentState.OPEN,
        "urgency": Urgency.URGENT,
        "category": "traffic.accident",
        "cap_category": "Transport",
        "place": Place(locality="Kalisz", street="Łódzka", flat="7", text="by the shop"),
        "casualties": Casualties(injured=1, in_danger=2, dead=0),
        "opened_at": AT,
        "event_at": AT,
        "updated_at": AT,
        "stages": (StageTime(stage=Stage.RECEIVED, at=AT, how="measured", by="cpr"),),
        "reports": 1,
        "first_reports": ("r-1",),
        "sources": {"cpr": 1},
        "references": (Reference(system="cpr_id", id="PL-1"),),
        "flags": ("ongoing",),
        "suggestions": (Suggestion(target_id="i-2", report_id="r-1", explanation=explanation()),),
        "resources": ("K-17",),
        "refused_reason": "none",
        "merged_into": "i-9",
        "handed_to": "kpp-x",
    }
    return IncidentSummary.model_validate(values | changes)


def explanation() -> Explanation:
    """Why two things are one."""
    return Explanation(
        rule="weights", weight_bits=9.5, evidence=(Evidence(feature="distance", value="180 m", weight_bits=4.0),)
    )


def normalised(**changes: Any) -> ReportNormalised:
    """The complete CPR form, normalised, with a flat and a text in its place."""
    one = samples.normalised()
    place = one.place.model_copy(update={"flat": "7", "text": "by the shop", "teryt": "3061011"})
    finding = Finding(code=FindingCode.NEAR_BORDER, at="/told/place", detail="x")
    values = {"place": place, "findings": (finding,)} | changes
    return one.model_copy(update=values)


def opened(**changes: Any) -> Fact:
    """An incident opened by a complete report."""
    values: dict[str, Any] = {
        "fact_id": "f-1",
        "caused_by": "r-1",
        "unit": "kmp-kalisz",
        "at": AT,
        "incident_id": "i-1",
        "change": IncidentOpened(report=normalised()),
        "summary": summary(),
    }
    return Fact.model_validate(values | changes)


def linked(**changes: Any) -> Fact:
    """A second report of the incident, with its explanation."""
    change = ReportLinked(report=normalised(), report_id="r-2", explanation=explanation())
    values: dict[str, Any] = {"fact_id": "f-2", "change": change, "actor": "officer-1"}
    return opened(**(values | changes))


def issued(**changes: Any) -> Fact:
    """A storm warning came into force."""
    values = {"notice_id": "n-1", "far_id": "W1", "event": "Burze", "severity": "Severe", "feed": "imgw"}
    ends = {"starts_at": AT, "ends_at": AT + timedelta(hours=6)}
    notice = Notice.model_validate(values | ends | changes)
    return opened(fact_id="f-3", incident_id=None, summary=None, change=NoticeIssued(notice=notice))


def of_mode(mode: Mode) -> Fact:
    """An incident of another mode."""
    return opened(summary=summary(mode=mode))

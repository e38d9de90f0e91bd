"""What an incident takes over from its reports: pure functions from summary and report to the next summary.

Everything here is bounded, whatever the reports hold, so that a summary stays below 32 KiB.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from schemas.place import Place, Position
from schemas.report import Casualties, Reference, ReportNormalised
from schemas.summary import IncidentState, IncidentSummary, Stage, StageTime, Suggestion
from streams.incident_gist import Gist
from streams.incident_state import Sighting
from streams.lifecycle import stamped
from streams.weight_shapes import WeightsShape

LISTED: Final = 20
"""How many report ids a summary names from the beginning, and as many from the end."""
REFERENCES, SUGGESTIONS, FLAGS, SOURCES, RESOURCES = 50, 10, 30, 50, 50
NAME_CHARACTERS: Final = 100
PLACE_CHARACTERS: Final = 200
TEXT_CHARACTERS: Final = 200
"""How much of a description takes part in matching."""
NULL_ISLAND_DEGREES: Final = 0.01
"""Nearer than this to 0 N 0 E a position is a device that had none."""


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def gist(told: ReportNormalised) -> Gist:
    """The gist of a report. Texts are cut, letter case and spaces evened out: they are only compared."""
    report = told.report
    place = _trimmed(told.place)
    return Gist(
        report_id=report.report_id,
        thread_id=report.thread_id,
        source=report.source[:NAME_CHARACTERS],
        system="/".join(filter(None, (report.far_system, report.told.agency)))[:NAME_CHARACTERS],
        mode=report.mode,
        urgency=told.urgency,
        category=told.category[:NAME_CHARACTERS],
        cap_category=told.cap_category[:NAME_CHARACTERS],
        place=place,
        casualties=report.told.casualties,
        event_at=told.event_at,
        received_at=report.received_at,
        registered_at=report.told.registered_at,
        call_answered_at=report.told.call_answered_at,
        references=report.told.references[:REFERENCES],
        tokens=report.tokens[:REFERENCES],
        flags=tuple(flag[:NAME_CHARACTERS] for flag in report.told.flags[:FLAGS]),
        clock=report.told.clock[:NAME_CHARACTERS],
        order=report.revision_order,
        text=_plain(report.told.description or ""),
        street=_plain(f"{place.street or place.text or place.road or ''} {place.building or ''}"),
    )


def sighting(held: Gist, shape: WeightsShape) -> Sighting:
    """How matching sees the report.

    No position: none given, (0, 0), or less sure than the weights' `largest_uncertainty_m`. No text where it has fewer
    words than they want.
    """
    lat, lon, sigma_m = trusted(held.place.position, shape)
    return Sighting(
        report_id=held.report_id,
        lat=lat,
        lon=lon,
        sigma_m=sigma_m,
        at_ms=milliseconds(held.event_at),
        category=held.category,
        system=held.system,
        text=held.text if held.text.count(" ") + 1 >= shape.text.words else "",
        street=held.street if held.street.count(" ") + 1 >= shape.street.words else "",
        direction=_plain(held.place.direction or "")[:NAME_CHARACTERS],
        road=_plain(held.place.road or "").replace(" ", "")[:NAME_CHARACTERS],
    )


def trusted(position: Position | None, shape: WeightsShape) -> tuple[float | None, float | None, float]:
    """The point that matching goes by, and its uncertainty in metres; None, None and 0 where there is none to trust."""
    if position is None or position.uncertainty_m > shape.largest_uncertainty_m:
        return None, None, 0.0
    if abs(position.lat) < NULL_ISLAND_DEGREES and abs(position.lon) < NULL_ISLAND_DEGREES:
        return None, None, 0.0
    return position.lat, position.lon, position.uncertainty_m


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since the epoch, without the rounding of a float."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


def opened(held: Gist, incident_id: str, unit: str, now: datetime, flags: Iterable[str] = ()) -> IncidentSummary:
    """The summary of an incident that this report alone makes; its sequence is 0 until the first fact is told."""
    return IncidentSummary(
        incident_id=incident_id,
        unit=unit,
        sequence=0,
        state=IncidentState.OPEN,
        mode=held.mode,
        urgency=held.urgency,
        category=held.category,
        cap_category=held.cap_category,
        place=held.place,
        casualties=held.casualties,
        opened_at=now,
        event_at=held.event_at,
        updated_at=now,
        stages=first_stages(held),
        reports=1,
        first_reports=(held.report_id,),
        sources={held.source: 1},
        references=_referenced((), held.references),
        flags=with_flags(held.flags, flags),
        clock=held.clock,
    )


def first_stages(held: Gist) -> tuple[StageTime, ...]:
    """What the opening report says of the stages before us."""
    stages: tuple[StageTime, ...] = ()
    told = (
        (Stage.CALL_ANSWERED, held.call_answered_at),
        (Stage.REGISTERED, held.registered_at),
        (Stage.RECEIVED, held.received_at),
    )
    for stage, at in told:
        if at is not None:
            stages = stamped(stages, StageTime(stage=stage, at=at, how="measured", by=held.source))
    return stages


def joined(summary: IncidentSummary, held: Gist, *, history: bool) -> dict[str, Any]:
    """What changes in the summary when the report joins. An older revision (`history`) overwrites nothing."""
    changes = added(summary, held)
    changes["unread"] = summary.unread + 1
    if not history:
        changes["casualties"] = highest(summary.casualties, held.casualties)
        changes["flags"] = with_flags(summary.flags, held.flags)
        changes["event_at"] = min(summary.event_at, held.event_at)
    return changes


def added(summary: IncidentSummary, held: Gist) -> dict[str, Any]:
    """What changes in the summary's lists when the report is one of its reports."""
    first, last = listed(summary, held.report_id)
    sources = dict(summary.sources)
    if held.source in sources or len(sources) < SOURCES:
        sources[held.source] = sources.get(held.source, 0) + 1
    return {
        "reports": summary.reports + 1,
        "first_reports": first,
        "last_reports": last,
        "sources": sources,
        "references": _referenced(summary.references, held.references),
    }


def united(into: IncidentSummary, source: IncidentSummary, report_ids: Iterable[str]) -> dict[str, Any]:
    """What changes in the summary's lists when all reports of `source` are added; `report_ids` names those known."""
    following = into
    for report_id in report_ids:
        first, last = listed(following, report_id)
        update = {"reports": following.reports + 1, "first_reports": first, "last_reports": last}
        following = following.model_copy(update=update)
    sources = dict(into.sources)
    for name, number in source.sources.items():
        if name in sources or len(sources) < SOURCES:
            sources[name] = sources.get(name, 0) + number
    return {
        "reports": into.reports + source.reports,
        "first_reports": following.first_reports,
        "last_reports": following.last_reports,
        "sources": sources,
        "references": _referenced(into.references, source.references),
    }


def removed(summary: IncidentSummary, held: Gist) -> dict[str, Any]:
    """What changes in the summary's lists when the report leaves. Its references stay: they were told here."""
    sources = dict(summary.sources)
    left = sources.get(held.source, 1) - 1
    sources[held.source] = left
    if left <= 0:
        del sources[held.source]
    return {
        "reports": summary.reports - 1,
        "first_reports": tuple(one for one in summary.first_reports if one != held.report_id),
        "last_reports": tuple(one for one in summary.last_reports if one != held.report_id),
        "sources": sources,
    }


def listed(summary: IncidentSummary, report_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """First and last report ids with one more."""
    if summary.reports < LISTED and not summary.last_reports:
        return (*summary.first_reports, report_id), ()
    return summary.first_reports, (*summary.last_reports[-LISTED + 1 :], report_id)


def better_place(old: Place, new: Place, *, corrects: bool) -> bool:
    """Whether the new place replaces the old one.

    A newer revision of the thread that gave the old one does when it has a point or none was known; another report
    does when its point is at least twice as sure.
    """
    if new.position is None:
        return corrects and old.position is None and new != Place()
    if corrects or old.position is None:
        return True
    return new.position.uncertainty_m * 2 < old.position.uncertainty_m


def highest(one: Casualties | None, other: Casualties | None) -> Casualties | None:
    """The highest number told of each kind."""
    if one is None or other is None or one == other:
        return one or other
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in ("injured", "in_danger", "dead")}
    return Casualties(**{name: _larger(*pair) for name, pair in pairs.items()})


def with_flags(flags: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    """The flags with these, each once, in order of appearance, at most thirty."""
    new = [flag for flag in more if flag not in flags]
    return (*flags, *dict.fromkeys(new))[:FLAGS] if new else flags


def with_suggestion(summary: IncidentSummary, suggestion: Suggestion) -> tuple[Suggestion, ...]:
    """The open suggestions with this one: one per target, the newest ten."""
    others = [one for one in summary.suggestions if one.target_id != suggestion.target_id]
    return (*others, suggestion)[-SUGGESTIONS:]


def _larger(one: int | None, other: int | None) -> int | None:
    known = [number for number in (one, other) if number is not None]
    return max(known, default=None)


def _referenced(known: tuple[Reference, ...], more: tuple[Reference, ...]) -> tuple[Reference, ...]:
    if not more or len(known) >= REFERENCES:
        return known
    there = {(one.system, one.id) for one in known}
    fitting = [one for one in more if len(one.system) + len(one.id) <= NAME_CHARACTERS]
    fitting = [one for one in fitting if (one.system, one.id) not in there]
    return (*known, *fitting)[:REFERENCES] if fitting else known


def _plain(text: str) -> str:
    return " ".join(text[:TEXT_CHARACTERS].casefold().split())


def _trimmed(place: Place) -> Place:
    told: Mapping[str, object] = place.__dict__
    long = {name: text[:PLACE_CHARACTERS] for name, text in told.items() if isinstance(text, str) and len(text) > 200}
    return place.model_copy(update=long) if long else place

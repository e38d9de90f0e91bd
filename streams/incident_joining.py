"""A report becomes part of an incident: what it changes there, and what is remembered of it."""

import hashlib
from dataclasses import replace
from typing import Any, Final, NamedTuple

from schemas.incident import (
    Explanation,
    IncidentFlagged,
    IncidentRecategorised,
    IncidentState,
    ReportLinked,
    StateChanged,
)
from schemas.report import ReportNormalised, Revision, Urgency
from streams import deadlines, incident_doubts, incident_grid, incident_memory
from streams.categories import UNKNOWN
from streams.incident_gist import Gist
from streams.incident_reference import DECIDING
from streams.incident_state import Incident, KnownReport, Sighting
from streams.incident_summary import better_place, joined, opened, with_flags
from streams.incident_turn import Turn

CANCELLED: Final = "cancelled-by-source"
ELSEWHERE: Final = -1
"""Ordinal of a report that is not listed here: forwarded, or held late."""


class Arrival(NamedTuple):
    """A report on its way into an incident."""

    told: ReportNormalised
    raw: bytes
    held: Gist
    seen: Sighting
    shared: tuple[str, ...]


def new_incident(turn: Turn, held: Gist, seen: Sighting, incident_id: str, shared: tuple[str, ...]) -> Incident:
    """An incident of this one report, not told and not saved yet."""
    now = turn.now_ms
    return Incident(
        summary=opened(held, incident_id, turn.unit, turn.now),
        sightings=(seen,),
        shared=shared[: incident_memory.SHARED_LIMIT],
        thread_id=held.thread_id,
        place_thread=held.thread_id,
        next_report=1,
        news_ms=now,
        asking_ms=now,
        handed_ms=0,
        window_ms=turn.reference.category(held.category).window_ms,
        cell="",
        listed=None,
        by_person=False,
        gone_to="",
        touched_ms=turn.append_ms,
    )


def join(turn: Turn, incident: Incident, arrival: Arrival, why: Explanation, *, history: bool) -> Incident:
    """The report joins the incident. An older revision joins as history and overwrites nothing."""
    held = arrival.held
    change = ReportLinked(report_id=held.report_id, explanation=why, history=history)
    body = b'{"kind":"ReportLinked","report":%b,%b' % (arrival.raw, change.to_json()[len('{"kind":"ReportLinked",') :])
    changes = joined(incident.summary, held, history=history)
    corrects = held.thread_id == incident.place_thread
    placed = not history and better_place(incident.summary.place, held.place, corrects=corrects)
    if placed:
        changes["place"] = held.place
    woken = incident.summary.dormant
    if woken:
        changes["dormant"] = False
    following = replace(
        incident,
        sightings=_sightings(incident, arrival.seen, placed=placed, history=history),
        shared=tuple(dict.fromkeys((*incident.shared, *arrival.shared)))[-incident_memory.SHARED_LIMIT :],
        place_thread=held.thread_id if placed else incident.place_thread,
        next_report=incident.next_report + 1,
        news_ms=turn.now_ms,
    )
    if placed:
        following = replace(following, summary=following.summary.model_copy(update={"place": held.place}))
    following = incident_grid.stand(turn, following)
    following = turn.tell(change, following, body, **changes)
    know(turn, arrival.told, held, following.summary.incident_id, incident.next_report, arrival.shared)
    if why.rule == "weights":
        incident_doubts.weighed(turn, held.report_id, following.summary.incident_id)
    if woken:
        deadlines.watching(turn, following)
    return following


def consequences(turn: Turn, incident: Incident, arrival: Arrival, *, history: bool, called_back: bool) -> Incident:
    """What a joining report changes beside the list of reports: category, urgency, a cancellation, a reopening."""
    if history:
        return incident
    incident = _recategorised(turn, incident, arrival.held)
    told = arrival.told.report.told
    if told.revision is Revision.CANCELLATION:
        incident = flagged(turn, incident, CANCELLED, arrival.held.report_id)
    asked = (told.handling_status or "").casefold() in turn.reference.reopening
    if incident.summary.state is IncidentState.REFUSED and (asked or called_back):
        before, source = incident.summary.state, arrival.held.source
        change = StateChanged(verb="reopen", before=before, after=IncidentState.OPEN, actor=source)
        changes: dict[str, Any] = {"state": IncidentState.OPEN, "refused_reason": None}
        incident = turn.tell(change, replace(incident, asking_ms=turn.now_ms), **changes)
        deadlines.asking(turn, incident)
    return incident


def _recategorised(turn: Turn, incident: Incident, held: Gist) -> Incident:
    """A newer word of the thread that opened the incident corrects its kind; any report may raise its urgency."""
    summary = incident.summary
    corrects = held.thread_id == incident.thread_id or summary.category == UNKNOWN
    category, cap = summary.category, summary.cap_category
    if corrects and not incident.by_person and held.category not in {category, UNKNOWN}:
        category, cap = held.category, held.cap_category
    urgency = Urgency.URGENT if held.urgency is Urgency.URGENT else summary.urgency
    if (category, urgency) == (summary.category, summary.urgency):
        return incident
    change = IncidentRecategorised(category=category, urgency=urgency, actor=held.source)
    wider = replace(incident, window_ms=turn.reference.category(category).window_ms)
    told = turn.tell(change, wider, category=category, cap_category=cap, urgency=urgency)
    return turn.save(incident_grid.stand(turn, told))


def flagged(turn: Turn, incident: Incident, flag: str, report_id: str) -> Incident:
    """Flag the incident for a person; once."""
    if flag in incident.summary.flags:
        return incident
    flags = with_flags(incident.summary.flags, (flag,))
    return turn.tell(IncidentFlagged(flag=flag, report_id=report_id), incident, flags=flags)


def know(
    turn: Turn, told: ReportNormalised, held: Gist, incident_id: str, at: int, shared: tuple[str, ...] = ()
) -> None:
    """Remember where the report is, by its own id, its thread and the ids it names."""
    report = told.report
    key = f"r|{turn.unit}|{report.report_id}"
    digest = told_digest(told)
    text = held.model_dump_json(exclude_none=True)
    turn.put(key, KnownReport(incident_id, at, report.document.sha256, digest, report.thread_id, text))
    keys = [key]
    if incident_id:
        if at != ELSEWHERE:
            turn.put(f"p|{turn.unit}|{incident_id}|{at}", report.report_id)
        thread = incident_memory.thread_key(turn, held.mode, report.thread_id)
        keys += incident_memory.point(turn, thread, incident_id, report.revision_order)
        for one in shared:
            named = incident_memory.reference_key(turn, held.mode, one)
            if not _another_holds(turn, named, one, incident_id):
                keys += incident_memory.point(turn, named, incident_id)
    incident_memory.remember(turn, keys)


def _another_holds(turn: Turn, key: str, shared: str, incident_id: str) -> bool:
    """Whether an id that names the matter is another incident's: a person decides whether both are one."""
    known = turn.get(key) if shared.partition("|")[0] in DECIDING else None
    other = incident_memory.found(turn, known[0]) if known is not None else None
    return other is not None and other.summary.incident_id != incident_id


def _sightings(incident: Incident, seen: Sighting, *, placed: bool, history: bool) -> tuple[Sighting, ...]:
    """The one that gave the place, and the last one."""
    if history:
        return incident.sightings
    if placed or not incident.sightings:
        return (seen,)
    return incident.sightings[0], seen


def told_digest(told: ReportNormalised) -> str:
    """Names what was told, without persons (their sealing differs each time) and without identity."""
    return hashlib.blake2b(told.report.told.to_json(), digest_size=8).hexdigest()

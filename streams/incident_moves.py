"""A person moves reports between incidents: links, takes out, settles a suggestion, merges.

A merge moves every report by a fact of its own. It costs as much as the incident has reports, once, by a person's
command; everything else about an incident costs the same however many reports it has.
"""

from dataclasses import replace
from typing import Any, Final

from schemas.command import Command
from schemas.errors import Code
from schemas.incident import (
    Explanation,
    IncidentState,
    ReportLinked,
    ReportUnlinked,
    StateChanged,
    SuggestionSettled,
)
from schemas.report import Urgency
from schemas.summary import IncidentSummary
from schemas.wire import derived_id
from streams import deadlines, incident_doubts, incident_grid, incident_memory
from streams.incident_gist import Gist
from streams.incident_joining import new_incident
from streams.incident_state import Incident, KnownReport
from streams.incident_summary import (
    RESOURCES,
    better_place,
    highest,
    joined,
    removed,
    sighting,
    united,
    with_flags,
)
from streams.incident_turn import Turn
from streams.lifecycle import LIVE, OVER, further, stamped

MERGED_AT_MOST: Final = 10_000
"""Reports of an incident that may be merged into another in one step; its state changes must fit one batch."""


def link(turn: Turn, command: Command, incident: Incident) -> Code | None:
    """Move one report, or without `report_id` all of them, to the incident `target_id`."""
    target, code = _target(turn, command, incident)
    if target is None:
        return code
    if command.report_id is None:
        return _merge(turn, command, incident, target)
    known = _listed(turn, incident, command.report_id)
    if known is None:
        return Code.REPORT_UNKNOWN
    if incident.summary.reports == 1:
        return _merge(turn, command, incident, target)
    _unlink(turn, command.report_id, known, incident, target.summary.incident_id)
    _join(turn, command.report_id, known, target)
    return None


def unlink(turn: Turn, command: Command, incident: Incident) -> Code | None:
    """Move one report out, into an incident of its own, which asks for an answer. The last one cannot leave."""
    if command.report_id is None:
        return Code.FIELD_MISSING
    known = _listed(turn, incident, command.report_id)
    if known is None:
        return Code.REPORT_UNKNOWN
    if incident.summary.reports == 1:
        return Code.STATE_FORBIDS
    held = Gist.model_validate_json(known.gist)
    own = derived_id("incident", command.report_id, command.command_id)
    _unlink(turn, command.report_id, known, incident, own)
    seen = sighting(held, turn.reference.weights.shape)
    opened = new_incident(turn, held, seen, own, incident_memory.shared_keys(turn, held))
    opened = turn.tell(_by_person(command.report_id), incident_grid.stand(turn, opened))
    _moved(turn, command.report_id, known, own, 0, held)
    incident_memory.remember(turn, (f"i|{turn.unit}|{own}",))
    deadlines.asking(turn, opened)
    deadlines.watching(turn, opened)
    return None


def confirm(turn: Turn, command: Command, incident: Incident) -> Code | None:
    """The suggestion was right: the incident's reports go to the suggested one.

    With the incident itself as target: a report whose link was doubted belongs here all the same.
    """
    if command.target_id == incident.summary.incident_id:
        return _left(turn, command, incident)
    target, code = _target(turn, command, incident)
    if target is None:
        return code
    if all(one.target_id != command.target_id for one in incident.summary.suggestions):
        return Code.STATE_FORBIDS
    return _merge(turn, command, incident, target)


def _left(turn: Turn, command: Command, incident: Incident) -> Code | None:
    if command.report_id is None:
        return Code.FIELD_MISSING
    incident_id = incident.summary.incident_id
    if not incident_doubts.doubted(turn, command.report_id, incident_id):
        return Code.STATE_FORBIDS
    change = SuggestionSettled(target_id=incident_id, confirmed=True, report_id=command.report_id)
    turn.tell(change, incident, **incident_doubts.decided(turn, incident, command.report_id))
    return None


def reject(turn: Turn, command: Command, incident: Incident) -> Code | None:
    """The suggestion was wrong: it goes away, nothing else changes."""
    if command.target_id is None:
        return Code.FIELD_MISSING
    left = tuple(one for one in incident.summary.suggestions if one.target_id != command.target_id)
    if len(left) == len(incident.summary.suggestions):
        return Code.STATE_FORBIDS
    turn.tell(SuggestionSettled(target_id=command.target_id, confirmed=False), incident, suggestions=left)
    return None


def _target(turn: Turn, command: Command, incident: Incident) -> tuple[Incident | None, Code]:
    if command.target_id is None:
        return None, Code.FIELD_MISSING
    target = incident_memory.found(turn, command.target_id)
    if target is None or target.gone_to:
        return None, Code.INCIDENT_UNKNOWN
    if target.summary.mode is not incident.summary.mode:
        return None, Code.MODE_MIXED
    same = target.summary.incident_id == incident.summary.incident_id
    live = incident.summary.state in LIVE
    if same or target.summary.state is IncidentState.HANDED_OVER or (live and target.summary.state in OVER):
        return None, Code.STATE_FORBIDS
    return target, Code.STATE_FORBIDS


def _listed(turn: Turn, incident: Incident, report_id: str) -> KnownReport | None:
    known: KnownReport | None = turn.get(f"r|{turn.unit}|{report_id}")
    if known is None or known.incident_id != incident.summary.incident_id:
        return None
    return known


def _by_person(report_id: str) -> ReportLinked:
    return ReportLinked(report_id=report_id, explanation=Explanation(rule="person"))


def _unlink(turn: Turn, report_id: str, known: KnownReport, incident: Incident, to: str) -> Incident:
    held = Gist.model_validate_json(known.gist)
    turn.drop(f"p|{turn.unit}|{known.incident_id}|{known.ordinal}")
    left = tuple(one for one in incident.sightings if one.report_id != report_id)
    changes = removed(incident.summary, held) | incident_doubts.decided(turn, incident, report_id)
    return turn.tell(ReportUnlinked(report_id=report_id, moved_to=to), replace(incident, sightings=left), **changes)


def _join(turn: Turn, report_id: str, known: KnownReport, target: Incident) -> None:
    held = Gist.model_validate_json(known.gist)
    at = target.next_report
    following = replace(target, next_report=at + 1, news_ms=turn.now_ms)
    turn.tell(_by_person(report_id), following, **joined(target.summary, held, history=False))
    _moved(turn, report_id, known, target.summary.incident_id, at, held)


def _moved(turn: Turn, report_id: str, known: KnownReport, incident_id: str, at: int, held: Gist) -> None:
    """The report is there now, and later revisions of its thread will follow it."""
    turn.put(f"r|{turn.unit}|{report_id}", replace(known, incident_id=incident_id, ordinal=at))
    turn.put(f"p|{turn.unit}|{incident_id}|{at}", report_id)
    thread = incident_memory.thread_key(turn, held.mode, held.thread_id)
    incident_memory.remember(turn, incident_memory.point(turn, thread, incident_id))


def _merge(turn: Turn, command: Command, incident: Incident, target: Incident) -> Code | None:
    """All reports of the incident go to the target; the incident is merged and names it."""
    source, into = incident.summary, target.summary
    if incident.next_report > MERGED_AT_MOST:
        return Code.STATE_FORBIDS
    if any(one.target_id == command.target_id for one in source.suggestions):
        settled = SuggestionSettled(target_id=command.target_id or into.incident_id, confirmed=True)
        incident = turn.tell(settled, incident, suggestions=())
    state = further(source.state, into.state) if source.state in LIVE and into.state in LIVE else into.state
    change = StateChanged(verb=command.verb.value, before=into.state, after=state, actor=command.actor)
    target = _take_reports(turn, incident, target, change)
    if state is not target.summary.state:
        turn.tell(change, target, state=state)
    merged = StateChanged(
        verb=command.verb.value,
        before=source.state,
        after=IncidentState.MERGED,
        actor=command.actor,
        reason=command.reason,
    )
    turn.tell(
        merged,
        incident_grid.leave(turn, incident),
        state=IncidentState.MERGED,
        merged_into=into.incident_id,
        suggestions=(),
        unread=0,
    )
    return None


def _take_reports(turn: Turn, incident: Incident, target: Incident, change: StateChanged) -> Incident:
    """Every report of the incident becomes one of the target; only the last fact carries the summary.

    Of a report from before a hand-over, or from before the seen window, nothing is held here but what the summary says
    of it. Where not one can be named, `change` carries the summary.
    """
    summary, at = target.summary, target.next_report
    ids = _reports(turn, incident)
    for report_id in ids:
        known = _listed(turn, incident, report_id)
        if known is not None:
            turn.drop(f"p|{turn.unit}|{known.incident_id}|{known.ordinal}")
            _moved(turn, report_id, known, summary.incident_id, at, Gist.model_validate_json(known.gist))
            at += 1
        if report_id != ids[-1]:
            turn.also(_by_person(report_id), summary.incident_id, summary.mode.value)
    target = replace(woken(turn, target), next_report=at)
    changes = united(summary, incident.summary, ids) | _taken_over(summary, incident.summary)
    if not ids:
        return turn.tell(change, target, **changes, state=change.after)
    return turn.tell(_by_person(ids[-1]), target, **changes)


def woken(turn: Turn, incident: Incident) -> Incident:
    """The incident as a candidate again, because something new is known of it; not told and not saved yet."""
    awake = replace(incident, news_ms=turn.now_ms)
    if not incident.summary.dormant:
        return awake
    deadlines.watching(turn, awake)
    return incident_grid.stand(turn, awake)


def _taken_over(into: IncidentSummary, source: IncidentSummary) -> dict[str, Any]:
    """What the summary of the target takes over beside the reports."""
    stages = into.stages
    for one in source.stages:
        stages = stamped(stages, one)
    return {
        "unread": into.unread + source.reports,
        "casualties": highest(into.casualties, source.casualties),
        "flags": with_flags(into.flags, source.flags),
        "urgency": Urgency.URGENT if Urgency.URGENT in {into.urgency, source.urgency} else into.urgency,
        "event_at": min(into.event_at, source.event_at),
        "place": source.place if better_place(into.place, source.place, corrects=False) else into.place,
        "suggestions": tuple(one for one in into.suggestions if one.target_id != source.incident_id),
        "resources": tuple(dict.fromkeys((*into.resources, *source.resources)))[:RESOURCES],
        "stages": stages,
        "dormant": False,
    }


def _reports(turn: Turn, incident: Incident) -> tuple[str, ...]:
    """The ids of its reports in their order: those held here, and those that only the summary lists."""
    summary = incident.summary
    held = (turn.get(f"p|{turn.unit}|{summary.incident_id}|{at}") for at in range(incident.next_report))
    return tuple(dict.fromkeys((*summary.first_reports, *filter(None, held), *summary.last_reports)))

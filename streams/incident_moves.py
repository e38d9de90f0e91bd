"""A person moves reports between incidents: links, takes out, settles a suggestion, merges.

A merge moves every report by a fact of its own. It costs as much as the incident has reports, once, by a person's
command; everything else about an incident costs the same however many reports it has.
"""

from dataclasses import replace
from typing import Final

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
from schemas.wire import derived_id
from streams import (
    deadlines,
    incident_content,
    incident_doubts,
    incident_grid,
    incident_memory,
    incident_suggestions,
)
from streams.incident_gist import Gist
from streams.incident_joining import new_incident
from streams.incident_state import Incident, KnownReport
from streams.incident_summary import (
    joined,
    removed,
    sighting,
    united,
)
from streams.incident_turn import Turn
from streams.lifecycle import LIVE, OVER, further

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
    held = Gist.model_validate_json(known.gist)
    _unlink(turn, command.report_id, known, incident, target.summary.incident_id)
    _join(turn, command.report_id, known, target, held)
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
    _put(turn, command.report_id, known, own, 0, held)
    incident_suggestions.keep_apart(turn, incident.summary.incident_id, own)
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
    target, code = _target(turn, command, incident, over=True)
    if target is None:
        return code
    if all(one.target_id != command.target_id for one in incident.summary.suggestions):
        return Code.STATE_FORBIDS
    if incident.summary.state in LIVE and target.summary.state in OVER:
        # It goes on here: somebody must act, and over there nobody would.
        return _merge(turn, command, target, incident)
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
    """The suggestion was wrong: it goes away on both sides and is not made again; nothing else changes."""
    if command.target_id is None:
        return Code.FIELD_MISSING
    own = incident.summary.incident_id
    if all(one.target_id != command.target_id for one in incident.summary.suggestions):
        return Code.STATE_FORBIDS
    target = incident_memory.found(turn, command.target_id)
    other = command.target_id if target is None else target.summary.incident_id
    incident_suggestions.settled(turn, incident, other, confirmed=False, named=command.target_id)
    incident_suggestions.keep_apart(turn, own, other)
    if target is not None and not target.gone_to:
        incident_suggestions.settled(turn, target, own, confirmed=False)
    return None


def _target(turn: Turn, command: Command, incident: Incident, *, over: bool = False) -> tuple[Incident | None, Code]:
    """The incident that is meant. One that is `over` can take no reports of a live one."""
    if command.target_id is None:
        return None, Code.FIELD_MISSING
    target = incident_memory.found(turn, command.target_id)
    if target is None or target.gone_to:
        return None, Code.INCIDENT_UNKNOWN
    if target.summary.mode is not incident.summary.mode:
        return None, Code.MODE_MIXED
    same = target.summary.incident_id == incident.summary.incident_id
    buried = incident.summary.state in LIVE and target.summary.state in OVER and not over
    if same or target.summary.state is IncidentState.HANDED_OVER or buried:
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
    left, without = incident_content.without_report(turn, incident, report_id, held)
    changes = removed(incident.summary, held) | incident_doubts.decided(turn, incident, report_id) | without
    told = turn.tell(ReportUnlinked(report_id=report_id, moved_to=to), left, **changes)
    return incident_doubts.reconsider(turn, incident, told)


def _join(turn: Turn, report_id: str, known: KnownReport, target: Incident, held: Gist) -> None:
    at = target.next_report
    awake = replace(woken(turn, target), next_report=at + 1)
    following, more = incident_content.with_report(turn, awake, held)
    changes = joined(target.summary, held, history=False) | more
    told = turn.tell(_by_person(report_id), following, **changes, dormant=False)
    _put(turn, report_id, known, target.summary.incident_id, at, held)
    incident_doubts.reconsider(turn, target, told, report_id)


def _put(turn: Turn, report_id: str, known: KnownReport, incident_id: str, at: int, held: Gist) -> None:
    """A person put the report there: what others share with it follows, and its thread unless it has newer word."""
    _moved(turn, report_id, known, incident_id, at)
    keys = [incident_memory.reference_key(turn, held.mode, one) for one in incident_memory.shared_keys(turn, held)]
    if not _has_newer_word(turn, known, held):
        keys.append(incident_memory.thread_key(turn, held.mode, held.thread_id))
    incident_memory.remember(turn, [new for key in keys for new in incident_memory.point(turn, key, incident_id)])


def _has_newer_word(turn: Turn, known: KnownReport, held: Gist) -> bool:
    """Whether the incident that the report left has a newer revision of its thread."""
    left = turn.incident(known.incident_id)
    reports = incident_memory.last_reports(turn, left) if left is not None else []
    others: list[KnownReport | None] = [turn.get(f"r|{turn.unit}|{report_id}") for report_id in reports]
    return any(
        Gist.model_validate_json(one.gist).order > held.order
        for one in others
        if one is not None and one.thread_id == held.thread_id
    )


def _moved(turn: Turn, report_id: str, known: KnownReport, incident_id: str, at: int) -> None:
    """The report is there now."""
    turn.put(f"r|{turn.unit}|{report_id}", replace(known, incident_id=incident_id, ordinal=at))
    turn.put(f"p|{turn.unit}|{incident_id}|{at}", report_id)


def _merge(turn: Turn, command: Command, incident: Incident, target: Incident) -> Code | None:
    """All reports of the incident go to the target; the incident is merged and names it."""
    source, into = incident.summary, target.summary
    if incident.next_report > MERGED_AT_MOST:
        return Code.STATE_FORBIDS
    incident = incident_suggestions.settled(
        turn, incident, into.incident_id, confirmed=True, named=command.target_id or ""
    )
    target = incident_suggestions.settled(turn, target, source.incident_id, confirmed=True)
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
            _moved(turn, report_id, known, summary.incident_id, at)
            thread = incident_memory.thread_key(turn, summary.mode, known.thread_id)
            incident_memory.remember(turn, incident_memory.point(turn, thread, summary.incident_id))
            incident_doubts.follows(turn, report_id, summary.incident_id)
            at += 1
        if report_id != ids[-1]:
            turn.also(_by_person(report_id), summary.incident_id, summary.mode.value)
    before, awake = target, replace(woken(turn, target), next_report=at)
    target, more = incident_content.with_incident(turn, awake, incident, change.after)
    changes = united(summary, incident.summary, ids) | more
    changes["suggestions"] = incident_suggestions.of_both(turn, target, incident)
    if ids:
        told = turn.tell(_by_person(ids[-1]), target, **changes)
    else:
        told = turn.tell(change, target, **changes, state=change.after)
    return incident_doubts.reconsider(turn, before, told)


def woken(turn: Turn, incident: Incident) -> Incident:
    """The incident as a candidate again, because something new is known of it; not told and not saved yet."""
    awake = replace(incident, news_ms=turn.now_ms)
    if not incident.summary.dormant:
        return awake
    deadlines.watching(turn, awake)
    summary = incident.summary.model_copy(update={"dormant": False})
    return incident_grid.stand(turn, replace(awake, summary=summary))


def _reports(turn: Turn, incident: Incident) -> tuple[str, ...]:
    """The ids of its reports in their order: those held here, and those that only the summary lists."""
    summary = incident.summary
    held = (turn.get(f"p|{turn.unit}|{summary.incident_id}|{at}") for at in range(incident.next_report))
    return tuple(dict.fromkeys((*summary.first_reports, *filter(None, held), *summary.last_reports)))

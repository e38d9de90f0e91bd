"""What an incident is made of when a person has moved reports: its place, what matching sees, what others may share.

The machine's own joins bring one report after another (`streams/incident_joining.py`). Here reports leave, or several
come at once, and what is left must be as if they had never been anywhere else: a place that came with a report leaves
with it, and an identifier leads where the person put the report that names it.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

from schemas.report import Casualties, Urgency
from schemas.summary import IncidentState, IncidentSummary
from streams import incident_grid, incident_memory
from streams.deadlines import NOT_RECEIVED, UNANSWERED
from streams.incident_gist import Gist
from streams.incident_state import Incident, KnownReport, Sighting
from streams.incident_summary import RESOURCES, better_place, highest, sighting, with_flags
from streams.incident_turn import Turn
from streams.lifecycle import stamped

Changed = tuple[Incident, dict[str, Any]]
"""The incident, and what changes in its summary; not told and not saved yet."""


def with_report(turn: Turn, incident: Incident, held: Gist) -> Changed:
    """A person put one report in: as one that joined by itself, for place, urgency and what matching sees."""
    seen = sighting(held, turn.reference.weights.shape)
    keys = incident_memory.shared_keys(turn, held)
    placed = better_place(incident.summary.place, held.place, corrects=False)
    following = replace(
        incident,
        sightings=_first_and_last([seen] if placed else incident.sightings[:1], [seen]),
        shared=_joined(incident.shared, keys),
        place_thread=held.thread_id if placed else incident.place_thread,
    )
    changes: dict[str, Any] = {"place": held.place} if placed else {}
    if held.urgency is Urgency.URGENT:
        changes["urgency"] = Urgency.URGENT
    return _listed(turn, following, changes)


def with_incident(turn: Turn, into: Incident, source: Incident, after: IncidentState) -> Changed:
    """All reports of the source came, and the state is `after`: the better place of both, the last seen of either."""
    placed = better_place(into.summary.place, source.summary.place, corrects=False)
    first, other = (source, into) if placed else (into, source)
    following = replace(
        into,
        sightings=_first_and_last(
            first.sightings[:1] or other.sightings[:1], [*into.sightings[-1:], *source.sightings[-1:]]
        ),
        shared=_joined(into.shared, source.shared),
        place_thread=first.place_thread,
    )
    return _listed(turn, following, {"place": first.summary.place, **_of_both(into.summary, source.summary, after)})


def _of_both(into: IncidentSummary, source: IncidentSummary, after: IncidentState) -> dict[str, Any]:
    """What the summary takes over beside reports and place.

    That nobody received it was said of an incident that is no more; that nobody answers holds where nobody has.
    """
    stages = into.stages
    for one in source.stages:
        stages = stamped(stages, one)
    past = {NOT_RECEIVED} if after is IncidentState.OPEN else {NOT_RECEIVED, UNANSWERED}
    return {
        "unread": into.unread + source.reports,
        "casualties": highest(into.casualties, source.casualties),
        "flags": tuple(flag for flag in with_flags(into.flags, source.flags) if flag not in past),
        "urgency": Urgency.URGENT if Urgency.URGENT in {into.urgency, source.urgency} else into.urgency,
        "event_at": min(into.event_at, source.event_at),
        "resources": tuple(dict.fromkeys((*into.resources, *source.resources)))[:RESOURCES],
        "stages": stages,
        "dormant": False,
    }


def without_report(turn: Turn, incident: Incident, report_id: str, removed: Gist) -> Changed:
    """A person took the report out, and it is known here no more. What it alone had brought goes with it.

    Where not every report is held (an incident that another unit had, or more than fifty), what the summary says of
    people and urgency stays: what else told it is not known here.
    """
    held = [(name, gist) for name, gist in _held(turn, incident) if name != report_id]
    whole = len(held) == incident.summary.reports - 1
    newest = _newest(held)
    left, changes = _placed_anew(turn, incident, report_id, newest, whole=whole)
    gone = set(incident_memory.shared_keys(turn, removed))
    gone -= {key for _, one in held for key in incident_memory.shared_keys(turn, one)}
    left = replace(left, shared=tuple(key for key in left.shared if key not in gone))
    if whole and newest:
        told: list[Casualties | None] = [one.casualties for _, one in newest]
        changes["casualties"] = reduce(highest, told)
        changes["event_at"] = min(one.event_at for _, one in newest)
        if not incident.by_person:
            urgent = any(one.urgency is Urgency.URGENT for _, one in newest)
            changes["urgency"] = Urgency.URGENT if urgent else Urgency.ORDINARY
    return _listed(turn, left, changes)


def _placed_anew(
    turn: Turn, incident: Incident, report_id: str, newest: list[tuple[str, Gist]], *, whole: bool
) -> Changed:
    """Place and sightings of the reports that are left. Where the place went with the report, the best of the others.

    A place that none of them can give stays, for people, while reports are left that are not held here.
    """
    shape = turn.reference.weights.shape
    seen = [sighting(one, shape) for _, one in newest]
    if all(one.report_id != report_id for one in incident.sightings[:1]):
        others = [one for one in incident.sightings[1:] if one.report_id != report_id] or seen[-1:]
        return replace(incident, sightings=_first_and_last(incident.sightings[:1], others)), {}
    best = 0
    for at, (_, one) in enumerate(newest):
        if better_place(newest[best][1].place, one.place, corrects=False):
            best = at
    if not newest:
        return replace(incident, sightings=()), {}
    giver = newest[best][1]
    moved = whole or giver.place.position is not None
    following = replace(
        incident,
        sightings=_first_and_last([seen[best]], seen[-1:]),
        place_thread=giver.thread_id if moved else incident.place_thread,
    )
    return following, {"place": giver.place} if moved else {}


def _held(turn: Turn, incident: Incident) -> list[tuple[str, Gist]]:
    found = []
    for report_id in incident_memory.last_reports(turn, incident):
        known: KnownReport | None = turn.get(f"r|{turn.unit}|{report_id}")
        if known is not None:
            found.append((report_id, Gist.model_validate_json(known.gist)))
    return found


def _newest(held: Iterable[tuple[str, Gist]]) -> list[tuple[str, Gist]]:
    """Of each thread its newest word, in the order in which they came."""
    newest: dict[str, tuple[str, Gist]] = {}
    for name, one in held:
        known = newest.get(one.thread_id)
        if known is None or one.order >= known[1].order:
            newest.pop(one.thread_id, None)
            newest[one.thread_id] = name, one
    return list(newest.values())


def _first_and_last(first: Iterable[Sighting], others: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """The one that gave the place, and the latest of the others; once where they are the same."""
    firsts = tuple(first)
    latest = max(others, key=lambda one: (one.at_ms, one.report_id), default=None)
    if latest is None or latest in firsts:
        return firsts
    return (*firsts, latest)


def _joined(keys: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*keys, *more)))[-incident_memory.SHARED_LIMIT :]


def _listed(turn: Turn, incident: Incident, changes: dict[str, Any]) -> Changed:
    """The incident where matching looks for it. One that is asleep is looked for nowhere."""
    return (incident if incident.summary.dormant else incident_grid.stand(turn, incident)), changes

"""An incident moves to another unit's log: handed over here, received there, the same incident id.

    officer here    hand-over -> IncidentHandedOver here; an *offer* goes to the other log
    officer there   receive   -> passed on to the log that answers for the incident, because that log alone knows its
                                 last state; from there the incident goes over, and IncidentReceived is told there

Until then the sender answers. Afterwards whatever still comes here, reports and commands, is forwarded, and a report
names the incident, so that it finds it there. Offer and incident travel as an `IncidentSummary` in `territory.log`,
told apart by the header `kind`; a forwarded report bears one, too.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from schemas.command import Command
from schemas.incident import IncidentReceived
from schemas.model import Message
from schemas.report import Reference, ReportNormalised
from schemas.summary import IncidentState, IncidentSummary, Stage, StageTime
from schemas.topics import LOG
from schemas.wire import derived_id, type_name
from streams import deadlines, incident_grid, incident_memory
from streams.contract import Output
from streams.deadlines import NOT_RECEIVED, UNANSWERED
from streams.incident_doubts import DOUBTFUL
from streams.incident_state import Incident, Sighting
from streams.incident_summary import milliseconds, trusted
from streams.incident_turn import Cause, Turn
from streams.lifecycle import stamped

OFFER, RECEIVE, FORWARDED = "offer", "receive", "forwarded"
_SAID_THERE: Final = frozenset({NOT_RECEIVED, UNANSWERED, DOUBTFUL})
"""Flags that ask for what can be done in the log that told them alone. So do suggestions: their targets stay there."""
UNKNOWN_THREAD: Final = ""
"""The threads of what came over stay with the sender, who forwards their revisions."""


def offer(turn: Turn, incident: Incident, command: Command) -> None:
    """Let the other unit know that an incident waits for it."""
    _send(turn, command.to_unit or "", incident.summary, {"kind": OFFER, "causeid": command.command_id})


def give(turn: Turn, incident: Incident, command: Command) -> None:
    """The incident goes over to the unit it was handed to; from now on this log forwards."""
    to_unit = incident.summary.handed_to or ""
    extensions = {"kind": RECEIVE, "causeid": command.command_id, "actor": command.actor}
    _send(turn, to_unit, incident.summary, extensions)
    left = incident_grid.leave(turn, incident)
    turn.save(replace(left, gone_to=to_unit, touched_ms=turn.append_ms))


def arrived(turn: Turn, summary: IncidentSummary, headers: Mapping[str, str]) -> None:
    """An offer, or the incident itself, came from another unit's log. Coming again tells the same."""
    command_id = headers.get("causeid", "")
    if headers.get("kind") == OFFER:
        turn.put(f"o|{turn.unit}|{summary.incident_id}", (summary.unit,))
        incident_memory.remember(turn, (f"o|{turn.unit}|{summary.incident_id}",))
    elif not incident_memory.answer_again(turn, command_id):
        before = len(turn.facts())
        _take(turn, summary, command_id, headers.get("actor", ""))
        incident_memory.keep_answer(turn, command_id, turn.facts()[before:])


def offered_by(turn: Turn, incident_id: str) -> str | None:
    """The unit that offered the incident to this one."""
    known = turn.get(f"o|{turn.unit}|{incident_id}")
    return known[0] if known is not None else None


def forward_report(turn: Turn, incident: Incident, told: ReportNormalised) -> None:
    """Pass a report on to the log of the unit that has the incident now, naming the incident."""
    named = Reference(system="incident", id=incident.summary.incident_id)
    telling = told.report.told
    others = (one for one in telling.references if one != named)
    told_there = telling.model_copy(update={"references": (*others, named)})
    report = told.report.model_copy(update={"told": told_there})
    forwarded = told.model_copy(update={"report": report, "unit": incident.gone_to})
    extensions = {"kind": FORWARDED, "causeid": report.report_id}
    _write(turn, incident.gone_to, forwarded, report.report_id, extensions)


def forward_command(turn: Turn, unit: str, command: Command) -> None:
    """Pass a command on to the log of the unit that answers for its incident."""
    there = command.model_copy(update={"unit": unit})
    _write(turn, unit, there, command.command_id, {"kind": command.verb.value, "incidentid": command.incident_id})


def _take(turn: Turn, summary: IncidentSummary, command_id: str, actor: str) -> None:
    from_unit, now = summary.unit, turn.now_ms
    turn.because(Cause(command_id, actor=actor, headers=turn.cause_headers()))
    stages = stamped(summary.stages, StageTime(stage=Stage.ACCEPTED, at=turn.now, how="measured", by=actor))
    incident = Incident(
        summary=summary.model_copy(update={"unit": turn.unit, "dormant": False}),
        sightings=_sighted(turn, summary),
        shared=tuple(f"{one.system}|{one.id}" for one in summary.references),
        thread_id=UNKNOWN_THREAD,
        place_thread=UNKNOWN_THREAD,
        next_report=summary.reports,
        news_ms=now,
        asking_ms=now,
        handed_ms=0,
        window_ms=turn.reference.category(summary.category).window_ms,
        cell="",
        listed=None,
        by_person=True,
        gone_to="",
        touched_ms=turn.append_ms,
    )
    before = turn.incident(summary.incident_id)
    if before is not None:
        before = incident_grid.leave(turn, before)
        incident = replace(
            incident,
            sightings=before.sightings,
            thread_id=before.thread_id,
            place_thread=before.place_thread,
            next_report=max(before.next_report, summary.reports),
            shared=before.shared,
        )
    turn.tell(
        IncidentReceived(from_unit=from_unit, actor=actor),
        incident_grid.stand(turn, incident),
        state=IncidentState.ACCEPTED,
        handed_to=None,
        stages=stages,
        flags=tuple(flag for flag in summary.flags if flag not in _SAID_THERE),
        suggestions=(),
    )
    deadlines.watching(turn, incident)
    keys = [] if before is not None else [f"i|{turn.unit}|{summary.incident_id}"]
    for one in incident.shared:
        key = incident_memory.reference_key(turn, summary.mode, one)
        keys += incident_memory.point(turn, key, summary.incident_id)
    incident_memory.remember(turn, keys)


def _sighted(turn: Turn, summary: IncidentSummary) -> tuple[Sighting, ...]:
    system = next(iter(summary.sources), "")
    first = summary.first_reports[0] if summary.first_reports else summary.incident_id
    lat, lon, sigma = trusted(summary.place.position, turn.reference.weights.shape)
    return (Sighting(first, lat, lon, sigma, milliseconds(summary.event_at), summary.category, system, "", ""),)


def _send(turn: Turn, unit: str, summary: IncidentSummary, extensions: Mapping[str, str]) -> None:
    record_id = derived_id(extensions["kind"], summary.incident_id, extensions["causeid"])
    _write(
        turn, unit, summary, record_id, {**extensions, "incidentid": summary.incident_id, "mode": summary.mode.value}
    )


def _write(turn: Turn, unit: str, payload: Message, id: str, extensions: Mapping[str, str]) -> None:
    carried = {**turn.cause_headers(), **extensions, "unit": unit}
    headers = turn.headers(type_name(type(payload)), id, subject=unit, extensions=carried)
    turn.emit(Output(LOG, unit.encode(), payload.to_json(), headers))

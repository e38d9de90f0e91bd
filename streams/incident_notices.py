"""What else comes to a territory: warnings, and a neighbour's observations."""

import hashlib
from collections.abc import Mapping
from typing import Final

from schemas.incident import NoticeIssued, NoticeWithdrawn, ObservationMade
from schemas.notice import Notice, NoticeChanged
from schemas.report import Mode
from schemas.summary import Explanation
from schemas.topics import LOG, NOTICES_NOW
from schemas.unit import Observation
from schemas.wire import derived_id, type_name
from streams import correlate, incident_grid, incident_memory
from streams.contract import Output
from streams.incident_state import Incident, KnownReport, Sighting
from streams.incident_summary import milliseconds, trusted, with_flags
from streams.incident_turn import Cause, Turn

WITHDRAWN = "withdrawn"
NEAR_BORDER = "neighbour-observed"
NEIGHBOURS: Final = 10
"""How many answers wait for one report."""

_Waiting = tuple[tuple[str, tuple[tuple[str, str], ...], str], ...]
"""Answers as JSON, each with the headers that it carries and its mode."""


def changed(turn: Turn, change: NoticeChanged, trace: Mapping[str, str]) -> None:
    """A warning came, changed or was withdrawn. The same word again changes nothing."""
    notice = change.notice
    key = f"n|{turn.unit}|{notice.notice_id}"
    text = notice.to_json()
    digest = WITHDRAWN if change.withdrawn else hashlib.blake2b(text, digest_size=8).hexdigest()
    known = turn.get(key)
    if (known is not None and known[0] == digest) or (known is None and change.withdrawn):
        return
    ends_ms = milliseconds(notice.ends_at) if notice.ends_at is not None else 0
    turn.put(key, (digest, turn.append_ms if change.withdrawn else ends_ms))
    if known is None:
        incident_memory.remember(turn, (key,))
    headers = {**trace, "mode": notice.mode.value, "noticeid": notice.notice_id}
    turn.because(Cause(change.caused_by, (notice.notice_id, digest), headers=headers))
    turn.note(NoticeWithdrawn(notice=notice) if change.withdrawn else NoticeIssued(notice=notice), None)
    extensions = {**headers, "causeid": change.caused_by}
    current = turn.headers(
        type_name(Notice), f"{notice.notice_id}.{digest}", subject=notice.notice_id, extensions=extensions
    )
    turn.emit(Output(NOTICES_NOW, notice.notice_id.encode(), None if change.withdrawn else text, current))


def observed(turn: Turn, observation: Observation, headers: Mapping[str, str], mode: Mode) -> None:
    """A neighbour has a report near our border, or answers that one of ours may belong to an incident there.

    Told at the incident here, and answered, so that both desks see the other's; it opens and links nothing.
    """
    key = f"s|{turn.unit}|{observation.report_id}|{observation.incident_id or ''}"
    if turn.get(key) is not None:
        return
    turn.put(key, (observation.from_unit,))
    incident_memory.remember(turn, (key,))
    if observation.incident_id is not None:
        _answered(turn, observation, headers, mode)
        return
    match = _match(turn, observation, mode)
    if match is None:
        return
    turn.because(Cause(observation.report_id, ("observation", observation.from_unit), headers=headers))
    why = correlate.explanation(turn.reference.weights, match)
    incident = _told(turn, match.incident, observation, why)
    answer = observation.model_copy(
        update={
            "from_unit": turn.unit,
            "to_unit": observation.from_unit,
            "incident_id": incident.summary.incident_id,
            "explanation": why,
        }
    )
    answer_id = derived_id("observation", turn.unit, observation.report_id, incident.summary.incident_id)
    extensions = {**headers, "reportid": observation.report_id, "mode": mode.value, "unit": answer.to_unit}
    told = turn.headers(type_name(Observation), answer_id, subject=answer.to_unit, extensions=extensions)
    turn.emit(Output(LOG, answer.to_unit.encode(), answer.to_json(), told))


def answered_before(turn: Turn, report_id: str) -> None:
    """Called when a report was placed: neighbours' answers that came before it did are told at its incident now."""
    key = _early(turn, report_id)
    waiting: _Waiting | None = turn.get(key)
    if waiting is None:
        return
    turn.drop(key)
    for text, headers, mode in waiting:
        _answered(turn, Observation.model_validate_json(text), dict(headers), Mode(mode))


def _answered(turn: Turn, observation: Observation, headers: Mapping[str, str], mode: Mode) -> None:
    """The report is ours: its incident may be the neighbour's, too. One that is not here yet is waited for."""
    known: KnownReport | None = turn.get(f"r|{turn.unit}|{observation.report_id}")
    if known is None:
        key = _early(turn, observation.report_id)
        waiting: _Waiting | None = turn.get(key)
        if waiting is None:
            incident_memory.remember(turn, (key,))
        answer = observation.to_json().decode(), tuple(headers.items()), mode.value
        turn.put(key, (*(waiting or ()), answer)[:NEIGHBOURS])
        return
    incident = incident_memory.found(turn, known.incident_id)
    if incident is None or incident.gone_to or incident.summary.mode is not mode:
        return
    turn.because(Cause(observation.report_id, ("answer", observation.from_unit), headers=headers))
    _told(turn, incident, observation, observation.explanation)


def _early(turn: Turn, report_id: str) -> str:
    return f"e|{turn.unit}|{report_id}"


def _told(turn: Turn, incident: Incident, observation: Observation, why: Explanation | None) -> Incident:
    flags = with_flags(incident.summary.flags, (NEAR_BORDER,))
    change = ObservationMade(
        from_unit=observation.from_unit,
        report_id=observation.report_id,
        other_incident_id=observation.incident_id,
        explanation=why,
    )
    return turn.tell(change, incident, flags=flags)


def _match(turn: Turn, observation: Observation, mode: Mode) -> correlate.Match | None:
    lat, lon, sigma_m = trusted(observation.position, turn.reference.weights.shape)
    seen = Sighting(
        report_id=observation.report_id,
        lat=lat,
        lon=lon,
        sigma_m=sigma_m,
        at_ms=milliseconds(observation.event_at),
        category=observation.category,
        system=observation.from_unit,
        text="",
        street="",
    )
    near = incident_grid.near(turn, mode, seen)
    return correlate.best(turn.reference.weights, seen, frozenset(), near.incidents, near.open)

"""What else comes to a territory: warnings, and a neighbour's observations."""

import hashlib
from collections.abc import Mapping

from schemas.incident import NoticeIssued, NoticeWithdrawn, ObservationMade
from schemas.notice import Notice, NoticeChanged
from schemas.report import Mode
from schemas.topics import NOTICES_NOW
from schemas.unit import Observation
from schemas.wire import type_name
from streams import correlate, incident_grid, incident_memory
from streams.contract import Output
from streams.incident_state import Sighting
from streams.incident_summary import milliseconds, with_flags
from streams.incident_turn import Cause, Turn

WITHDRAWN = "withdrawn"
NEAR_BORDER = "neighbour-observed"


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


def observed(turn: Turn, observation: Observation, trace: Mapping[str, str]) -> None:
    """A neighbour has a report near our border: told at the incident that it may belong to; opens nothing."""
    key = f"s|{turn.unit}|{observation.report_id}"
    if turn.get(key) is not None:
        return
    turn.put(key, (observation.from_unit,))
    incident_memory.remember(turn, (key,))
    position = observation.position
    seen = Sighting(
        report_id=observation.report_id,
        lat=position.lat,
        lon=position.lon,
        sigma_m=position.uncertainty_m,
        at_ms=milliseconds(observation.event_at),
        category=observation.category,
        system=observation.from_unit,
        text="",
        street="",
    )
    near = incident_grid.near(turn, Mode.REAL, seen)
    match = correlate.best(turn.reference.weights, seen, frozenset(), near.incidents, near.open)
    if match is not None:
        turn.because(Cause(observation.report_id, ("observation", observation.from_unit), headers=trace))
        flags = with_flags(match.incident.summary.flags, (NEAR_BORDER,))
        change = ObservationMade(from_unit=observation.from_unit, report_id=observation.report_id)
        turn.tell(change, match.incident, flags=flags)

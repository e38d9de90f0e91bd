"""How the incidents processor finds again what it knows, and how it forgets: grid, indexes, and one queue of keys.

There is no iteration over state, so everything is found by key: incidents near a point by the cells of a grid, threads
and other systems' ids by an index. What was not touched for the seen window (ARCHITECTURE 3, Time) is forgotten a few
keys at a time with every record, so that no step does much of it and a territory that stands still keeps what it has.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from schemas.report import Mode
from schemas.topic import HOUR_MS
from schemas.topics import FACTS, NOTICES_NOW
from streams.contract import Output
from streams.correlate import METRES_PER_DEGREE
from streams.incident_reference import DECIDING
from streams.incident_state import Incident, KnownReport, Sighting
from streams.incident_summary import Gist
from streams.incident_turn import Turn

CELL_LIMIT: Final = 512
"""How many candidates one cell of the grid holds; beyond it the oldest is no candidate any more."""
FORGOTTEN_AT_ONCE: Final = 4
SHARED_LIMIT: Final = 50
ANSWERS_KEPT: Final = 8
"""How many facts of a command are kept; a merge tells more, and these are its first."""
HOPS: Final = 100
KEY_CHARACTERS: Final = 120
_NEIGHBOURS: Final = tuple((x, y) for x in (-1, 0, 1) for y in (-1, 0, 1))


def stand(turn: Turn, incident: Incident) -> Incident:
    """Put the incident into the cell of its place (moved there if it stood elsewhere); not saved yet."""
    at = next((one for one in reversed(incident.sightings) if _is_place(incident, one)), None)
    at = at or next((one for one in incident.sightings if one.lat is not None), None)
    cell = _cell(turn, incident.summary.mode, at) if at is not None else ""
    if cell == incident.cell:
        return incident
    incident = leave(turn, incident)
    if cell:
        turn.put(cell, (*(turn.get(cell) or ())[-CELL_LIMIT + 1 :], incident.summary.incident_id))
    return replace(incident, cell=cell)


def leave(turn: Turn, incident: Incident) -> Incident:
    """Take the incident out of the grid: it is no candidate any more; not saved yet."""
    if not incident.cell:
        return incident
    left = tuple(one for one in turn.get(incident.cell) or () if one != incident.summary.incident_id)
    if left:
        turn.put(incident.cell, left)
    else:
        turn.drop(incident.cell)
    return replace(incident, cell="")


def candidates(turn: Turn, mode: Mode, sighting: Sighting, shared: Iterable[str]) -> Iterator[Incident]:
    """Incidents that a report may belong to: near its place, or sharing an identifier; each once, none of another mode.

    The nine cells around a point reach at least `search_m` as far north as 60 degrees.
    """
    ids = dict.fromkeys(_near(turn, mode, sighting))
    for key in shared:
        named = turn.get(reference_key(turn, mode, key))
        if named is not None:
            ids[named[0]] = None
    for incident_id in ids:
        incident = found(turn, incident_id)
        if incident is not None and incident.summary.mode is mode and not incident.summary.dormant:
            yield incident


def found(turn: Turn, incident_id: str | None) -> Incident | None:
    """The incident, or the one it was merged into."""
    for _ in range(HOPS):
        incident = turn.incident(incident_id) if incident_id else None
        if incident is None or incident.summary.merged_into is None:
            return incident
        incident_id = incident.summary.merged_into
    return None


def shared_keys(turn: Turn, held: Gist) -> tuple[str, ...]:
    """The identifiers that a report shares with others, as index keys without territory and mode: `cpr_id|1`."""
    weighed = turn.reference.weights.shape.shared
    named = [
        f"{one.system}|{_short(one.id)}" for one in held.references if one.system in DECIDING or one.system in weighed
    ]
    return tuple(dict.fromkeys((*named, *(f"token|{_short(token)}" for token in held.tokens))))


def reference_key(turn: Turn, mode: Mode, shared: str) -> str:
    """The state key of a shared identifier."""
    return f"x|{turn.unit}|{mode.value}|{shared}"


def thread_key(turn: Turn, mode: Mode, thread_id: str) -> str:
    """The state key of a thread."""
    return f"h|{turn.unit}|{mode.value}|{thread_id}"


def point(turn: Turn, key: str, incident_id: str, order: int = 0) -> list[str]:
    """Let an index key point to an incident; gives the key back when it is new and must be remembered for forgetting.

    Written again only when it changes or an hour has passed, because every report of a thread comes by.
    """
    now, old = turn.territory.append_ms, turn.get(key)
    if old is not None and old[0] == incident_id and old[1] >= order and now - old[2] < HOUR_MS:
        return []
    turn.put(key, (incident_id, max(order, old[1]) if old is not None else order, now))
    return [key] if old is None else []


def keep_answer(turn: Turn, command_id: str, facts: Iterable[Output]) -> None:
    """Keep the facts that answered a command, the first eight of them: the same command gets the same answer."""
    told = list(facts)[:ANSWERS_KEPT]
    kept = (((one.value or b"").decode(), tuple((name, raw.decode()) for name, raw in one.headers)) for one in told)
    turn.put(f"cmd|{turn.unit}|{command_id}", tuple(kept))
    remember(turn, (f"cmd|{turn.unit}|{command_id}",))


def answer_again(turn: Turn, command_id: str) -> bool:
    """Write the facts again that answered this command; False when it was not asked before."""
    answer = turn.get(f"cmd|{turn.unit}|{command_id}")
    for value, headers in answer or ():
        kept = tuple((name, text.encode()) for name, text in headers)
        turn.emit(Output(FACTS, turn.unit.encode(), value.encode(), kept))
    return answer is not None


def remember(turn: Turn, keys: Iterable[str]) -> None:
    """Note that these keys are to be forgotten when the seen window has passed."""
    kept = tuple(keys)
    if kept:
        territory = turn.territory
        turn.put(f"k|{turn.unit}|{territory.forget_end}", (territory.append_ms, kept))
        turn.territory = replace(territory, forget_end=territory.forget_end + 1)


def forget(turn: Turn) -> None:
    """Forget the next few keys whose window has passed. What was touched meanwhile is kept for another window."""
    for _ in range(FORGOTTEN_AT_ONCE):
        territory = turn.territory
        if territory.forget_first == territory.forget_end:
            return
        key = f"k|{turn.unit}|{territory.forget_first}"
        since, keys = turn.get(key)
        if since + turn.reference.seen_ms > territory.append_ms:
            return
        turn.drop(key)
        turn.territory = replace(territory, forget_first=territory.forget_first + 1)
        remember(turn, [one for one in keys if _still_needed(turn, one)])


def _still_needed(turn: Turn, key: str) -> bool:
    """Drop the key unless it was touched within the window."""
    value, long_ago = turn.get(key), turn.territory.append_ms - turn.reference.seen_ms
    if value is None:
        return False
    if isinstance(value, Incident):
        if value.touched_ms > long_ago:
            return True
        leave(turn, value)
    elif isinstance(value, KnownReport):
        turn.drop(f"p|{turn.unit}|{value.incident_id}|{value.ordinal}")
    elif key[0] in "hx" and value[2] > long_ago:
        return True
    elif key[0] == "n":
        if not 0 < value[1] <= turn.territory.append_ms:
            return True
        turn.emit(Output(NOTICES_NOW, key.rsplit("|", 1)[1].encode(), None))
    turn.drop(key)
    return False


def _near(turn: Turn, mode: Mode, sighting: Sighting) -> Iterator[str]:
    if sighting.lat is None or sighting.lon is None:
        return
    x, y = _grid(turn, sighting.lat, sighting.lon)
    for dx, dy in _NEIGHBOURS:
        yield from turn.get(f"c|{turn.unit}|{mode.value}|{x + dx}|{y + dy}") or ()


def _cell(turn: Turn, mode: Mode, at: Sighting) -> str:
    if at.lat is None or at.lon is None:
        return ""
    x, y = _grid(turn, at.lat, at.lon)
    return f"c|{turn.unit}|{mode.value}|{x}|{y}"


def _grid(turn: Turn, lat: float, lon: float) -> tuple[int, int]:
    degrees = turn.reference.weights.shape.search_m / METRES_PER_DEGREE
    return int(lon // (degrees * 2)), int(lat // degrees)


def _is_place(incident: Incident, one: Sighting) -> bool:
    position = incident.summary.place.position
    return position is not None and (one.lat, one.lon) == (position.lat, position.lon)


def _short(id: str) -> str:
    if len(id) <= KEY_CHARACTERS:
        return id
    return hashlib.blake2b(id.encode(), digest_size=16).hexdigest()

"""How the incidents processor finds again what it knows by name, and how it forgets: indexes, and one queue of keys.

There is no iteration over state, so everything is found by key: threads and other systems' ids by an index, what is
near a point by a grid (`streams/incident_grid.py`). What was not touched for the seen window
is forgotten a few keys at a time with every record, so that no step does much of it and a territory that stands still
keeps what it has.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from schemas.report import Mode
from schemas.topic import HOUR_MS
from schemas.topics import FACTS, NOTICES_NOW
from streams import incident_grid
from streams.contract import Output
from streams.incident_gist import Gist
from streams.incident_reference import DECIDING
from streams.incident_state import Incident, KnownReport
from streams.incident_turn import Turn

FORGOTTEN_AT_ONCE: Final = 4
SHARED_LIMIT: Final = 50
ANSWERS_KEPT: Final = 8
"""How many facts of a command are kept; a merge tells more, and these are its first."""
HOPS: Final = 100
LOOKED_AT: Final = 50
"""Of an incident's reports the last so many are looked at again."""
KEY_CHARACTERS: Final = 120


def found(turn: Turn, incident_id: str | None) -> Incident | None:
    """The incident, or the one it was merged into."""
    for _ in range(HOPS):
        incident = turn.incident(incident_id) if incident_id else None
        if incident is None or incident.summary.merged_into is None:
            return incident
        incident_id = incident.summary.merged_into
    return None


def last_reports(turn: Turn, incident: Incident) -> list[str]:
    """The ids of its last fifty reports in their order, of those that are held here."""
    until, incident_id = incident.next_report, incident.summary.incident_id
    held = (turn.get(f"p|{turn.unit}|{incident_id}|{at}") for at in range(max(0, until - LOOKED_AT), until))
    return [one for one in held if one is not None]


def shared_keys(turn: Turn, held: Gist) -> tuple[str, ...]:
    """The identifiers that a report shares with others, as index keys without territory and mode: `cpr_id|1`."""
    weighed = turn.reference.weights.shape.shared
    named = [
        f"{one.system}|{_short(one.id)}" for one in held.references if one.system in DECIDING or one.system in weighed
    ]
    return tuple(dict.fromkeys((*named, *(f"token|{_short(token)}" for token in held.tokens))))


def reference_key(turn: Turn, mode: Mode, shared: str) -> str:
    """The state key of a shared identifier."""
    return f"x|{turn.unit}|{mode}|{shared}"


def thread_key(turn: Turn, mode: Mode, thread_id: str) -> str:
    """The state key of a thread."""
    return f"h|{turn.unit}|{mode}|{thread_id}"


def point(turn: Turn, key: str, incident_id: str, order: int = 0) -> list[str]:
    """Let an index key point to an incident; gives the key back when it is new and must be remembered for forgetting.

    Written again only when it changes or an hour has passed, because every report of a thread comes by.
    """
    now, old = turn.append_ms, turn.get(key)
    if old is not None and old[0] == incident_id and old[1] >= order and now - old[2] < HOUR_MS:
        return []
    turn.put(key, (incident_id, max(order, old[1]) if old is not None else order, now))
    return [key] if old is None else []


def names_another(turn: Turn, command_id: str, digest: str) -> bool:
    """Whether the id was given to another command before; else this one is noted as the command that it names.

    One answered before digests were kept is taken for the same.
    """
    key = f"d|{turn.unit}|{command_id}"
    known = turn.get(key)
    if known is None and turn.get(f"cmd|{turn.unit}|{command_id}") is None:
        turn.put(key, (digest,))
        remember(turn, (key,))
    return known is not None and known[0] != digest


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
        turn.put(f"k|{turn.unit}|{turn.forget_end}", (turn.append_ms, kept))
        turn.forget_end += 1


def forget(turn: Turn) -> None:
    """Forget the next few keys whose window has passed. What was touched meanwhile is kept for another window."""
    for _ in range(FORGOTTEN_AT_ONCE):
        if turn.forget_first == turn.forget_end:
            return
        key = f"k|{turn.unit}|{turn.forget_first}"
        since, keys = turn.get(key)
        if since + turn.reference.seen_ms > turn.append_ms:
            return
        turn.drop(key)
        turn.forget_first += 1
        remember(turn, [one for one in keys if _still_needed(turn, one)])


def _still_needed(turn: Turn, key: str) -> bool:
    """Drop the key unless it was touched within the window."""
    value, long_ago = turn.get(key), turn.append_ms - turn.reference.seen_ms
    if value is None:
        return False
    if isinstance(value, Incident):
        if value.touched_ms > long_ago:
            return True
        incident_grid.leave(turn, value)
    elif isinstance(value, KnownReport):
        turn.drop(f"p|{turn.unit}|{value.incident_id}|{value.ordinal}")
    elif key[0] in "hx" and value[2] > long_ago:
        return True
    elif key[0] == "n":
        if not 0 < value[1] <= turn.append_ms:
            return True
        turn.emit(Output(NOTICES_NOW, key.rsplit("|", 1)[1].encode(), None))
    turn.drop(key)
    return False


def _short(id: str) -> str:
    if len(id) <= KEY_CHARACTERS:
        return id
    return hashlib.blake2b(id.encode(), digest_size=16).hexdigest()

"""What is due, when, and what happens then. Only time that passes in the log makes anything due.

Deadlines of the same duration stand in one queue: a territory's time never goes back, so each queue is in order by
itself, and adding, looking and taking cost the same however many wait. An entry that no longer holds (the incident
was accepted meanwhile) is found to be so when its time comes; so double, late and zombie ticks change nothing.
"""

from collections.abc import Callable, Mapping
from typing import Final

from schemas.incident import DeadlinePassed, IncidentDormant, IncidentState
from schemas.wire import derived_id
from streams import incident_grid
from streams.incident_state import Incident, Queue, Territory
from streams.incident_summary import with_flags
from streams.incident_turn import Cause, Turn, moment

UNANSWERED, RECEIVE, DORMANT = "unanswered", "receive", "dormant"
NOT_RECEIVED: Final = "not-received"
AT_ONCE: Final = 100
"""How many deadlines one record lets pass; the rest follows with the next record. Bounds what one step writes."""
LEAST_RECHECK_MS: Final = 60_000


def arm(turn: Turn, duration_ms: int, kind: str, incident_id: str, mark_ms: int) -> None:
    """Let a deadline come after `duration_ms`. `mark_ms` tells it from an earlier one of the same incident."""
    due = turn.now_ms + duration_ms
    queue = turn.queues.get(duration_ms) or Queue(duration_ms, 0, 0, due)
    turn.put(_key(turn.unit, queue, queue.end), (due, kind, incident_id, mark_ms))
    turn.queues[duration_ms] = queue._replace(end=queue.end + 1)


def next_due(territory: Territory) -> int | None:
    """When the earliest deadline of the territory is due, in its own time."""
    return min((one.due_ms for one in territory.queues), default=None)


def pass_due(turn: Turn) -> None:
    """Let everything pass that is due by the territory's time, earliest first, at most `AT_ONCE`."""
    for _ in range(AT_ONCE):
        queue = min(turn.queues.values(), key=_due, default=None)
        if queue is None or queue.due_ms > turn.now_ms:
            return
        due, kind, incident_id, mark_ms = _take(turn, queue)
        incident = turn.incident(incident_id)
        if incident is not None and not incident.gone_to:
            turn.because(Cause(derived_id("deadline", turn.unit, kind, incident_id, due)))
            _PASSED[kind](turn, incident, due, mark_ms)


def asking(turn: Turn, incident: Incident) -> None:
    """The incident waits for an answer from now on."""
    arm(turn, turn.reference.unanswered_ms, UNANSWERED, incident.summary.incident_id, incident.asking_ms)


def watching(turn: Turn, incident: Incident) -> None:
    """The incident is a candidate from now on, until nothing is heard for its window."""
    arm(turn, incident.window_ms, DORMANT, incident.summary.incident_id, 0)


def _take(turn: Turn, queue: Queue) -> tuple[int, str, str, int]:
    key = _key(turn.unit, queue, queue.first)
    taken: tuple[int, str, str, int] = turn.get(key)
    turn.drop(key)
    del turn.queues[queue.duration_ms]
    if queue.first + 1 < queue.end:
        following = turn.get(_key(turn.unit, queue, queue.first + 1))
        turn.queues[queue.duration_ms] = queue._replace(first=queue.first + 1, due_ms=following[0])
    return taken


def _unanswered(turn: Turn, incident: Incident, due: int, mark_ms: int) -> None:
    if incident.summary.state is IncidentState.OPEN and incident.asking_ms == mark_ms:
        flags = with_flags(incident.summary.flags, (UNANSWERED,))
        turn.tell(DeadlinePassed(deadline=UNANSWERED, due_at=moment(due)), incident, flags=flags)


def _not_received(turn: Turn, incident: Incident, due: int, mark_ms: int) -> None:
    if incident.summary.state is IncidentState.HANDED_OVER and incident.handed_ms == mark_ms:
        flags = with_flags(incident.summary.flags, (NOT_RECEIVED,))
        turn.tell(DeadlinePassed(deadline=RECEIVE, due_at=moment(due)), incident, flags=flags)


def _dormant(turn: Turn, incident: Incident, _due: int, mark_ms: int) -> None:
    """Nothing was heard for the window: no candidate any more. Otherwise looked at again a quarter window later."""
    if incident.summary.state is IncidentState.MERGED or incident.summary.dormant:
        return
    if incident.news_ms + incident.window_ms > turn.now_ms:
        recheck = max(incident.window_ms // 4, LEAST_RECHECK_MS)
        arm(turn, recheck, DORMANT, incident.summary.incident_id, mark_ms)
        return
    turn.tell(IncidentDormant(), incident_grid.leave(turn, incident), dormant=True)


_PASSED: Final[Mapping[str, Callable[[Turn, Incident, int, int], None]]] = {
    UNANSWERED: _unanswered,
    RECEIVE: _not_received,
    DORMANT: _dormant,
}


def _due(queue: Queue) -> tuple[int, int]:
    return queue.due_ms, queue.duration_ms


def _key(unit: str, queue: Queue, at: int) -> str:
    return f"q|{unit}|{queue.duration_ms}|{at}"

"""Links that the machine made by weight, and that later word makes impossible: offered to a person for undoing.

Nothing is undone by the machine. When an incident's place becomes known better, the reports that it was given by weight
are held against it as it is known now: where place, time and kind speak against one however alike the words were, it is
told, once. Another kind alone doubts nothing: callers see one matter as many kinds. A person takes the report out
(`unlink`), or says that it belongs there all the same (`confirm`).
"""

from dataclasses import replace
from typing import Any, Final

from schemas.incident import IncidentFlagged
from streams import correlate, incident_memory
from streams.incident_gist import Gist
from streams.incident_state import Incident, KnownReport
from streams.incident_summary import sighting, with_flags
from streams.incident_turn import Turn

DOUBTFUL: Final = "link-doubtful"


def weighed(turn: Turn, report_id: str, incident_id: str) -> None:
    """Note that the machine gave the report to the incident by weight alone."""
    key = _key(turn, report_id)
    turn.put(key, (incident_id, False))
    incident_memory.remember(turn, (key,))


def reconsider(turn: Turn, before: Incident, incident: Incident, report_id: str = "") -> Incident:
    """Tell which links would not even be thought of now. `report_id` brought the news, it is not doubted by itself."""
    now = incident.summary
    if before.summary.place.position == now.place.position:
        return incident
    for one in incident_memory.last_reports(turn, incident):
        if (
            one != report_id
            and turn.get(_key(turn, one)) == (now.incident_id, False)
            and _impossible(turn, incident, one)
        ):
            turn.put(_key(turn, one), (now.incident_id, True))
            flags = with_flags(incident.summary.flags, (DOUBTFUL,))
            incident = turn.tell(IncidentFlagged(flag=DOUBTFUL, report_id=one), incident, flags=flags)
    return incident


def doubted(turn: Turn, report_id: str, incident_id: str) -> bool:
    """Whether this link was told to be doubtful, and nobody has decided on it."""
    return bool(turn.get(_key(turn, report_id)) == (incident_id, True))


def follows(turn: Turn, report_id: str, incident_id: str) -> None:
    """The report's incident was merged: a doubt about the report goes with it."""
    known = turn.get(_key(turn, report_id))
    if known is not None:
        turn.put(_key(turn, report_id), (incident_id, known[1]))


def decided(turn: Turn, incident: Incident, report_id: str) -> dict[str, Any]:
    """A person has moved the report, or left it: what that changes in the summary of the incident where it was."""
    key, summary = _key(turn, report_id), incident.summary
    if turn.get(key) is None:
        return {}
    turn.drop(key)
    if DOUBTFUL not in summary.flags or any(
        doubted(turn, one, summary.incident_id) for one in incident_memory.last_reports(turn, incident)
    ):
        return {}
    return {"flags": tuple(flag for flag in summary.flags if flag != DOUBTFUL)}


def _impossible(turn: Turn, incident: Incident, report_id: str) -> bool:
    known: KnownReport | None = turn.get(f"r|{turn.unit}|{report_id}")
    others = tuple(one for one in incident.sightings if one.report_id != report_id)
    if known is None or not others:
        return False
    weights, held = turn.reference.weights, Gist.model_validate_json(known.gist)
    shared = frozenset(incident_memory.shared_keys(turn, held))
    rest = replace(incident, sightings=others)
    return not correlate.possible(weights, sighting(held, weights.shape), shared, rest)


def _key(turn: Turn, report_id: str) -> str:
    return f"w|{turn.unit}|{report_id}"

"""Two incidents may be one: told once, decided by a person once, and not asked again.

What a person kept apart, by a rejection or by taking a report out, is remembered for the pair as long as anything is.
"""

from schemas.incident import Explanation, LinkSuggested, SuggestionSettled
from schemas.summary import Suggestion
from streams import incident_memory
from streams.incident_state import Incident
from streams.incident_summary import SUGGESTIONS, with_suggestion
from streams.incident_turn import Turn


def suggest(turn: Turn, incident: Incident, target: Incident, report_id: str, why: Explanation) -> Incident:
    """Tell that two incidents may be one; a person decides, nothing waits for it.

    Silent where it is asked already, where a person has decided, and where the target went to another unit.
    """
    summary, target_id = incident.summary, target.summary.incident_id
    asked = any(one.target_id == target_id for one in summary.suggestions)
    if asked or target.gone_to or apart(turn, summary.incident_id, target_id):
        return incident
    suggestion = Suggestion(target_id=target_id, report_id=report_id, explanation=why)
    suggestions = with_suggestion(summary, suggestion)
    return turn.tell(LinkSuggested(suggestion=suggestion), incident, suggestions=suggestions)


def settled(turn: Turn, incident: Incident, other_id: str, *, confirmed: bool, named: str = "") -> Incident:
    """Tell what a person decided about the incident's suggestions that lead to the other one (or name it `named`)."""
    for one in incident.summary.suggestions:
        if one.target_id == named or leads_to(turn, one) == other_id:
            left = tuple(other for other in incident.summary.suggestions if other is not one)
            change = SuggestionSettled(target_id=one.target_id, confirmed=confirmed)
            incident = turn.tell(change, incident, suggestions=left)
    return incident


def leads_to(turn: Turn, suggestion: Suggestion) -> str:
    """The incident that is meant now: the one that was suggested, or the one into which it was merged."""
    found = incident_memory.found(turn, suggestion.target_id)
    return suggestion.target_id if found is None else found.summary.incident_id


def of_both(turn: Turn, into: Incident, source: Incident) -> tuple[Suggestion, ...]:
    """The open suggestions of an incident that takes another one's reports: of both, none that leads to themselves."""
    own = {into.summary.incident_id, source.summary.incident_id}
    found: dict[str, Suggestion] = {}
    for one in (*source.summary.suggestions, *into.summary.suggestions):
        leads = leads_to(turn, one)
        if leads not in own and not apart(turn, into.summary.incident_id, leads):
            found[leads] = one
    return tuple(found.values())[-SUGGESTIONS:]


def apart(turn: Turn, one: str, other: str) -> bool:
    """Whether a person kept these two incidents apart."""
    return turn.get(_key(turn, one, other)) is not None


def keep_apart(turn: Turn, one: str, other: str) -> None:
    """A person kept them apart: the machine does not ask again."""
    key = _key(turn, one, other)
    turn.put(key, (turn.append_ms,))
    incident_memory.remember(turn, (key,))


def _key(turn: Turn, one: str, other: str) -> str:
    return f"a|{turn.unit}|{min(one, other)}|{max(one, other)}"

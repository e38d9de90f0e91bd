"""A command comes to its territory: it becomes facts, or `CommandRefused` with the reason, once.

What may be done is the table of `streams/lifecycle.py`. A handler decides everything before it tells anything: it
gives back the code of a refusal with nothing told, or None when it is done.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from schemas.command import Command, Verb
from schemas.errors import Code
from schemas.incident import (
    CommandRefused,
    DeliveryRequested,
    IncidentHandedOver,
    IncidentRecategorised,
    IncidentState,
    StateChanged,
    SupplementsRead,
)
from schemas.summary import StageTime
from streams import deadlines, incident_grid, incident_handover, incident_memory, incident_moves
from streams.deadlines import NOT_RECEIVED, UNANSWERED
from streams.incident_state import Incident
from streams.incident_summary import RESOURCES
from streams.incident_turn import Cause, Turn
from streams.lifecycle import NOT_OURS, OFFICER, reached, rule, stamped

REASON_CHARACTERS: Final = 500

Handler = Callable[[Turn, Command, Incident], Code | None]


def asked(turn: Turn, command: Command, trace: Mapping[str, str]) -> None:
    """Do what is asked or refuse it. The same command again gets the same facts, and nothing happens.

    Another command under an id that was used is refused, with a fact of its own: the first one stands.
    """
    digest, headers = _digest(command), {**trace, "mode": command.mode.value}
    if incident_memory.names_another(turn, command.command_id, digest):
        _reused(turn, command, digest, headers)
        return
    if incident_memory.answer_again(turn, command.command_id):
        return
    turn.because(Cause(command.command_id, actor=command.actor, headers=headers))
    elsewhere = _answered_elsewhere(turn, command)
    if elsewhere is not None:
        incident_handover.forward_command(turn, elsewhere, command)
        return
    before = len(turn.facts())
    incident = turn.incident(command.incident_id)
    code = _refusal(turn, command, incident)
    if code is None:
        code = (
            _HANDLERS[command.verb](turn, command, incident)
            if incident is not None
            else _redeliver(turn, command, None)
        )
    if code is not None:
        turn.note(CommandRefused(command_id=command.command_id, verb=command.verb.value, code=code), incident)
    incident_memory.keep_answer(turn, command.command_id, turn.facts()[before:])


def _digest(command: Command) -> str:
    """What tells one command from another: all but its id, when it came, and in which log it is asked."""
    asked = command.model_dump(mode="json", exclude={"command_id", "asked_at", "unit"}, exclude_none=True)
    return hashlib.blake2b(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _reused(turn: Turn, command: Command, digest: str, headers: Mapping[str, str]) -> None:
    answer_id = f"{command.command_id}|{digest}"
    if incident_memory.answer_again(turn, answer_id):
        return
    before = len(turn.facts())
    turn.because(Cause(command.command_id, (Code.KEY_REUSED.value, digest), command.actor, headers))
    refused = CommandRefused(command_id=command.command_id, verb=command.verb.value, code=Code.KEY_REUSED)
    turn.note(refused, turn.incident(command.incident_id))
    incident_memory.keep_answer(turn, answer_id, turn.facts()[before:])


def _answered_elsewhere(turn: Turn, command: Command) -> str | None:
    """The unit whose log answers for the incident, where it is not this one.

    A delivery is asked for again in the log whose facts made it, wherever its incident went: only route there holds it.
    """
    if command.verb is Verb.REDELIVER:
        return None
    incident = turn.incident(command.incident_id)
    if incident is not None:
        return incident.gone_to or None
    return incident_handover.offered_by(turn, command.incident_id) if command.verb is Verb.RECEIVE else None


def _refusal(turn: Turn, command: Command, incident: Incident | None) -> Code | None:
    """What forbids the command before its own rules are looked at."""
    if incident is None:
        return None if command.verb is Verb.REDELIVER else Code.INCIDENT_UNKNOWN
    summary = incident.summary
    if command.mode is not summary.mode:
        return Code.MODE_MIXED
    found = rule(summary.state, command.verb)
    if found is None:
        return Code.STATE_FORBIDS
    if turn.reference.roles.get(command.actor, OFFICER) not in found.who:
        return Code.FORBIDDEN
    if command.expected_version is not None and command.expected_version != summary.sequence:
        return Code.VERSION_CONFLICT
    if found.reason and not (command.reason or "").strip():
        return Code.REASON_MISSING
    if command.typed_at is not None and command.typed_at > turn.now:
        return Code.FIELD_INVALID
    return None


def _go_on(turn: Turn, command: Command, incident: Incident) -> Code | None:
    """Accept, refuse, dispatch, set out, arrive, end, reopen: the next state, its stage, the patrol."""
    summary, verb = incident.summary, command.verb
    reason = (command.reason or "").strip()
    if verb is Verb.REFUSE and reason.casefold() in NOT_OURS:
        return Code.FIELD_INVALID
    found = rule(summary.state, verb)
    after = found.after if found is not None and found.after is not None else summary.state
    cleared = {NOT_RECEIVED} if after is IncidentState.OPEN else {NOT_RECEIVED, UNANSWERED}
    changes: dict[str, Any] = {
        "state": after,
        "stages": _stages(turn, command, incident),
        "flags": tuple(flag for flag in summary.flags if flag not in cleared),
        "handed_to": None,
        "refused_reason": reason[:REASON_CHARACTERS] if verb is Verb.REFUSE else None,
    }
    if command.resource is not None and command.resource not in summary.resources:
        changes["resources"] = (*summary.resources, command.resource)[:RESOURCES]
    following = replace(incident, news_ms=turn.now_ms)
    change = StateChanged(
        verb=verb.value,
        before=summary.state,
        after=after,
        actor=command.actor,
        reason=reason or None,
        resource=command.resource,
    )
    if verb is Verb.REOPEN:
        following = replace(incident_moves.woken(turn, following), asking_ms=turn.now_ms)
        changes["dormant"] = False
        changes["flags"] = tuple(flag for flag in summary.flags if flag != UNANSWERED)
        deadlines.asking(turn, following)
    turn.tell(change, following, **changes)
    return None


def _stages(turn: Turn, command: Command, incident: Incident) -> tuple[StageTime, ...]:
    stages, stage = incident.summary.stages, reached(incident.summary.state, command.verb)
    if stage is None:
        return stages
    if command.typed_at is None:
        return stamped(stages, StageTime(stage=stage, at=turn.now, how="measured", by=command.actor))
    return stamped(stages, StageTime(stage=stage, at=command.typed_at, how="typed", by=command.actor))


def _hand_over(turn: Turn, command: Command, incident: Incident) -> Code | None:
    if not command.to_unit:
        return Code.FIELD_MISSING
    if command.to_unit == turn.unit or not turn.reference.knows(command.to_unit):
        return Code.FIELD_INVALID
    following = replace(incident, handed_ms=turn.now_ms, news_ms=turn.now_ms)
    flags = tuple(flag for flag in incident.summary.flags if flag != NOT_RECEIVED)
    change = IncidentHandedOver(to_unit=command.to_unit, actor=command.actor)
    told = turn.tell(change, following, state=IncidentState.HANDED_OVER, handed_to=command.to_unit, flags=flags)
    incident_handover.offer(turn, told, command)
    deadlines.arm(turn, turn.reference.receive_ms, deadlines.RECEIVE, told.summary.incident_id, told.handed_ms)
    return None


def _receive(turn: Turn, command: Command, incident: Incident) -> Code | None:
    incident_handover.give(turn, incident, command)
    return None


def _recategorise(turn: Turn, command: Command, incident: Incident) -> Code | None:
    if command.category is None and command.urgency is None:
        return Code.FIELD_MISSING
    code = command.category or incident.summary.category
    known = turn.reference.category(code)
    if command.category not in {None, known.code}:
        return Code.FIELD_INVALID
    urgency = command.urgency or incident.summary.urgency
    following = replace(incident, by_person=True, window_ms=known.window_ms)
    change = IncidentRecategorised(category=code, urgency=urgency, actor=command.actor)
    told = turn.tell(change, following, category=code, cap_category=known.cap, urgency=urgency)
    if not told.summary.dormant:
        turn.save(incident_grid.stand(turn, told))
    return None


def _read(turn: Turn, command: Command, incident: Incident) -> Code | None:
    stages = _stages(turn, command, incident)
    turn.tell(SupplementsRead(actor=command.actor), incident, unread=0, stages=stages)
    return None


def _redeliver(turn: Turn, command: Command, incident: Incident | None) -> Code | None:
    """Known or forgotten: the delivery has an id, and route sends it again under the same one."""
    if command.delivery_id is None:
        return Code.FIELD_MISSING
    turn.note(DeliveryRequested(delivery_id=command.delivery_id, actor=command.actor), incident)
    return None


_HANDLERS: Final[Mapping[Verb, Handler]] = {
    **dict.fromkeys((Verb.ACCEPT, Verb.REFUSE, Verb.DISPATCH, Verb.SET_OUT), _go_on),
    **dict.fromkeys((Verb.ARRIVE, Verb.END, Verb.REOPEN), _go_on),
    Verb.HAND_OVER: _hand_over,
    Verb.RECEIVE: _receive,
    Verb.LINK: incident_moves.link,
    Verb.UNLINK: incident_moves.unlink,
    Verb.CONFIRM: incident_moves.confirm,
    Verb.REJECT: incident_moves.reject,
    Verb.RECATEGORISE: _recategorise,
    Verb.READ: _read,
    Verb.REDELIVER: _redeliver,
}

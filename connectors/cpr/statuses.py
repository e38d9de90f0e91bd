"""What the call centre is told of a form: one status per `cpr_id`, by the incident's state. Pure.

Keyed by the form, never by the incident: two forms of one incident are two matters at the centre. Statuses follow the
incident's state, so a form that joins an accepted incident is told ACCEPTED at once, which says more than DELIVERED.

DELIVERED is said of the form that the delivery's own report is, and of no other: an officer who types the number of a
form that was passed by telephone has not received it. What comes later is said of the matter, whoever named its number.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from schemas.delivery import Delivery
from schemas.summary import IncidentState, Stage
from schemas.wire import derived_id

CPR_ID: Final = "cpr_id"


class CprStatus(StrEnum):
    """SPR Act art. 13(2)(3) a to d, and what practice adds."""

    DELIVERED = "DELIVERED"
    """Journal and Kafka hold the form; no person has seen it."""
    ACCEPTED = "ACCEPTED"
    DISPATCHED = "DISPATCHED"
    ON_SCENE = "ON_SCENE"
    HANDED_OVER = "HANDED_OVER"
    REFUSED = "REFUSED"
    ENDED = "ENDED"


BY_STATE: Final[Mapping[IncidentState, tuple[CprStatus, Stage | None] | None]] = {
    IncidentState.OPEN: (CprStatus.DELIVERED, Stage.RECEIVED),
    IncidentState.ACCEPTED: (CprStatus.ACCEPTED, Stage.ACCEPTED),
    IncidentState.DISPATCHED: (CprStatus.DISPATCHED, Stage.DISPATCHED),
    IncidentState.ON_SCENE: (CprStatus.ON_SCENE, Stage.ON_SCENE),
    IncidentState.ENDED: (CprStatus.ENDED, Stage.ENDED),
    IncidentState.REFUSED: (CprStatus.REFUSED, None),
    IncidentState.HANDED_OVER: (CprStatus.HANDED_OVER, None),
    IncidentState.MERGED: None,
}
"""Status and the stage whose time it bears. A merged incident says nothing: its forms are another's now."""

_D, _A, _S, _O = CprStatus.DELIVERED, CprStatus.ACCEPTED, CprStatus.DISPATCHED, CprStatus.ON_SCENE
_H, _R, _E = CprStatus.HANDED_OVER, CprStatus.REFUSED, CprStatus.ENDED
AFTER: Final[Mapping[CprStatus | None, frozenset[CprStatus]]] = {
    None: frozenset(CprStatus),
    _D: frozenset({_A, _S, _O, _H, _R, _E}),
    _A: frozenset({_S, _O, _H, _E}),
    _S: frozenset({_O, _H, _E}),
    _O: frozenset({_H, _E}),
    _H: frozenset({_A, _S, _O, _R, _E}),
    _R: frozenset({_A, _S, _O, _H, _E}),
    _E: frozenset({_A, _S, _O, _H, _R}),
}
"""What may follow what we said last of a form. Nothing becomes DELIVERED again; after REFUSED or ENDED comes more only
when the incident was reopened."""


@dataclass(frozen=True, slots=True)
class Saying:
    """One status of one form. `id` is the same whichever delivery brings it: the receiver ignores repeats by it."""

    id: str
    cpr_id: str
    status: CprStatus
    at: datetime
    sequence: int
    reason: str | None = None


class Form(NamedTuple):
    """A form as it came to us: whose it is (the sending centre's configured name), and its number there."""

    far_system: str
    cpr_id: str


def form_of(delivery: Delivery) -> Form | None:
    """The form that the delivery's own report is; None when it has none, or one that only cites a form's number."""
    report = _part(delivery.body, "report")
    cpr_id = report.get("far_id")
    if not cpr_id or cpr_id not in _cited(_part(report, "told")):
        return None
    return Form(str(report.get("far_system") or ""), str(cpr_id))


def sayings(
    delivery: Delivery, far_system: str = "", ours: Mapping[str, bool] = MappingProxyType({})
) -> tuple[Saying, ...]:
    """What the delivery says to the centre of that name of each form that its profile shows; empty: the only centre.

    `ours`: whether a form is that centre's, as far as that is known; another's is left out. None without references or
    a state.
    """
    summary = _part(delivery.body, "summary")
    state = summary.get("state")
    told = BY_STATE.get(IncidentState(state)) if state in set(IncidentState) else None
    if told is None or (told[0] is CprStatus.DELIVERED and _was_answered(summary)):
        return ()
    status, stage = told
    at = _stage_time(summary, stage) or delivery.decided_at
    if status is CprStatus.DELIVERED:
        form = form_of(delivery)
        forms = [form.cpr_id] if form is not None and far_system in {"", form.far_system} else []
    else:
        forms = [one for one in _forms(delivery.body) if ours.get(one, True)]
    reason = summary.get("refused_reason") or _part(delivery.body, "change").get("reason")
    return tuple(
        Saying(
            id=derived_id("cpr-status", cpr_id, status.value, at.isoformat()),
            cpr_id=cpr_id,
            status=status,
            at=at,
            sequence=delivery.sequence,
            reason=str(reason) if reason and status is CprStatus.REFUSED else None,
        )
        for cpr_id in dict.fromkeys(forms)
    )


def follows(last: CprStatus | None, status: CprStatus) -> bool:
    """Whether a status may be said after the last one; the same again is not said again."""
    return status in AFTER[last]


def _was_answered(summary: Mapping[str, Any]) -> bool:
    """Reopened: the centre has heard more than DELIVERED of it already."""
    answered = {Stage.ACCEPTED.value, Stage.ENDED.value}
    return bool(summary.get("refused_reason")) or any(one.get("stage") in answered for one in _stages(summary))


def _stages(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    stages = summary.get("stages")
    return [one for one in stages if isinstance(one, Mapping)] if isinstance(stages, list) else []


def _stage_time(summary: Mapping[str, Any], stage: Stage | None) -> datetime | None:
    for one in _stages(summary):
        if stage is not None and one.get("stage") == stage.value:
            return datetime.fromisoformat(str(one["at"]))
    return None


def _forms(body: Mapping[str, Any]) -> Iterator[str]:
    """The centre's ids: of the report that came, and all of the incident's."""
    for part in (_part(_part(body, "report"), "told"), _part(body, "summary")):
        yield from _cited(part)


def _cited(part: Mapping[str, Any]) -> Iterator[str]:
    for one in part.get("references") or ():
        if isinstance(one, Mapping) and one.get("system") == CPR_ID and one.get("id"):
            yield str(one["id"])


def _part(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = body.get(name)
    return part if isinstance(part, Mapping) else {}

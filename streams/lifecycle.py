"""The life-cycle of an incident: one table of what may be done in which state, by whom, and what comes next.

Pure data and four small functions. Statuses: SPR Act art. 13(2)(3) and the practice of the exchange.
"""

from dataclasses import dataclass
from typing import Final

from schemas.command import Verb
from schemas.summary import IncidentState as State
from schemas.summary import Stage, StageTime

OFFICER, PARTNER, SYSTEM = "officer", "partner", "system"
ROLES: Final = (OFFICER, PARTNER, SYSTEM)
RECONCILER: Final = "reconciler"
"""The actor that asks by machine for what the ledger misses; no account, source or far system may bear its name."""
"""Who asks: a person at the desk, a far system that tells a status, our own reconciler."""

PERSON: Final = frozenset({OFFICER})
ANYBODY: Final = frozenset({OFFICER, PARTNER})
AUTOMATIC: Final = frozenset({OFFICER, SYSTEM})

NOT_OURS: Final = frozenset({"territory", "wrong territory", "właściwość miejscowa", "teren", "nie nasz teren"})
"""Reasons that are no ground for refusal: the incident is handed over instead."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a verb does in a state: `after` is the next state, None when it stays; `who` may; `reason` is compulsory."""

    after: State | None
    who: frozenset[str] = PERSON
    reason: bool = False


_STAY: Final = Rule(None)
_ALWAYS: Final = {Verb.READ: _STAY, Verb.REDELIVER: Rule(None, AUTOMATIC)}
_LINKS: Final = {
    Verb.LINK: _STAY,
    Verb.UNLINK: Rule(None, reason=True),
    Verb.CONFIRM: _STAY,
    Verb.REJECT: Rule(None, reason=True),
    Verb.RECATEGORISE: _STAY,
}
_UNDER_WAY: Final = {Verb.HAND_OVER: Rule(State.HANDED_OVER), Verb.END: Rule(State.ENDED, ANYBODY)}

TABLE: Final[dict[State, dict[Verb, Rule]]] = {
    State.OPEN: _ALWAYS
    | _LINKS
    | {
        Verb.ACCEPT: Rule(State.ACCEPTED),
        Verb.REFUSE: Rule(State.REFUSED, reason=True),
        Verb.HAND_OVER: Rule(State.HANDED_OVER),
    },
    State.ACCEPTED: _ALWAYS
    | _LINKS
    | _UNDER_WAY
    | {Verb.DISPATCH: Rule(State.DISPATCHED), Verb.ARRIVE: Rule(State.ON_SCENE)},
    State.DISPATCHED: _ALWAYS
    | _LINKS
    | _UNDER_WAY
    | {
        Verb.DISPATCH: Rule(State.DISPATCHED),
        Verb.SET_OUT: Rule(State.DISPATCHED),
        Verb.ARRIVE: Rule(State.ON_SCENE),
    },
    State.ON_SCENE: _ALWAYS
    | _LINKS
    | _UNDER_WAY
    | {
        Verb.DISPATCH: Rule(State.ON_SCENE),
        Verb.SET_OUT: Rule(State.ON_SCENE),
        Verb.ARRIVE: Rule(State.ON_SCENE),
    },
    State.ENDED: _ALWAYS | _LINKS | {Verb.REOPEN: Rule(State.OPEN, ANYBODY)},
    State.REFUSED: _ALWAYS | _LINKS | {Verb.REOPEN: Rule(State.OPEN, ANYBODY)},
    State.HANDED_OVER: _ALWAYS
    | {
        Verb.RECEIVE: _STAY,
        Verb.ACCEPT: Rule(State.ACCEPTED),
        Verb.HAND_OVER: Rule(State.HANDED_OVER),
    },
    State.MERGED: dict(_ALWAYS),
}
"""What is not in the table is forbidden (`state-forbids`).

`arrive` without `dispatch`: a patrol's own finding. `set-out` at the scene: another patrol, or a time typed later.
`receive` moves the incident to the other unit's log, where it is
accepted; `accept` before that takes it back. An ended or refused incident is only reopened, and then asks for an
answer again.
"""

STAGES: Final[dict[Verb, Stage]] = {
    Verb.ACCEPT: Stage.ACCEPTED,
    Verb.DISPATCH: Stage.DISPATCHED,
    Verb.SET_OUT: Stage.EN_ROUTE,
    Verb.ARRIVE: Stage.ON_SCENE,
    Verb.END: Stage.ENDED,
}
"""The stage that a verb reaches. Nothing reaches `closed_at` yet: it closes the papers, not the matter."""

LIVE: Final = (State.OPEN, State.ACCEPTED, State.DISPATCHED, State.ON_SCENE)
"""States in which somebody acts or must act, in order: where incidents are merged the further one holds."""
OVER: Final = (State.ENDED, State.REFUSED, State.MERGED)
"""States in which nobody acts any more: the machine links nothing to them by itself."""


def rule(state: State, verb: Verb) -> Rule | None:
    """What the verb does in this state; None when it is forbidden."""
    return TABLE[state].get(verb)


def reached(state: State, verb: Verb) -> Stage | None:
    """The stage that the verb reaches in this state, None when it reaches none.

    `read` is an officer's word that the incident was on the screen. After the answer it says nothing of the first
    look: what was accepted had been on the screen before.
    """
    if verb is Verb.READ:
        return Stage.PRESENTED if state is State.OPEN else None
    return STAGES.get(verb)


def stamped(stages: tuple[StageTime, ...], new: StageTime) -> tuple[StageTime, ...]:
    """The stage times with this one, each stage once.

    A typed time never replaces a measured one; the first measured one stays; a later typed one corrects a typed one.
    """
    old = next((one for one in stages if one.stage is new.stage), None)
    if old is None:
        return (*stages, new)
    if old.how == "measured":
        return stages
    return tuple(new if one is old else one for one in stages)


def further(one: State, other: State) -> State:
    """The state of two merged incidents, both live: the one in which more was done."""
    return max(one, other, key=LIVE.index)

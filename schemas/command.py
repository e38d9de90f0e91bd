"""Commands: what a person or a partner asks for. Each becomes facts, or `CommandRefused`."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from schemas.model import Message, Privacy, about
from schemas.report import Mode, Urgency


class Verb(StrEnum):
    """The closed list of what may be asked."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    HAND_OVER = "hand-over"
    RECEIVE = "receive"
    DISPATCH = "dispatch"
    SET_OUT = "set-out"
    """The patrol is on its way."""
    ARRIVE = "arrive"
    END = "end"
    REOPEN = "reopen"
    LINK = "link"
    UNLINK = "unlink"
    CONFIRM = "confirm"
    REJECT = "reject"
    RECATEGORISE = "recategorise"
    READ = "read"
    """The officer has seen the unread supplements."""
    REDELIVER = "redeliver"


class Command(Message):
    """One request: the payload of `intake.commands`."""

    command_id: Annotated[str, about("uuid5 of actor and idempotency key.", Privacy.OPERATIONAL)]
    verb: Annotated[Verb, about("What is asked.", Privacy.OPERATIONAL)]
    incident_id: Annotated[str, about("The incident it is about.", Privacy.OPERATIONAL)]
    unit: Annotated[str, about("Territory whose log decides.", Privacy.OPERATIONAL)]
    actor: Annotated[
        str,
        about(
            "Who asks: configured name of an account or a partner, never a person's name.",
            Privacy.OPERATIONAL,
        ),
    ]
    asked_at: Annotated[datetime, about("When our journal held it.", Privacy.OPERATIONAL)]
    expected_version: Annotated[
        int | None,
        about(
            "Refuse when the incident's sequence is another; None: any.",
            Privacy.OPERATIONAL,
            "ordinal",
            ge=0,
        ),
    ] = None
    mode: Annotated[Mode, about("Real, test or exercise.", Privacy.OPERATIONAL)] = Mode.REAL
    reason: Annotated[
        str | None,
        about(
            "Why; compulsory for refuse, reject, unlink.",
            Privacy.SENSITIVE,
            None,
            max_length=2_000,
        ),
    ] = None
    report_id: Annotated[str | None, about("For link and unlink.", Privacy.OPERATIONAL)] = None
    target_id: Annotated[
        str | None,
        about("Other incident: link, confirm and reject.", Privacy.OPERATIONAL),
    ] = None
    to_unit: Annotated[
        str | None,
        about("For hand-over: the unit that shall answer.", Privacy.OPERATIONAL),
    ] = None
    resource: Annotated[
        str | None,
        about("For dispatch, set-out and arrive: the patrol's id.", Privacy.OPERATIONAL),
    ] = None
    category: Annotated[str | None, about("For recategorise.", Privacy.OPERATIONAL)] = None
    urgency: Annotated[Urgency | None, about("For recategorise.", Privacy.OPERATIONAL)] = None
    typed_at: Annotated[
        datetime | None,
        about(
            "A past time typed by the officer; never replaces a measured one.",
            Privacy.OPERATIONAL,
        ),
    ] = None
    delivery_id: Annotated[str | None, about("For redeliver.", Privacy.OPERATIONAL)] = None


class Tick(Message):
    """Time passes in a territory; nothing else happens. Double, late and zombie ticks change nothing."""

    unit: Annotated[
        str | None,
        about(
            "Territory whose clock it moves (`records`); None: every one of the partition with clock `wall`.",
            Privacy.OPERATIONAL,
        ),
    ] = None
    at: Annotated[datetime, about("The time that has come.", Privacy.OPERATIONAL)]


class ReferenceActivated(Message):
    """Another version of reference data holds from here on: weights, routing, catalogue, gazetteer."""

    kind: Annotated[str, about("Which data.", Privacy.PUBLIC)]
    version: Annotated[str, about("Its version.", Privacy.PUBLIC)]
    digest: Annotated[str, about("SHA-256 of its canonical form.", Privacy.PUBLIC)]

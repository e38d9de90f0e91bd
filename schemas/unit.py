"""Units (patrole, siły i środki) and what correlation may know of a neighbour's incidents."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from schemas.model import Message, Privacy, about
from schemas.place import Position
from schemas.summary import Explanation


class UnitStatus(StrEnum):
    """What a unit is doing."""

    OFF_DUTY = "off-duty"
    AVAILABLE = "available"
    EN_ROUTE = "en-route"
    ON_SCENE = "on-scene"
    BUSY = "busy"


class Unit(Message):
    """Who can be sent, where it is, what it does: `unit.current`."""

    unit_id: Annotated[str, about("Call sign or number.", Privacy.OPERATIONAL)]
    owner: Annotated[str, about("Unit of the police it belongs to.", Privacy.OPERATIONAL)]
    status: Annotated[UnitStatus, about("What it does.", Privacy.OPERATIONAL)]
    incident_id: Annotated[str | None, about("At which incident.", Privacy.OPERATIONAL)] = None
    position: Annotated[Position | None, about("Where.", Privacy.OPERATIONAL)] = None
    changed_at: Annotated[datetime, about("Since when.", Privacy.OPERATIONAL)]


class Observation(Message):
    """What a neighbour's log may know of a report near the border: nothing personal, no text.

    Where it may belong to an incident there, the same comes back as the answer, with that incident and why.
    """

    report_id: Annotated[str, about("Report there.", Privacy.OPERATIONAL)]
    from_unit: Annotated[str, about("Territory that has it.", Privacy.OPERATIONAL)]
    to_unit: Annotated[str, about("Territory that may know.", Privacy.OPERATIONAL)]
    category: Annotated[str, about("Code of the catalogue.", Privacy.OPERATIONAL)]
    position: Annotated[Position, about("Where.", Privacy.OPERATIONAL)]
    event_at: Annotated[datetime, about("When.", Privacy.OPERATIONAL)]
    incident_id: Annotated[
        str | None, about("In an answer: the incident of `from_unit` that it may belong to.", Privacy.OPERATIONAL)
    ] = None
    explanation: Annotated[Explanation | None, about("In an answer: why.", Privacy.OPERATIONAL)] = None

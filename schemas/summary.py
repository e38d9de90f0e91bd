"""An incident (zdarzenie) as it stands: its life-cycle, its stages, and the bounded summary that travels."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from schemas.model import Message, Privacy, about
from schemas.place import Place
from schemas.report import WALL, Casualties, Mode, Reference, Urgency


class IncidentState(StrEnum):
    """Where an incident is in its life-cycle (table in `streams/lifecycle.py`)."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISPATCHED = "dispatched"
    ON_SCENE = "on-scene"
    ENDED = "ended"
    REFUSED = "refused"
    HANDED_OVER = "handed-over"
    """Given to another unit that has not received it yet: the sender answers for it."""
    MERGED = "merged"
    """All its reports were linked to another incident."""


class Stage(StrEnum):
    """Stage time stamps."""

    CALL_ANSWERED = "call_answered_at"
    REGISTERED = "registered_at"
    RECEIVED = "received_at"
    PRESENTED = "presented_at"
    ACCEPTED = "accepted_at"
    DISPATCHED = "dispatched_at"
    EN_ROUTE = "unit_en_route_at"
    ON_SCENE = "on_scene_at"
    ENDED = "ended_at"
    CLOSED = "closed_at"


class StageTime(Message):
    """When a stage was reached and how we know. A typed past time never replaces a measured one."""

    stage: Annotated[Stage, about("Which stage.", Privacy.OPERATIONAL)]
    at: Annotated[datetime, about("When.", Privacy.OPERATIONAL)]
    how: Annotated[
        Literal["measured", "typed"],
        about("Measured by a system or typed by a person.", Privacy.OPERATIONAL),
    ]
    by: Annotated[str, about("Source or actor.", Privacy.OPERATIONAL)]


class Evidence(Message):
    """One feature of a match and what it counts (Fellegi-Sunter, 1969: log2 of the likelihood ratio)."""

    feature: Annotated[
        str,
        about(
            "Name: prior, distance, time-gap, category-pair, source-pair, direction, shared-id, text, street,"
            " burst (open incidents around), rivals (others that fit as well).",
            Privacy.PUBLIC,
        ),
    ]
    value: Annotated[
        str,
        about("What was seen, without personal data: 180 m, 3 min.", Privacy.OPERATIONAL),
    ]
    weight_bits: Annotated[float, about("Contribution.", Privacy.PUBLIC, "bit")]


class Explanation(Message):
    """Why two things were linked or suggested."""

    rule: Annotated[str, about("`reference`, `weights` or `person`.", Privacy.PUBLIC)]
    weight_bits: Annotated[float, about("Sum.", Privacy.PUBLIC, "bit")] = 0.0
    evidence: Annotated[tuple[Evidence, ...], about("Parts of the sum.", Privacy.OPERATIONAL)] = ()
    version: Annotated[str, about("Digest of the weights.", Privacy.PUBLIC)] = ""


class Suggestion(Message):
    """Perhaps the same incident; waits for a person and holds nothing up."""

    target_id: Annotated[str, about("The other incident.", Privacy.OPERATIONAL)]
    report_id: Annotated[str, about("The report that raised it.", Privacy.OPERATIONAL)]
    explanation: Annotated[Explanation, about("Why.", Privacy.OPERATIONAL)]


class IncidentSummary(Message):
    """The incident after a change, bounded (<= 32 KiB): what `incident.current` holds and each fact carries."""

    incident_id: Annotated[str, about("uuid5 of the report that opened it.", Privacy.OPERATIONAL)]
    unit: Annotated[str, about("Responsible unit.", Privacy.OPERATIONAL)]
    sequence: Annotated[
        int,
        about(
            "Number of the last change: the version that commands expect.",
            Privacy.OPERATIONAL,
            "ordinal",
            ge=0,
        ),
    ]
    state: Annotated[IncidentState, about("Life-cycle.", Privacy.OPERATIONAL)]
    mode: Annotated[Mode, about("Real, test or exercise.", Privacy.OPERATIONAL)] = Mode.REAL
    urgency: Annotated[Urgency, about("Highest told or decided.", Privacy.OPERATIONAL)]
    category: Annotated[str, about("Code of the catalogue.", Privacy.OPERATIONAL)]
    cap_category: Annotated[str, about("CAP 1.2 category.", Privacy.PUBLIC)]
    place: Annotated[Place, about("Best known place.", Privacy.OPERATIONAL)]
    casualties: Annotated[Casualties | None, about("Highest told.", Privacy.OPERATIONAL)] = None
    opened_at: Annotated[datetime, about("Step's time of the first report.", Privacy.OPERATIONAL)]
    event_at: Annotated[datetime, about("Earliest event time told.", Privacy.OPERATIONAL)]
    updated_at: Annotated[datetime, about("Step's time of the last change.", Privacy.OPERATIONAL)]
    stages: Annotated[
        tuple[StageTime, ...],
        about("Stage time stamps, each stage once.", Privacy.OPERATIONAL),
    ] = ()
    reports: Annotated[int, about("How many reports are linked.", Privacy.OPERATIONAL, "reports", ge=0)]
    first_reports: Annotated[tuple[str, ...], about("First twenty report ids.", Privacy.OPERATIONAL)] = ()
    last_reports: Annotated[
        tuple[str, ...],
        about(
            "Last twenty report ids, without those of `first_reports`.",
            Privacy.OPERATIONAL,
        ),
    ] = ()
    sources: Annotated[dict[str, int], about("Reports by source.", Privacy.OPERATIONAL, "reports")] = {}
    unread: Annotated[
        int,
        about("Supplements that nobody has read.", Privacy.OPERATIONAL, "reports", ge=0),
    ] = 0
    references: Annotated[
        tuple[Reference, ...],
        about("Other systems' ids, at most fifty.", Privacy.OPERATIONAL),
    ] = ()
    flags: Annotated[
        tuple[str, ...],
        about(
            "cancelled-by-source, unanswered, late, conflict, ongoing, dangerous...",
            Privacy.OPERATIONAL,
        ),
    ] = ()
    suggestions: Annotated[
        tuple[Suggestion, ...],
        about("Open suggestions, at most ten.", Privacy.OPERATIONAL),
    ] = ()
    resources: Annotated[tuple[str, ...], about("Patrols dispatched.", Privacy.OPERATIONAL)] = ()
    merged_into: Annotated[str | None, about("Where its reports went.", Privacy.OPERATIONAL)] = None
    handed_to: Annotated[str | None, about("Unit that shall receive it.", Privacy.OPERATIONAL)] = None
    refused_reason: Annotated[str | None, about("Why it was refused.", Privacy.SENSITIVE)] = None
    clock: Annotated[str, about("wall or records.", Privacy.OPERATIONAL)] = WALL
    dormant: Annotated[bool, about("Out of the correlation's memory.", Privacy.OPERATIONAL)] = False

"""Incidents (zdarzenia) and the facts that make them. Facts are the truth; everything else can be rebuilt from them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.errors import Code
from schemas.model import Message, Privacy, about
from schemas.notice import Notice
from schemas.place import Place
from schemas.report import Casualties, Mode, Reference, ReportNormalised, Urgency


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
    """Stage time stamps (DOMAIN 4)."""

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
    """When a stage was reached and how we know. A typed past time never replaces a measured one (DOMAIN 4)."""

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
            "Name: distance, time-gap, category-pair, text, shared-id, source-pair.",
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
    sources: Annotated[dict[str, int], about("Reports by source.", Privacy.OPERATIONAL)] = {}
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
    clock: Annotated[str, about("wall or records.", Privacy.OPERATIONAL)] = "wall"
    dormant: Annotated[bool, about("Out of the correlation's memory.", Privacy.OPERATIONAL)] = False


class IncidentOpened(Message):
    """A report opened an incident."""

    kind: Literal["IncidentOpened"] = "IncidentOpened"
    report: Annotated[ReportNormalised, about("The report.", Privacy.OPERATIONAL)]


class ReportLinked(Message):
    """A report joined an incident: by reference, by weight or by a person."""

    kind: Literal["ReportLinked"] = "ReportLinked"
    report: Annotated[
        ReportNormalised | None,
        about(
            "The report; None when a person moved one that is known.",
            Privacy.OPERATIONAL,
        ),
    ] = None
    report_id: Annotated[str, about("Its id.", Privacy.OPERATIONAL)]
    explanation: Annotated[Explanation, about("Why.", Privacy.OPERATIONAL)]
    history: Annotated[
        bool,
        about(
            "An older revision: joins as history, overwrites nothing.",
            Privacy.OPERATIONAL,
        ),
    ] = False


class ReportUnlinked(Message):
    """A person took a report out of an incident."""

    kind: Literal["ReportUnlinked"] = "ReportUnlinked"
    report_id: Annotated[str, about("The report.", Privacy.OPERATIONAL)]
    moved_to: Annotated[str, about("The incident that holds it now.", Privacy.OPERATIONAL)]


class LinkSuggested(Message):
    """Perhaps the same as another incident."""

    kind: Literal["LinkSuggested"] = "LinkSuggested"
    suggestion: Annotated[Suggestion, about("With what and why.", Privacy.OPERATIONAL)]


class SuggestionSettled(Message):
    """A person confirmed or rejected a suggestion."""

    kind: Literal["SuggestionSettled"] = "SuggestionSettled"
    target_id: Annotated[str, about("The other incident.", Privacy.OPERATIONAL)]
    confirmed: Annotated[bool, about("Whether they are one.", Privacy.OPERATIONAL)]


class ReportRepeated(Message):
    """A report with a known id came again; `conflict` when its content differs (both are kept)."""

    kind: Literal["ReportRepeated"] = "ReportRepeated"
    report_id: Annotated[str, about("The report.", Privacy.OPERATIONAL)]
    conflict: Annotated[bool, about("Same id, other content.", Privacy.OPERATIONAL)] = False
    document_id: Annotated[str, about("The document that brought it.", Privacy.OPERATIONAL)]


class ReportHeldLate(Message):
    """A report received so long ago that the machine opens nothing; a person decides (ARCHITECTURE 3, Time)."""

    kind: Literal["ReportHeldLate"] = "ReportHeldLate"
    report: Annotated[ReportNormalised, about("The report.", Privacy.OPERATIONAL)]


class StateChanged(Message):
    """The life-cycle went on: accepted, refused, dispatched, arrived, ended, reopened, merged."""

    kind: Literal["StateChanged"] = "StateChanged"
    verb: Annotated[str, about("What was done.", Privacy.OPERATIONAL)]
    before: Annotated[IncidentState, about("State before.", Privacy.OPERATIONAL)]
    after: Annotated[IncidentState, about("State after.", Privacy.OPERATIONAL)]
    actor: Annotated[str, about("Who.", Privacy.OPERATIONAL)]
    reason: Annotated[str | None, about("Why.", Privacy.SENSITIVE)] = None
    resource: Annotated[str | None, about("Patrol.", Privacy.OPERATIONAL)] = None


class IncidentHandedOver(Message):
    """Given to another unit; this one answers until `IncidentReceived`."""

    kind: Literal["IncidentHandedOver"] = "IncidentHandedOver"
    to_unit: Annotated[str, about("Who shall answer.", Privacy.OPERATIONAL)]
    actor: Annotated[str, about("Who gave it.", Privacy.OPERATIONAL)]


class IncidentReceived(Message):
    """Taken over from another unit, same incident id."""

    kind: Literal["IncidentReceived"] = "IncidentReceived"
    from_unit: Annotated[str, about("Who gave it.", Privacy.OPERATIONAL)]
    actor: Annotated[str, about("Who took it.", Privacy.OPERATIONAL)]


class IncidentRecategorised(Message):
    """Category or urgency was decided anew by a person, or urgency was raised by a report."""

    kind: Literal["IncidentRecategorised"] = "IncidentRecategorised"
    category: Annotated[str, about("New code.", Privacy.OPERATIONAL)]
    urgency: Annotated[Urgency, about("New urgency.", Privacy.OPERATIONAL)]
    actor: Annotated[str, about("Who.", Privacy.OPERATIONAL)]


class IncidentFlagged(Message):
    """Something a person must look at: cancelled by the source, conflict, late, unanswered."""

    kind: Literal["IncidentFlagged"] = "IncidentFlagged"
    flag: Annotated[str, about("Which.", Privacy.OPERATIONAL)]
    report_id: Annotated[str | None, about("Because of which report.", Privacy.OPERATIONAL)] = None


class SupplementsRead(Message):
    """The officer has seen what was unread."""

    kind: Literal["SupplementsRead"] = "SupplementsRead"
    actor: Annotated[str, about("Who.", Privacy.OPERATIONAL)]


class DeadlinePassed(Message):
    """A deadline came and nothing had happened."""

    kind: Literal["DeadlinePassed"] = "DeadlinePassed"
    deadline: Annotated[
        str,
        about("unanswered, reaction-target, call-back, receive.", Privacy.OPERATIONAL),
    ]
    due_at: Annotated[datetime, about("When it was due.", Privacy.OPERATIONAL)]


class IncidentDormant(Message):
    """No news for the category's window: no candidate any more."""

    kind: Literal["IncidentDormant"] = "IncidentDormant"


class ObservationMade(Message):
    """A neighbour's incident near our border; can suggest, opens nothing."""

    kind: Literal["ObservationMade"] = "ObservationMade"
    from_unit: Annotated[str, about("Whose.", Privacy.OPERATIONAL)]
    report_id: Annotated[str, about("Report there.", Privacy.OPERATIONAL)]


class DeliveryRequested(Message):
    """The reconciler or a person asked that a delivery is sent again, with the same delivery id."""

    kind: Literal["DeliveryRequested"] = "DeliveryRequested"
    delivery_id: Annotated[str, about("Which.", Privacy.OPERATIONAL)]
    actor: Annotated[str, about("Who.", Privacy.OPERATIONAL)]


class CommandRefused(Message):
    """A command could not be followed; nothing changed."""

    kind: Literal["CommandRefused"] = "CommandRefused"
    command_id: Annotated[str, about("Which.", Privacy.OPERATIONAL)]
    verb: Annotated[str, about("What was asked.", Privacy.OPERATIONAL)]
    code: Annotated[Code, about("Why.", Privacy.OPERATIONAL)]


class NoticeIssued(Message):
    """A warning came into force, or changed, for this territory."""

    kind: Literal["NoticeIssued"] = "NoticeIssued"
    notice: Annotated[Notice, about("The warning.", Privacy.PUBLIC)]


class NoticeWithdrawn(Message):
    """A warning ended before its time, concluded from a complete snapshot."""

    kind: Literal["NoticeWithdrawn"] = "NoticeWithdrawn"
    notice: Annotated[Notice, about("The warning as it was.", Privacy.PUBLIC)]


Change = Annotated[
    IncidentOpened
    | ReportLinked
    | ReportUnlinked
    | LinkSuggested
    | SuggestionSettled
    | ReportRepeated
    | ReportHeldLate
    | StateChanged
    | IncidentHandedOver
    | IncidentReceived
    | IncidentRecategorised
    | IncidentFlagged
    | SupplementsRead
    | DeadlinePassed
    | IncidentDormant
    | ObservationMade
    | DeliveryRequested
    | CommandRefused
    | NoticeIssued
    | NoticeWithdrawn,
    Field(discriminator="kind"),
]


class Fact(Message):
    """One thing that happened in a territory: the payload of `incident.facts`."""

    fact_id: Annotated[str, about("uuid5(cause, ordinal).", Privacy.OPERATIONAL)]
    caused_by: Annotated[
        str,
        about("Id of the report, command, notice or deadline.", Privacy.OPERATIONAL),
    ]
    unit: Annotated[str, about("Territory.", Privacy.OPERATIONAL)]
    at: Annotated[datetime, about("The step's time.", Privacy.OPERATIONAL)]
    incident_id: Annotated[
        str | None,
        about("Incident; None for notices and refusals without one.", Privacy.OPERATIONAL),
    ] = None
    actor: Annotated[
        str | None,
        about("Person or partner whose command it was.", Privacy.OPERATIONAL),
    ] = None
    change: Annotated[Change, about("What happened.", Privacy.OPERATIONAL)]
    summary: Annotated[IncidentSummary | None, about("The incident afterwards.", Privacy.OPERATIONAL)] = None

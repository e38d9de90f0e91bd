"""The facts that make incidents (zdarzenia). Facts are the truth; everything else can be rebuilt from them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from schemas.errors import Code
from schemas.model import Message, Privacy, about
from schemas.notice import Notice
from schemas.report import ReportNormalised, Urgency
from schemas.summary import Evidence as Evidence
from schemas.summary import Explanation as Explanation
from schemas.summary import IncidentState as IncidentState
from schemas.summary import IncidentSummary as IncidentSummary
from schemas.summary import Stage as Stage
from schemas.summary import StageTime as StageTime
from schemas.summary import Suggestion as Suggestion


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
    """A person confirmed or rejected a suggestion, or confirmed a link that was doubted."""

    kind: Literal["SuggestionSettled"] = "SuggestionSettled"
    target_id: Annotated[str, about("The other incident; of a doubted link the incident itself.", Privacy.OPERATIONAL)]
    confirmed: Annotated[bool, about("Whether they are one.", Privacy.OPERATIONAL)]
    report_id: Annotated[str | None, about("Of a doubted link: the report that stays.", Privacy.OPERATIONAL)] = None


class ReportRepeated(Message):
    """A report with a known id came again; `conflict` when its content differs (both are kept)."""

    kind: Literal["ReportRepeated"] = "ReportRepeated"
    report_id: Annotated[str, about("The report.", Privacy.OPERATIONAL)]
    conflict: Annotated[bool, about("Same id, other content.", Privacy.OPERATIONAL)] = False
    document_id: Annotated[str, about("The document that brought it.", Privacy.OPERATIONAL)]


class ReportHeldLate(Message):
    """A report received so long ago that the machine opens nothing; a person decides."""

    kind: Literal["ReportHeldLate"] = "ReportHeldLate"
    report: Annotated[ReportNormalised, about("The report.", Privacy.OPERATIONAL)]


class StateChanged(Message):
    """The life-cycle went on: accepted, refused, dispatched, set out, arrived, ended, reopened, merged."""

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
    """Something a person must look at: cancelled by the source, conflict, late, unanswered, a doubtful link."""

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
    """What a neighbour has near our border may be this incident: a suggestion, told on both sides. Opens nothing."""

    kind: Literal["ObservationMade"] = "ObservationMade"
    from_unit: Annotated[str, about("Whose.", Privacy.OPERATIONAL)]
    report_id: Annotated[str, about("Report of either side that raised it.", Privacy.OPERATIONAL)]
    other_incident_id: Annotated[
        str | None, about("The neighbour's incident, where it is known.", Privacy.OPERATIONAL)
    ] = None
    explanation: Annotated[Explanation | None, about("Why.", Privacy.OPERATIONAL)] = None


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

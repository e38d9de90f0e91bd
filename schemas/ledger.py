"""What the ledger says of the whole, and what its reconciler did about what was missing."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from schemas.model import Message, Privacy, about


class ActStage(StrEnum):
    """The stage that something was lost in."""

    INCIDENTS = "incidents"
    """Between journal and fact: published again."""
    DELIVER = "deliver"
    """Between decision and receipt: asked for again."""


class ActOutcome(StrEnum):
    """How an act ended, as far as it is the reconciler's. Whether it mended anything the ledger tells."""

    ASKED = "asked"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    GIVEN_UP = "given-up"
    """It was tried as often as a machine may: a person is told."""


class ReconcilerActed(Message):
    """The reconciler did something about one id that the ledger missed: the payload of `ledger.acts`."""

    act_id: Annotated[str, about("uuid5 of stage, id and attempt.", Privacy.OPERATIONAL)]
    stage: Annotated[ActStage, about("Where it was lost.", Privacy.OPERATIONAL)]
    subject_id: Annotated[str, about("Report, command or delivery that was missing.", Privacy.OPERATIONAL)]
    why: Annotated[str, about("Under which name the ledger missed it.", Privacy.OPERATIONAL)]
    attempt: Annotated[int, about("Which time.", Privacy.OPERATIONAL, "ordinal", ge=1)]
    outcome: Annotated[ActOutcome, about("How it ended.", Privacy.OPERATIONAL)]
    acted_at: Annotated[datetime, about("When.", Privacy.OPERATIONAL)]
    missed_since: Annotated[datetime, about("Since when the ledger missed it.", Privacy.OPERATIONAL)]
    code: Annotated[str | None, about("Why it was refused.", Privacy.OPERATIONAL)] = None
    document_id: Annotated[str | None, about("Document that was published again.", Privacy.OPERATIONAL)] = None
    node: Annotated[str | None, about("Intake node that has it.", Privacy.OPERATIONAL)] = None
    command_id: Annotated[str | None, about("Command that was given.", Privacy.OPERATIONAL)] = None
    incident_id: Annotated[str | None, about("Incident of the delivery.", Privacy.OPERATIONAL)] = None
    recipient: Annotated[str | None, about("Recipient of the delivery.", Privacy.OPERATIONAL)] = None


class OverdueDelivery(Message):
    """A delivery without a receipt whose deadline has passed."""

    delivery_id: Annotated[str, about("Which.", Privacy.OPERATIONAL)]
    recipient: Annotated[str, about("To whom.", Privacy.OPERATIONAL)]
    deadline_at: Annotated[datetime, about("Until when.", Privacy.OPERATIONAL)]


class LedgerTold(Message):
    """The account as it stands: the payload of `ledger.current`. Lists are cut; the counts are whole."""

    balanced: Annotated[
        bool | None, about("Whether everything accepted is accounted for; absent: not known.", Privacy.OPERATIONAL)
    ] = None
    said_at: Annotated[datetime, about("When this was said.", Privacy.OPERATIONAL)]
    judged_at: Annotated[datetime | None, about("When the counts held.", Privacy.OPERATIONAL)] = None
    since: Annotated[datetime | None, about("Since when is counted.", Privacy.OPERATIONAL)] = None
    accepted: Annotated[int, about("Pairs of report and recipient.", Privacy.OPERATIONAL, "pairs", ge=0)] = 0
    delivered: Annotated[int, about("Of these delivered.", Privacy.OPERATIONAL, "pairs", ge=0)] = 0
    quarantined: Annotated[int, about("Of these set aside.", Privacy.OPERATIONAL, "pairs", ge=0)] = 0
    in_flight: Annotated[int, about("Of these on their way.", Privacy.OPERATIONAL, "pairs", ge=0)] = 0
    missing: Annotated[dict[str, int], about("What is missing where: how many.", Privacy.OPERATIONAL, "ids")] = {}
    missing_ids: Annotated[dict[str, tuple[str, ...]], about("The first of them.", Privacy.OPERATIONAL)] = {}
    overdue_count: Annotated[int, about("Deliveries past their deadline.", Privacy.OPERATIONAL, "deliveries", ge=0)] = 0
    overdue: Annotated[tuple[OverdueDelivery, ...], about("The first of them.", Privacy.OPERATIONAL)] = ()
    unreachable: Annotated[tuple[str, ...], about("Nodes whose journal cannot be read.", Privacy.OPERATIONAL)] = ()
    untraced_count: Annotated[
        int,
        about("Documents lost with a journal, of which nothing else tells.", Privacy.OPERATIONAL, "documents", ge=0),
    ] = 0
    untraced: Annotated[tuple[str, ...], about("The first of them.", Privacy.OPERATIONAL)] = ()
    acts: Annotated[tuple[ReconcilerActed, ...], about("What the reconciler did last.", Privacy.OPERATIONAL)] = ()

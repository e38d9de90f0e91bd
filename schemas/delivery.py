"""Deliveries: one incident change for one recipient, the decision that made it, and its end."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from schemas.errors import Code
from schemas.model import Message, Privacy, about
from schemas.report import Mode, Urgency


class Delivery(Message):
    """What a recipient shall get: the payload of `outbox.<recipient>.urgent|routine`."""

    delivery_id: Annotated[str, about("uuid5(fact, recipient).", Privacy.OPERATIONAL)]
    recipient: Annotated[str, about("Configured name.", Privacy.OPERATIONAL)]
    fact_id: Annotated[str, about("The change.", Privacy.OPERATIONAL)]
    subject_id: Annotated[str, about("Incident or notice: order is kept within it.", Privacy.OPERATIONAL)]
    sequence: Annotated[
        int,
        about(
            "The incident's sequence; a lower one than the last is superseded.",
            Privacy.OPERATIONAL,
            "ordinal",
            ge=0,
        ),
    ]
    kind: Annotated[str, about("Kind of the fact.", Privacy.OPERATIONAL)]
    report_ids: Annotated[tuple[str, ...], about("Reports disclosed by it.", Privacy.OPERATIONAL)] = ()
    urgency: Annotated[
        Urgency,
        about("Sticky per recipient: once urgent, always.", Privacy.OPERATIONAL),
    ]
    mode: Annotated[Mode, about("Real, test or exercise.", Privacy.OPERATIONAL)] = Mode.REAL
    rule: Annotated[str, about("Routing rule that named the recipient.", Privacy.OPERATIONAL)]
    rules_version: Annotated[str, about("Digest of the routing tree.", Privacy.PUBLIC)]
    profile: Annotated[str, about("Profile that chose the fields.", Privacy.OPERATIONAL)]
    decided_at: Annotated[datetime, about("Step's time.", Privacy.OPERATIONAL)]
    deadline_at: Annotated[datetime | None, about("Overdue afterwards.", Privacy.OPERATIONAL)] = None
    body: Annotated[dict[str, Any], about("The permitted fields, nothing else.", Privacy.SENSITIVE)]


class RoutingDecided(Message):
    """Who gets a fact, by which rule.

    The payload of `routing.decisions`. No recipient counts as delivered to nobody, by the rule's name.
    """

    fact_id: Annotated[str, about("The change.", Privacy.OPERATIONAL)]
    kind: Annotated[str, about("Its kind.", Privacy.OPERATIONAL)]
    incident_id: Annotated[str | None, about("Incident.", Privacy.OPERATIONAL)] = None
    report_id: Annotated[str | None, about("Report that caused it, if one did.", Privacy.OPERATIONAL)] = None
    rules: Annotated[tuple[str, ...], about("Rules that matched.", Privacy.OPERATIONAL)]
    rules_version: Annotated[str, about("Digest of the routing tree.", Privacy.PUBLIC)]
    deliveries: Annotated[dict[str, str], about("Recipient -> delivery id.", Privacy.OPERATIONAL)]
    decided_at: Annotated[datetime, about("Step's time.", Privacy.OPERATIONAL)]
    deadline_at: Annotated[datetime | None, about("Latest time for the receipts.", Privacy.OPERATIONAL)] = None


class Outcome(StrEnum):
    """How a delivery ended."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    QUARANTINED = "quarantined"


class DeliveryReceipted(Message):
    """The end of a delivery: the payload of `delivery.receipts`."""

    delivery_id: Annotated[str, about("Which.", Privacy.OPERATIONAL)]
    recipient: Annotated[str, about("To whom.", Privacy.OPERATIONAL)]
    subject_id: Annotated[str, about("Incident or notice.", Privacy.OPERATIONAL)]
    sequence: Annotated[int, about("Sequence delivered.", Privacy.OPERATIONAL, "ordinal", ge=0)]
    outcome: Annotated[Outcome, about("How it ended.", Privacy.OPERATIONAL)]
    code: Annotated[Code | None, about("Why it was quarantined.", Privacy.OPERATIONAL)] = None
    attempts: Annotated[int, about("Tries.", Privacy.OPERATIONAL, "tries", ge=0)]
    receipted_at: Annotated[datetime, about("When.", Privacy.OPERATIONAL)]
    far_reference: Annotated[str | None, about("The recipient's own reference.", Privacy.OPERATIONAL)] = None


class Quarantined(Message):
    """Set aside where a person sees it.

    The payload of `quarantine`. Never holds plain personal data: a document's bytes stay in the journal.
    """

    item_id: Annotated[str, about("uuid5 of stage and what was set aside.", Privacy.OPERATIONAL)]
    stage: Annotated[
        str,
        about(
            "intake, normalise, incidents, route, deliver: where replay re-enters.",
            Privacy.OPERATIONAL,
        ),
    ]
    code: Annotated[Code, about("Why.", Privacy.OPERATIONAL)]
    at: Annotated[str, about("JSON pointer.", Privacy.OPERATIONAL)] = ""
    detail: Annotated[str, about("For a person, without input text.", Privacy.OPERATIONAL)] = ""
    source: Annotated[str | None, about("Source instance.", Privacy.OPERATIONAL)] = None
    document_id: Annotated[str | None, about("Document, kept in `node`'s journal.", Privacy.OPERATIONAL)] = None
    report_id: Annotated[str | None, about("Report, once translated.", Privacy.OPERATIONAL)] = None
    delivery_id: Annotated[str | None, about("Delivery.", Privacy.OPERATIONAL)] = None
    node: Annotated[str | None, about("Intake node.", Privacy.OPERATIONAL)] = None
    topic: Annotated[str | None, about("Topic of the record.", Privacy.OPERATIONAL)] = None
    partition: Annotated[int | None, about("Its partition.", Privacy.OPERATIONAL, "ordinal")] = None
    offset: Annotated[int | None, about("Its offset.", Privacy.OPERATIONAL, "ordinal")] = None
    record: Annotated[
        bytes | None,
        about("The record's value (already sealed inside), base64.", Privacy.SENSITIVE),
    ] = None
    record_key: Annotated[bytes | None, about("The record's key, base64.", Privacy.OPERATIONAL)] = None
    record_headers: Annotated[
        tuple[tuple[str, bytes | None], ...],
        about("The record's headers, values in base64: a replay sends the same ids.", Privacy.OPERATIONAL),
    ] = ()
    peer: Annotated[str | None, about("Configured name of the system that sent it.", Privacy.OPERATIONAL)] = None
    set_aside_at: Annotated[datetime | None, about("When.", Privacy.OPERATIONAL)] = None


class Handling(StrEnum):
    """What a person, or a job that a person started, did with something set aside."""

    REPLAYING = "replaying"
    """It is about to re-enter at its stage: noted before, so that what comes back is never taken for settled."""
    REPLAYED = "replayed"
    """It re-entered under its own ids."""
    REFUSED = "refused"
    """It was tried again and refused again: it stays open."""
    CORRECTED = "corrected"
    """Another document took its place and names it; the original stays untouched."""
    DISCARDED = "discarded"
    """A person decided that it is nothing, and said why."""


class QuarantineHandled(Message):
    """An act on something set aside: durable, and the same for every machine.

    The other payload of `quarantine`, under the key of its item. Nothing leaves quarantine without one.
    """

    handling_id: Annotated[str, about("One act; its beginning and its end share it.", Privacy.OPERATIONAL)]
    item_id: Annotated[str, about("The item.", Privacy.OPERATIONAL)]
    handling: Annotated[Handling, about("What was done.", Privacy.OPERATIONAL)]
    actor: Annotated[str, about("Account that did it.", Privacy.OPERATIONAL)]
    reason: Annotated[
        str, about("Why, as the person said it.", Privacy.SENSITIVE, None, min_length=1, max_length=2_000)
    ]
    acted_at: Annotated[datetime, about("When.", Privacy.OPERATIONAL)]
    corrected_by: Annotated[str | None, about("Document that corrects it.", Privacy.OPERATIONAL)] = None
    code: Annotated[Code | None, about("Why it was refused again.", Privacy.OPERATIONAL)] = None
    job: Annotated[str | None, about("Job that did it.", Privacy.OPERATIONAL)] = None

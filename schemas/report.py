"""What one source told us once: the report (zgłoszenie). Immutable, never merged, never dropped.

Fields 1-16 of the legal CPR list (Interface Reg. § 4, CPR Reg. § 11) all have a place here; none but identity, time
and source is required, because a non-voice report may lack most (CPR Reg. § 14(3)).
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from schemas.finding import Finding
from schemas.model import Message, Privacy, about
from schemas.place import Place
from schemas.privacy import Sealed

WALL, RECORDS = "wall", "records"
"""What moves a territory's time: the clock on the wall, or, in fed history, the times that records tell."""


class Mode(StrEnum):
    """Whether it is meant.

    On a real installation only `test` stands beside `real`, and never meets it.
    """

    REAL = "real"
    TEST = "test"
    EXERCISE = "exercise"


class Urgency(StrEnum):
    """Reaction measure: pilne, zwykłe (Order 12 § 12(1)(1)(c))."""

    URGENT = "urgent"
    ORDINARY = "ordinary"


class Revision(StrEnum):
    """What this report does to earlier ones of its thread."""

    NEW = "new"
    UPDATE = "update"
    SUPPLEMENT = "supplement"
    """A later call about a known event (informacja uzupełniająca)."""
    CANCELLATION = "cancellation"
    """The far side takes it back; closes nothing by itself."""


class Reference(Message):
    """Another system's name for the same matter.

    `cpr_id`, `jed`, `swd_psp`, `alarm_account`, `vin`, `plate_token`, `incident`.
    """

    system: Annotated[str, about("Whose id it is.", Privacy.OPERATIONAL)]
    id: Annotated[str, about("The id there.", Privacy.OPERATIONAL)]


class Casualties(Message):
    """Injured or in sudden danger to life or health (CPR Reg. § 11(2)(4))."""

    injured: Annotated[
        int | None,
        about("Injured persons; None when unknown.", Privacy.OPERATIONAL, "persons", ge=0),
    ] = None
    in_danger: Annotated[
        int | None,
        about("Persons in sudden danger.", Privacy.OPERATIONAL, "persons", ge=0),
    ] = None
    dead: Annotated[int | None, about("Dead persons.", Privacy.OPERATIONAL, "persons", ge=0)] = None


class Person(Message):
    """A person concerned, in plain: exists only before sealing and after lawful opening."""

    role: Annotated[
        str,
        about(
            "caller, subscriber, victim, witness, suspect, other (DODO Act art. 19).",
            Privacy.PERSONAL,
        ),
    ] = "other"
    first_name: Annotated[str | None, about("First name.", Privacy.PERSONAL)] = None
    surname: Annotated[str | None, about("Surname.", Privacy.PERSONAL)] = None
    phone: Annotated[str | None, about("Telephone number as shown.", Privacy.PERSONAL)] = None
    pesel: Annotated[str | None, about("PESEL number.", Privacy.PERSONAL)] = None
    address: Annotated[
        str | None,
        about("Address of residence or stay, or of the subscriber.", Privacy.PERSONAL),
    ] = None
    location: Annotated[str | None, about("Where the person is.", Privacy.PERSONAL)] = None


class Persons(Message):
    """Persons concerned, in plain; sealed as one field."""

    persons: Annotated[tuple[Person, ...], about("All but caller and subscriber.", Privacy.PERSONAL)] = ()


class Telling(Message):
    """What the far side said about the matter, without persons: what a connector's `translate` gives."""

    revision: Annotated[
        Revision,
        about("What it does to earlier reports of its thread.", Privacy.OPERATIONAL),
    ] = Revision.NEW
    event_at: Annotated[
        datetime | None,
        about("When it happened, by the source; None when not told.", Privacy.OPERATIONAL),
    ] = None
    registered_at: Annotated[
        datetime | None,
        about("Field 2: registration at the source.", Privacy.OPERATIONAL),
    ] = None
    call_answered_at: Annotated[
        datetime | None,
        about("When the call was answered, if known.", Privacy.OPERATIONAL),
    ] = None
    taken_by: Annotated[str | None, about("Field 3: id of the person who took it.", Privacy.SENSITIVE)] = None
    channel: Annotated[
        str | None,
        about(
            "How it reached the source: phone, radio, visitor, app, ecall, panel, patrol...",
            Privacy.OPERATIONAL,
        ),
    ] = None
    caller_network: Annotated[
        Place | None,
        about("Field 4: where the phone is, not the event.", Privacy.SENSITIVE),
    ] = None
    place: Annotated[Place, about("Field 5: where the event is.", Privacy.OPERATIONAL)] = Place()
    category: Annotated[
        str | None,
        about("Field 6: the source's own code of the kind.", Privacy.OPERATIONAL),
    ] = None
    subcategory: Annotated[str | None, about("Field 6: second level.", Privacy.OPERATIONAL)] = None
    addressed_services: Annotated[tuple[str, ...], about("Field 7: entities it was sent to.", Privacy.OPERATIONAL)] = ()
    lead_service: Annotated[str | None, about("Służba wiodąca.", Privacy.OPERATIONAL)] = None
    description: Annotated[
        str | None,
        about("Field 8: free text.", Privacy.SENSITIVE, None, max_length=65_536),
    ] = None
    casualties: Annotated[Casualties | None, about("Field 8: casualties.", Privacy.OPERATIONAL)] = None
    accepted_at: Annotated[
        datetime | None,
        about("Field 10: accepted by a dispatcher of the service.", Privacy.OPERATIONAL),
    ] = None
    accepted_by: Annotated[str | None, about("Field 10: by whom.", Privacy.SENSITIVE)] = None
    operator_contact: Annotated[str | None, about("Field 11: the operator.", Privacy.SENSITIVE)] = None
    dispatcher_contact: Annotated[str | None, about("Field 11: the dispatcher.", Privacy.SENSITIVE)] = None
    agency: Annotated[
        str | None,
        about("Who of the far side told it, where one feed carries several services.", Privacy.OPERATIONAL),
    ] = None
    handling_status: Annotated[
        str | None,
        about("Field 12: status as the far side words it.", Privacy.OPERATIONAL),
    ] = None
    call_state: Annotated[
        str | None,
        about("Field 13: state of the telephone connection.", Privacy.OPERATIONAL),
    ] = None
    recording_id: Annotated[str | None, about("Field 14: the recording.", Privacy.OPERATIONAL)] = None
    nonvoice_id: Annotated[str | None, about("Field 14: SMS or eCall report.", Privacy.OPERATIONAL)] = None
    original_ref: Annotated[
        str | None,
        about("Field 15: where the original report is.", Privacy.OPERATIONAL),
    ] = None
    urgency: Annotated[Urgency | None, about("The source's own word on urgency.", Privacy.OPERATIONAL)] = None
    flags: Annotated[
        tuple[str, ...],
        about(
            "Marks of the source: ongoing, not-credible, dangerous, media, flag-kwp, ...",
            Privacy.OPERATIONAL,
        ),
    ] = ()
    references: Annotated[
        tuple[Reference, ...],
        about(
            "Other systems' ids of the matter; `cpr_id` is field 1.",
            Privacy.OPERATIONAL,
        ),
    ] = ()
    unit: Annotated[
        str | None,
        about("Responsible unit when the source fixes it (mapping, own desk).", Privacy.OPERATIONAL),
    ] = None
    clock: Annotated[str, about("Clock of the territory: wall, or records for fed history.", Privacy.OPERATIONAL)] = (
        WALL
    )
    via: Annotated[tuple[str, ...], about("Hubs it came through.", Privacy.OPERATIONAL)] = ()
    unknown: Annotated[
        dict[str, Any],
        about("Fields of the source that we do not know, kept.", Privacy.SENSITIVE),
    ] = {}


class DocumentRef(Message):
    """Where the untouched bytes are kept."""

    document_id: Annotated[str, about("Names the bytes.", Privacy.OPERATIONAL)]
    sha256: Annotated[str, about("Digest of the bytes, hexadecimal.", Privacy.OPERATIONAL)]
    node: Annotated[str, about("Intake node whose journal holds them.", Privacy.OPERATIONAL)]
    row: Annotated[int, about("Row of that journal.", Privacy.OPERATIONAL, "row", ge=0)]


class Report(Message):
    """One report with its identity: the payload of `intake.*`."""

    report_id: Annotated[
        str,
        about(
            "uuid5(secret, far system | far id | far revision or digest).",
            Privacy.OPERATIONAL,
        ),
    ]
    thread_id: Annotated[
        str,
        about(
            "uuid5(secret, far system | far id): the matter at the source.",
            Privacy.OPERATIONAL,
        ),
    ]
    far_system: Annotated[str, about("Configured name of the sending system.", Privacy.OPERATIONAL)]
    source: Annotated[str, about("Configured name of the source instance.", Privacy.OPERATIONAL)]
    far_id: Annotated[str | None, about("The far side's id of the matter.", Privacy.OPERATIONAL)] = None
    far_revision: Annotated[
        str | None,
        about(
            "The far side's revision, sortable by `revision_order`.",
            Privacy.OPERATIONAL,
        ),
    ] = None
    revision_order: Annotated[
        int,
        about(
            "Place of this revision in its thread.",
            Privacy.OPERATIONAL,
            "ordinal",
            ge=0,
        ),
    ] = 0
    mode: Annotated[Mode, about("Real, test or exercise.", Privacy.OPERATIONAL)] = Mode.REAL
    received_at: Annotated[datetime, about("When our journal held it.", Privacy.OPERATIONAL)]
    document: Annotated[DocumentRef, about("Hash and place of the document.", Privacy.OPERATIONAL)]
    corrects: Annotated[str | None, about("Document that this one corrects.", Privacy.OPERATIONAL)] = None
    told: Annotated[Telling, about("What was said.", Privacy.OPERATIONAL)]
    caller: Annotated[Sealed | None, about("Field 9: caller, a sealed Person.", Privacy.PERSONAL)] = None
    subscriber: Annotated[
        Sealed | None,
        about("Field 16: subscriber data, a sealed Person.", Privacy.PERSONAL),
    ] = None
    persons: Annotated[Sealed | None, about("Persons concerned, a sealed Persons.", Privacy.PERSONAL)] = None
    tokens: Annotated[
        tuple[str, ...],
        about("Keyed hashes of phone, PESEL, plate for correlation.", Privacy.SENSITIVE),
    ] = ()
    findings: Annotated[tuple[Finding, ...], about("Oddities.", Privacy.PUBLIC)] = ()


class ReportNormalised(Message):
    """A report with unit, point, category and urgency decided: what `territory.log` holds."""

    report: Annotated[Report, about("As it was told.", Privacy.OPERATIONAL)]
    unit: Annotated[str, about("Responsible unit: the territory.", Privacy.OPERATIONAL)]
    place: Annotated[
        Place,
        about(
            "The place with the best position found; equals the told one where nothing was added.",
            Privacy.OPERATIONAL,
        ),
    ]
    category: Annotated[
        str,
        about(
            "Code of the installation's catalogue; `unknown` when none fits.",
            Privacy.OPERATIONAL,
        ),
    ]
    cap_category: Annotated[
        str,
        about(
            "CAP 1.2 category: Geo, Met, Safety, Security, Rescue, Fire, Health, ...",
            Privacy.PUBLIC,
        ),
    ]
    urgency: Annotated[Urgency, about("Pilne or zwykłe.", Privacy.OPERATIONAL)]
    urgency_rule: Annotated[str, about("Name of the rule that decided.", Privacy.PUBLIC)]
    event_at: Annotated[
        datetime,
        about("Event time: the source's if plausible, else receipt.", Privacy.OPERATIONAL),
    ]
    findings: Annotated[
        tuple[Finding, ...],
        about("All of the report's and normalise's own.", Privacy.PUBLIC),
    ] = ()
    versions: Annotated[
        dict[str, str],
        about("Digest of each reference data set that decided.", Privacy.PUBLIC),
    ] = {}

"""A form (formatka) of an emergency call centre, in our JSON stand-in of the legal field list, into one telling.

Interface Reg. § 4 and CPR Reg. § 11 fix the fields (numbers beside them below); the wire format of the real interface
is not public. Pure and total.
"""

from collections.abc import Callable
from typing import Final

from connectors.contract import Document, Told, Translation
from connectors.cpr.settings import CprSettings
from connectors.kits.form import Form
from connectors.kits.json import read_object
from connectors.kits.local_time import zone
from connectors.kits.told_person import person
from connectors.kits.told_place import place
from schemas.errors import Code, Rejected
from schemas.finding import Finding
from schemas.place import Obtained, Place
from schemas.report import Casualties, Mode, Reference, Revision, Telling, Urgency

DESCRIPTION: Final = 60_000
"""Characters; a longer text stays whole in the document only."""
CANCELLED: Final = ("CANCELLED", "WITHDRAWN")


def translate_for(settings: CprSettings) -> Callable[[Document], Translation]:
    """The translation of this centre's forms."""
    return lambda document: translate(document, settings)


def translate(document: Document, settings: CprSettings) -> Translation:
    """What a form says. Rejected for what is no JSON object, and `field-missing` without `cpr_id` (field 1)."""
    findings: list[Finding] = []
    form = Form(read_object(document.body), findings)
    cpr_id = form.text("cpr_id", 200)
    if cpr_id is None:
        raise Rejected(Code.FIELD_MISSING, "a form needs its unique identifier", "/cpr_id")
    revision = form.count("revision", 1_000_000)
    told_mode = form.choice("mode", [mode.value for mode in Mode])
    caller, subscriber = (
        person(form.part("caller", personal=True), "caller"),
        person(form.part("subscriber", personal=True), "subscriber"),
    )
    persons = tuple(one for one in (person(part, "other") for part in form.parts("persons", personal=True)) if one)
    plates = form.texts("plates", personal=True)
    told = Told(
        _telling(form, cpr_id, revision, settings),
        far_id=cpr_id,
        far_revision=None if revision is None else str(revision),
        revision_order=revision or 0,
        mode=Mode(told_mode) if told_mode else None,
        caller=caller,
        subscriber=subscriber,
        persons=persons,
        plates=plates,
    )
    return Translation((told,), tuple(findings))


def _telling(form: Form, cpr_id: str, revision: int | None, settings: CprSettings) -> Telling:
    where = zone(settings.zone)
    status = form.text("handling_status")
    supplement = form.flag("supplement")
    urgency = form.choice("urgency", [one.value for one in Urgency])
    references = (Reference(system="cpr_id", id=cpr_id), *_references(form))
    return Telling(
        revision=_revision(status, revision, supplement=supplement),
        handling_status=status,  # 12
        urgency=Urgency(urgency) if urgency else None,
        references=references,
        unit=settings.unit or None,
        event_at=form.time("event_at", where),
        registered_at=form.time("registered_at", where),  # 2
        call_answered_at=form.time("call_answered_at", where),
        taken_by=form.text("taken_by"),  # 3
        channel=form.text("channel") or "112",
        caller_network=_network(form),  # 4
        place=place(form.part("place")),  # 5
        category=form.text("category"),  # 6
        subcategory=form.text("subcategory"),  # 6
        addressed_services=form.texts("addressed_services"),  # 7
        lead_service=form.text("lead_service"),
        description=form.text("description", DESCRIPTION),  # 8
        casualties=_casualties(form),  # 8
        accepted_at=form.time("accepted_at", where),  # 10
        accepted_by=form.text("accepted_by"),  # 10
        operator_contact=form.text("operator_contact"),  # 11
        dispatcher_contact=form.text("dispatcher_contact"),  # 11
        call_state=form.text("call_state"),  # 13
        recording_id=form.text("recording_id"),  # 14
        nonvoice_id=form.text("nonvoice_id"),  # 14
        original_ref=form.text("original_ref"),  # 15
        flags=form.texts("flags"),
        via=form.texts("via"),
        unknown=form.unknown(),
    )


def _revision(status: str | None, revision: int | None, *, supplement: bool) -> Revision:
    if status is not None and status.upper() in CANCELLED:
        return Revision.CANCELLATION
    if supplement:
        return Revision.SUPPLEMENT
    return Revision.UPDATE if revision is not None and revision > 1 else Revision.NEW


def _network(form: Form) -> Place | None:
    part = form.part("caller_network_location")
    return None if part is None else place(part, Obtained.CELL)


def _casualties(form: Form) -> Casualties | None:
    part = form.part("casualties")
    if part is None:
        return None
    return Casualties(injured=part.count("injured"), in_danger=part.count("in_danger"), dead=part.count("dead"))


def _references(form: Form) -> tuple[Reference, ...]:
    told = [(part.text("system", 100), part.text("id", 200)) for part in form.parts("references")]
    return tuple(Reference(system=system, id=name) for system, name in told if system and name)

"""What an officer types: telephone, radio, visitor, patrol; with or without a number of the call centre. Pure."""

from collections.abc import Callable

from connectors.contract import Document, Told, Translation
from connectors.desk.settings import DeskSettings
from connectors.kits.form import Form
from connectors.kits.json import read_object
from connectors.kits.local_time import zone
from connectors.kits.told_person import person
from connectors.kits.told_place import place
from schemas.errors import Code, Rejected
from schemas.finding import Finding
from schemas.place import Place
from schemas.report import Casualties, Mode, Reference, Telling, Urgency

CHANNELS = ("telephone", "radio", "visitor", "patrol", "service", "kwp")
"""Ways of reporting; the dictionary of SWD is not public."""
DESCRIPTION = 60_000


def translate_for(settings: DeskSettings) -> Callable[[Document], Translation]:
    """The translation of this desk's entries."""
    return lambda document: translate(document, settings)


def translate(document: Document, settings: DeskSettings) -> Translation:
    """What an entry says. `entry_id` (made by the form once) names it, so that sending twice is harmless.

    Rejected `field-missing` without it, for two calls in the same words are two reports; and when neither description
    nor category nor place was typed: nothing was said.
    """
    findings: list[Finding] = []
    form = Form(read_object(document.body), findings)
    entry_id = form.text("entry_id", 200)
    if entry_id is None:
        raise Rejected(Code.FIELD_MISSING, "an entry has an id, made once and sent again with it", "/entry_id")
    cpr_id, jed = form.text("cpr_id", 200), form.text("jed", 200)
    mode = form.choice("mode", [one.value for one in Mode])
    caller = person(form.part("caller", personal=True), "caller")
    plates = form.texts("plates", personal=True)
    telling = _telling(form, cpr_id, jed, settings)
    if not (telling.description or telling.category) and telling.place == Place():
        raise Rejected(Code.FIELD_MISSING, "an entry says at least what happened or where", "/description")
    told = Told(telling, far_id=entry_id, mode=Mode(mode) if mode else None, caller=caller, plates=plates)
    return Translation((told,), tuple(findings))


def _telling(form: Form, cpr_id: str | None, jed: str | None, settings: DeskSettings) -> Telling:
    where = zone(settings.zone)
    injured, urgency = form.count("injured"), form.choice("urgency", [one.value for one in Urgency])
    ids = (("cpr_id", cpr_id), ("jed", jed))
    # The form of the page is flat; a program may send the address as an object.
    nested = form.part("place")
    return Telling(
        event_at=form.time("event_at", where),
        registered_at=form.time("registered_at", where),
        taken_by=form.text("taken_by"),
        channel=form.choice("channel", CHANNELS),
        place=place(nested) if nested else place(form),
        category=form.text("category"),
        subcategory=form.text("subcategory"),
        description=form.text("description", DESCRIPTION),
        casualties=None if injured is None else Casualties(injured=injured),
        urgency=Urgency(urgency) if urgency else None,
        flags=form.texts("flags"),
        references=tuple(Reference(system=system, id=name) for system, name in ids if name),
        unit=settings.unit or None,
        unknown=form.unknown(),
    )

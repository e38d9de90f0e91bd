"""Complete messages of each kind, written for the tests of the schemas."""

from datetime import UTC, datetime

from schemas.model import Message
from schemas.place import Obtained, Place, Position
from schemas.privacy import seal
from schemas.report import (
    Casualties,
    DocumentRef,
    Mode,
    Person,
    Reference,
    Report,
    ReportNormalised,
    Telling,
    Urgency,
)

AT = datetime(2026, 2, 14, 18, 30, 5, tzinfo=UTC)
KEY = bytes(range(32))


def report(**changes: object) -> Report:
    """A CPR form with every field of the legal list filled in."""
    caller = Person(role="caller", first_name="Anna", surname="Przykładowa", phone="+48600100200")
    place = Place(
        position=Position(lat=51.7612, lon=18.0910, uncertainty_m=15, obtained=Obtained.TYPED),
        locality="Kalisz",
        street="Śródmiejska",
        building="12",
    )
    told = Telling(
        event_at=AT,
        registered_at=AT,
        taken_by="op-17",
        channel="phone",
        caller_network=Place(position=Position(lat=51.76, lon=18.09, uncertainty_m=900, obtained=Obtained.CELL)),
        place=place,
        category="2",
        subcategory="2.3",
        addressed_services=("police", "prm"),
        lead_service="police",
        description="Kolizja dwóch aut",
        casualties=Casualties(injured=1),
        accepted_at=AT,
        accepted_by="dyz-1",
        operator_contact="tel. 1",
        dispatcher_contact="tel. 2",
        handling_status="SUBMITTED",
        call_state="ended",
        recording_id="rec-1",
        nonvoice_id="sms-1",
        original_ref="cpr:1/original",
        urgency=Urgency.URGENT,
        references=(Reference(system="cpr_id", id="PL-1"),),
        unknown={"new_field": 1},
    )
    values: dict[str, object] = {
        "report_id": "r-1",
        "thread_id": "t-1",
        "far_system": "cpr-poznan",
        "source": "cpr",
        "far_id": "PL-1",
        "far_revision": "1",
        "mode": Mode.REAL,
        "received_at": AT,
        "document": DocumentRef(document_id="d-1", sha256="0" * 64, node="intake-1", row=1),
        "told": told,
        "caller": seal(KEY, "t-1", caller.to_json(), "r-1", "caller"),
    }
    return Report.model_validate(values | changes)


def normalised() -> ReportNormalised:
    """The same report, placed and categorised."""
    one = report()
    return ReportNormalised(
        report=one,
        unit="kmp-kalisz",
        place=one.told.place,
        category="traffic.collision",
        cap_category="Transport",
        urgency=Urgency.URGENT,
        urgency_rule="casualties",
        event_at=AT,
        versions={"catalogue": "abc"},
    )


def same_bytes(message: Message) -> bool:
    """Whether the message comes back from its bytes as it was, and gives the same bytes again."""
    again = type(message).model_validate_json(message.to_json())
    return again == message and again.to_json() == message.to_json()

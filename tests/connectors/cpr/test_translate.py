"""Forms of a call centre: every legal field arrives, oddities become findings, persons leave the telling."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Document, Told
from connectors.cpr.settings import CprSettings
from connectors.cpr.translate import translate_for
from schemas.errors import Code, Rejected
from schemas.finding import FindingCode
from schemas.place import Obtained
from schemas.report import Mode, Revision, Telling, Urgency

TRANSLATE = translate_for(CprSettings(name="cpr"))
FULL: dict[str, Any] = {
    "cpr_id": "PL-1",
    "revision": 1,
    "registered_at": "2026-02-14T19:30:05+01:00",
    "taken_by": "op-17",
    "caller_network_location": {"lat": 51.76, "lon": 18.09, "uncertainty_m": 900},
    "place": {
        "lat": 51.7612,
        "lon": 18.091,
        "uncertainty_m": 15,
        "locality": "Kalisz",
        "street": "Łódzka",
        "building": "2",
    },
    "category": "2",
    "subcategory": "2.1",
    "addressed_services": ["police", "prm"],
    "lead_service": "police",
    "description": "Potrącenie",
    "casualties": {"injured": 2},
    "caller": {"first_name": "Anna", "surname": "Zmyślona", "phone": "+48600100200", "pesel": "02070803628"},
    "subscriber": {"address": "Zmyślona 1"},
    "persons": [{"role": "victim", "surname": "Niebyły"}],
    "accepted_at": "2026-02-14T19:31:00+01:00",
    "accepted_by": "dyz-1",
    "operator_contact": "tel. 1",
    "dispatcher_contact": "tel. 2",
    "handling_status": "SUBMITTED",
    "call_state": "ended",
    "recording_id": "rec-1",
    "nonvoice_id": "sms-1",
    "original_ref": "cpr:1",
}


def told(**changes: Any) -> tuple[Told, Telling, dict[FindingCode, str]]:
    """The one event of a form with changes (None leaves a field out), and its findings."""
    form = {name: value for name, value in {**FULL, **changes}.items() if value is not None}
    translation = TRANSLATE(Document(orjson.dumps(form)))
    (event,) = translation.events
    assert isinstance(event.payload, Telling)
    return event, event.payload, {finding.code: finding.at for finding in translation.findings}


def test_every_field_of_the_legal_list_arrives() -> None:
    """Interface Reg. § 4, fields 1 to 16: nothing that the law lets pass is lost, and nothing is odd about it."""
    event, telling, findings = told()
    assert findings == {}
    assert (event.far_id, event.far_revision, event.revision_order) == ("PL-1", "1", 1)
    assert telling.registered_at == datetime(2026, 2, 14, 18, 30, 5, tzinfo=UTC)
    assert (telling.taken_by, telling.category, telling.subcategory) == ("op-17", "2", "2.1")
    assert telling.caller_network is not None
    assert telling.caller_network.position is not None
    assert telling.caller_network.position.obtained is Obtained.CELL
    assert telling.place.position is not None
    assert (telling.place.position.uncertainty_m, telling.place.street) == (15, "Łódzka")
    assert telling.addressed_services == ("police", "prm")
    assert telling.casualties is not None
    assert telling.casualties.injured == 2
    assert (telling.accepted_by, telling.operator_contact, telling.dispatcher_contact) == ("dyz-1", "tel. 1", "tel. 2")
    assert (telling.handling_status, telling.call_state) == ("SUBMITTED", "ended")
    assert (telling.recording_id, telling.nonvoice_id, telling.original_ref) == ("rec-1", "sms-1", "cpr:1")
    assert [(r.system, r.id) for r in telling.references] == [("cpr_id", "PL-1")]
    assert event.caller is not None
    assert event.subscriber is not None
    assert [person.role for person in event.persons] == ["victim"]


def test_persons_leave_the_telling() -> None:
    """No name, number or address of a person stands in what goes on unsealed."""
    _, telling, _ = told(caller={"surname": "Zmyślona", "unknown_inner": "600100200"}, persons="Jan Niebyły")
    text = telling.to_json().decode()
    assert "Zmyślona" not in text
    assert "600100200" not in text
    assert "Niebyły" not in text


def test_a_non_voice_form_needs_no_caller() -> None:
    """CPR Reg. § 14(3): caller, subscriber and network location are never required."""
    event, telling, findings = told(caller=None, subscriber=None, persons=None, caller_network_location=None)
    assert (event.caller, telling.caller_network, findings) == (None, None, {})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"revision": 2}, Revision.UPDATE),
        ({"revision": 2, "supplement": True}, Revision.SUPPLEMENT),
        ({"revision": 3, "handling_status": "CANCELLED"}, Revision.CANCELLATION),
        ({"revision": None}, Revision.NEW),
    ],
)
def test_what_a_form_does_to_earlier_ones(changes: dict[str, Any], expected: Revision) -> None:
    """Updates, supplements and cancellations are told apart."""
    assert told(**changes)[1].revision is expected


@pytest.mark.parametrize(
    ("changes", "code", "at"),
    [
        ({"place": {"lat": 18.091, "lon": 51.7612}}, FindingCode.COORDINATES_SWAPPED, "/place"),
        ({"place": {"lat": 40.7, "lon": -74.0}}, FindingCode.COORDINATES_OUTSIDE, "/place"),
        ({"place": {"lat": 0, "lon": 0}}, FindingCode.COORDINATES_INVALID, "/place"),
        ({"place": {"lat": 151.0, "lon": 18.0}}, FindingCode.COORDINATES_INVALID, "/place"),
        ({"place": {"lat": 51.7}}, FindingCode.COORDINATES_INVALID, "/place"),
        ({"place": "Kalisz, Łódzka 2"}, FindingCode.FIELD_UNREADABLE, "/place"),
        ({"registered_at": "2026-02-30T10:00:00+01:00"}, FindingCode.TIME_IMPLAUSIBLE, "/registered_at"),
        ({"registered_at": "2026-02-14T10:00:00"}, FindingCode.TIME_AMBIGUOUS, "/registered_at"),
        ({"registered_at": 17}, FindingCode.TIME_IMPLAUSIBLE, "/registered_at"),
        ({"casualties": {"injured": -1}}, FindingCode.FIELD_UNREADABLE, "/casualties/injured"),
        ({"casualties": {"injured": 1.5}}, FindingCode.FIELD_UNREADABLE, "/casualties/injured"),
        ({"urgency": "very"}, FindingCode.FIELD_UNREADABLE, "/urgency"),
        ({"new_field": {"a": 1}}, FindingCode.UNKNOWN_FIELD, "/new_field"),
        ({"place": {"locality": "Kalisz", "plus_code": "x"}}, FindingCode.UNKNOWN_FIELD, "/place/plus_code"),
        ({"caller": "Jan"}, FindingCode.FIELD_UNREADABLE, "/caller"),
        ({"mode": "drill"}, FindingCode.FIELD_UNREADABLE, "/mode"),
        ({"addressed_services": [1]}, FindingCode.FIELD_UNREADABLE, "/addressed_services"),
    ],
)
def test_an_odd_field_is_a_finding_and_spoils_nothing_else(changes: dict[str, Any], code: FindingCode, at: str) -> None:
    """The report goes on with everything else that it said."""
    _, telling, findings = told(**changes)
    assert findings[code] == at
    assert telling.description == "Potrącenie"


def test_unknown_fields_are_kept() -> None:
    """What a newer form tells is not thrown away."""
    assert told(new_field=1, place={"locality": "K", "plus": 2})[1].unknown == {"new_field": 1, "place": {"plus": 2}}


def test_swapped_coordinates_are_put_right() -> None:
    """The patrol goes to Kalisz, not to the Arabian Sea."""
    position = told(place={"lat": 18.091, "lon": 51.7612})[1].place.position
    assert position is not None
    assert (position.lat, position.lon) == (51.7612, 18.091)


def test_mode_and_urgency_are_taken() -> None:
    """An exercise says so, and the centre's word on urgency travels."""
    event, telling, _ = told(mode="test", urgency="urgent")
    assert (event.mode, telling.urgency) == (Mode.TEST, Urgency.URGENT)


@pytest.mark.parametrize(
    ("body", "code", "at"),
    [
        (b"", Code.EMPTY, ""),
        (b"[]", Code.FIELD_INVALID, ""),
        (b"{", Code.SYNTAX_INVALID, ""),
        (b'{"revision": 1}', Code.FIELD_MISSING, "/cpr_id"),
        (b'{"cpr_id": "1", "cpr_id": "2"}', Code.DUPLICATE_KEY, "/cpr_id"),
        (b'{"cpr_id": "1", "x": 1e400}', Code.NUMBER_INVALID, ""),
        (b'{"cpr_id": "\xff"}', Code.ENCODING_INVALID, ""),
    ],
)
def test_what_is_no_form_is_rejected(body: bytes, code: Code, at: str) -> None:
    """With a code and a place, for the sender and for the person who reads the quarantine."""
    with pytest.raises(Rejected) as caught:
        TRANSLATE(Document(body))
    assert (caught.value.code, caught.value.at) == (code, at)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(FULL)) | st.text(), JSON))
def test_any_object_is_translated_or_rejected(form: dict[str, Any]) -> None:
    """Total: whatever stands in the fields, nothing but `Rejected` comes out."""
    try:
        body = orjson.dumps(form)
    except TypeError:
        return
    try:
        events = len(TRANSLATE(Document(body)).events)
    except Rejected:
        events = 0
    assert events == (1 if str(form.get("cpr_id") or "").strip() else 0) or not isinstance(form.get("cpr_id"), str)


@given(st.binary())
def test_any_bytes_are_translated_or_rejected(body: bytes) -> None:
    """Also what was never JSON."""
    with pytest.raises(Rejected):
        TRANSLATE(Document(body))


def test_published_parser_tests_never_crash_it(shared: Path) -> None:
    """Every file of the JSON test suite: refused, or translated, never another exception."""
    for path in sorted((shared / "badinput/JSONTestSuite/test_parsing").glob("*.json")):
        with pytest.raises(Rejected):
            TRANSLATE(Document(path.read_bytes()))

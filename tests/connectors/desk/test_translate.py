"""Entries of the desk: what the officer types arrives, with or without a number of the call centre."""

from typing import Any

import orjson
import pytest

from connectors.contract import Document, Told
from connectors.desk import CONNECTOR
from connectors.desk.lab import DeskLab
from connectors.desk.settings import DeskSettings
from connectors.desk.translate import translate_for
from connectors.kits.form import MOST_FINDINGS
from schemas.errors import Code, Rejected
from schemas.finding import FindingCode
from schemas.report import Telling

TRANSLATE = translate_for(DeskSettings(name="desk"))


def told(**changes: Any) -> tuple[Told, Telling, list[FindingCode]]:
    """The event of a lab entry with changes."""
    translation = TRANSLATE(Document(DeskLab().entry(**changes)))
    (event,) = translation.events
    assert isinstance(event.payload, Telling)
    return event, event.payload, [finding.code for finding in translation.findings]


def test_a_typed_entry_arrives() -> None:
    """Place, kind, way of reporting and text; nothing is odd about what the page sends."""
    event, telling, findings = told()
    assert findings == []
    assert event.far_id == "lab-1"
    assert (telling.channel, telling.place.street, telling.place.locality) == ("telephone", "Polna", "Kalisz")


def test_the_number_of_the_call_centre_is_a_reference() -> None:
    """Equal `cpr_id` links without asking: the same event may come by telephone from above."""
    assert [(r.system, r.id) for r in told(cpr_id="PL-7")[1].references] == [("cpr_id", "PL-7")]


def test_a_number_typed_as_text_counts() -> None:
    """The page's form sends texts."""
    casualties = told(injured="3")[1].casualties
    assert casualties is not None
    assert casualties.injured == 3


def test_an_address_may_come_as_an_object() -> None:
    """Programs send what the call centre's form has."""
    assert told(place={"locality": "Opatówek", "lat": 51.74, "lon": 18.22})[1].place.locality == "Opatówek"


@pytest.mark.parametrize(("field", "value"), [("channel", "pigeon"), ("urgency", "very"), ("injured", "many")])
def test_an_odd_value_is_a_finding(field: str, value: str) -> None:
    """It is kept and shown, and the entry goes on."""
    _, telling, findings = told(**{field: value})
    assert findings == [FindingCode.FIELD_UNREADABLE]
    assert telling.unknown == {field: value}


def test_an_entry_that_says_nothing_is_rejected() -> None:
    """An empty form sent by mistake is answered, not dispatched."""
    with pytest.raises(Rejected) as caught:
        TRANSLATE(Document(orjson.dumps({"entry_id": "1"})))
    assert caught.value.code is Code.FIELD_MISSING


def test_it_is_declared() -> None:
    """The connector's declaration is complete."""
    assert (CONNECTOR.name, CONNECTOR.push, CONNECTOR.lane) == ("desk", True, "police")


@pytest.mark.parametrize(
    "where",
    [{"road": "DK25", "road_km": 12.4}, {"lat": 51.76, "lon": 18.09}, {"street": "Polna", "building": "3"}],
)
def test_a_place_alone_is_enough(where: dict[str, Any]) -> None:
    """Any way of saying where is something said."""
    (event,) = TRANSLATE(Document(orjson.dumps({"entry_id": "1", **where}))).events
    assert isinstance(event.payload, Telling)


def test_an_entry_without_an_id_is_rejected() -> None:
    """Two calls in the same words would be one report: the second must not vanish."""
    with pytest.raises(Rejected) as caught:
        TRANSLATE(Document(orjson.dumps({"description": "bójka", "locality": "Kalisz"})))
    assert (caught.value.code, caught.value.at) == (Code.FIELD_MISSING, "/entry_id")


def test_plates_of_a_malformed_list_stay_sealed_in_the_document() -> None:
    """A plate travels as a keyed hash only, also when something odd stands beside it."""
    event, telling, findings = told(plates=["PK 12345", 5])
    assert event.plates == ("PK 12345",)
    assert telling.unknown == {}
    assert findings == [FindingCode.FIELD_UNREADABLE]


def test_findings_have_an_end() -> None:
    """A form of ten thousand unknown fields must still fit into a report."""
    _, telling, findings = told(**{f"x{number}": number for number in range(10_000)})
    assert len(findings) == MOST_FINDINGS + 1
    assert len(telling.unknown) == 10_000

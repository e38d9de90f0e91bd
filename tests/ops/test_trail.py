"""The trail of an id: what belongs to it, and that nothing personal is shown."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from ops import trace_cli
from ops.aside.documents import hexed
from ops.trail import HANDLED, Family, Trail
from schemas.topics import DECISIONS, FACTS, INTAKE, QUARANTINE, RECEIPTS

SECRET = "Jan Kowalski"


def record(offset: int, value: dict[str, Any], **told: str) -> Any:
    """A record with these attributes."""
    headers = tuple((f"ce_{name}", text.encode()) for name, text in told.items())
    return SimpleNamespace(
        partition=0, offset=offset, timestamp=1_000 * offset, headers=headers, value=orjson.dumps(value)
    )


def world() -> list[tuple[str, Any]]:
    """A report with its fact, decision and receipts, beside another one of the same incident."""
    found: list[tuple[str, Any]] = []
    for n in (1, 2):
        change = {
            "kind": "ReportLinked",
            "report": {"report": {"told": {"description": SECRET}}},
            "reason": SECRET,
            "explanation": {"rule": "weights", "weight_bits": 9.5, "evidence": [{"feature": "distance"}]},
        }
        ids = {"factid": f"f{n}", "incidentid": "i1", "reportid": f"r{n}", "causeid": f"r{n}", "documentid": f"d{n}"}
        fact = {"fact_id": f"f{n}", "at": "t", "incident_id": "i1", "change": change}
        found.append((FACTS, record(20 + n, fact, id=f"f{n}", kind="ReportLinked", **ids)))
        decision = {"kind": "ReportLinked", "rules": ["crime"], "deliveries": {"a": f"x{n}", "b": f"y{n}"}}
        found.append((DECISIONS, record(30 + n, decision, factid=f"f{n}", reportid=f"r{n}")))
        for who in ("x", "y"):
            receipt = {"delivery_id": f"{who}{n}", "outcome": "delivered", "attempts": 1}
            found.append((RECEIPTS, record(40 + n, receipt, deliveryid=f"{who}{n}", factid=f"f{n}", kind="delivered")))
        intake = {"told": {"description": SECRET}}
        found.append((INTAKE[0], record(n, intake, id=f"r{n}", reportid=f"r{n}", documentid=f"d{n}", threadid="th")))
    aside = {"item_id": "q1", "stage": "deliver", "code": "recipient-refused", "record": SECRET}
    found.append((QUARANTINE, record(50, aside, deliveryid="y1", kind="deliver")))
    return found


def trail(sought: str, *, delivery: str | None = None) -> dict[str, Any]:
    """The trail of an id in that world."""
    one = Trail(sought)
    if delivery:
        one.only = delivery
        one.facts.add("f1")
    for topic, item in world():
        one.take(topic, item)
    told = one.told([])
    assert told is not None
    return told


@pytest.mark.parametrize("sought", ["r1", "d1", "f1"])
def test_a_report_is_followed_from_intake_to_receipts(sought: str) -> None:
    """By report, document or fact: its five records and its quarantine, and nothing of its neighbour."""
    told = trail(sought)
    topics = [one["topic"] for one in told["records"]]
    assert topics == [INTAKE[0], FACTS, DECISIONS, RECEIPTS, RECEIPTS, QUARANTINE]
    assert (told["reports"], told["incidents"]) == (["r1"], ["i1"])
    assert [one["delivery_id"] for one in told["deliveries"]] == ["x1", "y1"]
    assert told["links"][0]["rule"] == "weights"
    assert told["links"][0]["evidence"] == [{"feature": "distance"}]


def test_an_incident_has_all_its_reports() -> None:
    """By incident: both reports with everything of theirs."""
    told = trail("i1")
    assert (told["kind"], told["reports"]) == ("incident", ["r1", "r2"])
    assert len(told["records"]) == 11


def test_a_delivery_is_shown_without_its_sisters() -> None:
    """By delivery: its fact, and of that fact's deliveries only this one."""
    told = trail("y1", delivery="y1")
    assert told["kind"] == "delivery"
    assert [one["delivery_id"] for one in told["deliveries"]] == ["y1"]
    assert told["decisions"][0]["deliveries"] == {"b": "y1"}


@pytest.mark.parametrize("sought", ["r1", "i1", "d2", "y1"])
def test_no_text_of_a_report_is_shown(sought: str) -> None:
    """Neither descriptions, reasons nor the bytes set aside are in a trace, as an object or on the screen."""
    told = trail(sought, delivery="y1" if sought == "y1" else None)
    assert SECRET not in orjson.dumps(told).decode()


def test_a_trace_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    """The screen names link, rule, recipients and ends."""
    told = trail("r1")
    told["links"][0]["evidence"] = [{"feature": "distance", "value": "180 m", "weight_bits": 4.5}]
    for one in (*told["decisions"], *told["deliveries"]):
        one |= {"decided_at": "t", "receipted_at": "t", "recipient": "a"}
    trace_cli.show(told)
    said = capsys.readouterr().out
    assert "ReportLinked by weights (+9.5 bits: distance 180 m +4.5)" in said
    assert "to a, b by crime" in said
    assert "set aside at deliver: recipient-refused" in said


def test_nothing_known_is_nothing() -> None:
    """An id that no record names has no trail."""
    one = Trail("unheard-of")
    for topic, item in world():
        assert not one.take(topic, item)
    assert one.told([]) is None


def test_bytes_are_shown_in_rows() -> None:
    """Offset, hexadecimal and text; what does not print is a dot, so that nothing commands the terminal."""
    rows = hexed(b"abc\x1b[2J" + bytes(range(12)))
    assert rows[0].startswith("00000000  61 62 63 1b 5b 32 4a 00")
    assert rows[0].endswith("abc.[2J.........")
    assert rows[1].split()[0] == "00000010"
    assert hexed(b"") == []


def corrected() -> list[tuple[str, Any]]:
    """A broken document, its correction, and a correction of that one: what quarantine holds of them."""
    told = []
    for original, correction in (("d0", "d1"), ("d1", "d9")):
        act = {"item_id": f"q-{original}", "handling": "corrected", "actor": "anna", "acted_at": "t", "reason": SECRET}
        act |= {"corrected_by": correction}
        ids = {"id": f"h-{original}", "type": HANDLED, "documentid": original, "correctedby": correction}
        told.append((QUARANTINE, record(60, act, kind="corrected", **ids)))
    aside = {"item_id": "q-d0", "stage": "intake", "code": "syntax-invalid"}
    told.insert(0, (QUARANTINE, record(59, aside, id="q-d0", documentid="d0", kind="syntax-invalid")))
    return told


@pytest.mark.parametrize(("sought", "start"), [("d0", set()), ("d1", set()), ("d9", set()), ("q-d0", {"d0"})])
def test_a_correction_belongs_to_its_original(sought: str, start: set[str]) -> None:
    """By either, or by the item: the whole chain is meant; a stranger's documents are not."""
    family = Family(sought)
    for _, one in corrected():
        family.take(one)
    assert family.items == start
    assert family.of({sought, *family.items}) - {"q-d0"} == {"d0", "d1", "d9"}
    assert family.of({"d2"}) == {"d2"}


def test_the_trace_of_an_original_goes_on_with_its_correction() -> None:
    """What was set aside, who corrected it, and everything that became of the correction; never why."""
    one = Trail("d0", {"d1", "d9"}, documents={"d0", "d1", "d9"})
    for topic, item in (*world(), *corrected()):
        one.take(topic, item)
    told = one.told([])
    assert told is not None
    assert [act["corrected_by"] for act in told["handled"]] == ["d1", "d9"]
    assert [item["item_id"] for item in told["quarantine"]] == ["q1", "q-d0"]
    assert (told["reports"], len(told["deliveries"])) == (["r1"], 2)
    assert SECRET not in orjson.dumps(told).decode()
    alone = Trail("d0", documents={"d0"})
    for topic, item in (*world(), *corrected()):
        alone.take(topic, item)
    assert alone.receipts == []


def test_records_of_one_millisecond_stand_as_reports_pass_through() -> None:
    """What is quick is told in the order in which it happened, not in that of the topics' names."""
    one = Trail("r1")
    for topic, item in world():
        item.timestamp = 5
        one.take(topic, item)
    told = one.told([])
    assert told is not None
    assert list(dict.fromkeys(record["topic"] for record in told["records"]))[:4] == [
        INTAKE[0],
        FACTS,
        DECISIONS,
        RECEIPTS,
    ]

"""A trace as a page."""

from typing import Any

from ops.console.traced import way

FOUND: dict[str, Any] = {
    "id": "r-1",
    "kind": "report",
    "documents": [
        {
            "document_id": "d-1",
            "node": "intake-1",
            "row": 7,
            "source": "cpr",
            "state": "published",
            "received_at": "2026-11-26T06:00:00+00:00",
        }
    ],
    "records": [
        {
            "topic": "delivery.receipts",
            "partition": 0,
            "offset": 2,
            "at": "2026-11-26T06:00:00.179000+00:00",
            "id": "x",
            "kind": "delivered",
            "recipient": "<dispatch>",
        },
        {
            "topic": "incident.facts",
            "partition": 11,
            "offset": 8,
            "at": "2026-11-26T06:00:00.166000+00:00",
            "id": "f",
            "kind": "IncidentOpened",
            "unit": "kmp-kalisz",
        },
    ],
}


def test_each_step_has_a_line_in_the_order_of_time() -> None:
    """Journal, facts, receipt: with the post's own time to the millisecond, topic, partition and offset."""
    page = way(FOUND)
    told = [page.index(text) for text in ("07:00:00.000", "07:00:00.166", "07:00:00.179")]
    assert told == sorted(told)
    assert "incident.facts 11/8" in page
    assert "cpr: published" in page


def test_nothing_is_markup_that_came_from_outside() -> None:
    """Names are shown as they are."""
    assert "<dispatch>" not in way(FOUND)
    assert "&lt;dispatch&gt;" in way(FOUND)


def test_an_empty_or_cut_trace_is_shown_too() -> None:
    """What was cut is said."""
    assert "only the beginning" in way({"id": "i", "kind": "incident", "cut": True})

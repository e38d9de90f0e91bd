"""CloudEvents on Kafka: both modes in, binary out."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.command import Tick
from schemas.envelope import Envelope, attribute, attributes, legible, read
from schemas.errors import Code, Rejected
from schemas.wire import payload, type_name
from tests.schemas.samples import AT

MINIMAL = {"ce_specversion": "1.0", "ce_id": "1", "ce_type": "t", "ce_source": "/s"}


def headers(**changes: str | None) -> tuple[tuple[str, bytes], ...]:
    """The headers of a small event with some changed, or left out (None)."""
    merged = {**MINIMAL, **{f"ce_{name}": text for name, text in changes.items()}}
    return tuple((name, text.encode()) for name, text in merged.items() if text is not None)


def test_binary_mode_round_trip() -> None:
    """What was written is what is read."""
    event = Envelope("1", "t", "/s", b"{}", time="2026-01-01T00:00:00Z", subject="x", extensions={"reportid": "r"})
    assert read(event.headers(), b"{}") == event


def test_structured_mode_is_read() -> None:
    """A partner's structured event means the same as the binary one."""
    event = {"specversion": "1.0", "id": "1", "type": "t", "source": "/s", "data": {"a": 1}, "mode": "test"}
    got = read([("content-type", b"application/cloudevents+json; charset=utf-8")], orjson.dumps(event))
    assert (got.id, got.data, got.extensions) == ("1", b'{"a":1}', {"mode": "test"})


def test_structured_mode_with_bytes() -> None:
    """`data_base64` gives the bytes back."""
    event = {"specversion": "1.0", "id": "1", "type": "t", "source": "/s", "data_base64": "AAE="}
    assert read([("content-type", b"application/cloudevents+json")], orjson.dumps(event)).data == b"\x00\x01"


@pytest.mark.parametrize(
    ("given", "value", "at"),
    [
        (headers(specversion="0.3"), b"", "/specversion"),
        (headers(id=None), b"", "/id"),
        (headers(type=""), b"", "/type"),
        (headers(source=None), b"", "/source"),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]", "/datacontenttype"),
        ([("content-type", b"application/cloudevents+xml")], b"<a/>", "/datacontenttype"),
        ([("content-type", b"application/cloudevents+json")], b"[", ""),
        ([("content-type", b"application/cloudevents+json")], b"[]", ""),
        ([("ce_id", b"\xff")], b"", ""),
        ([("ce_id", None)], b"", ""),
        ([("content-type", None)], b"", ""),
        ([("content-type", b"application/cloudevents+json")], b'{"data_base64":"*"}', "/data_base64"),
    ],
)
def test_what_is_no_event_is_rejected(given: list[tuple[str, bytes | None]], value: bytes, at: str) -> None:
    """Each fault has its place."""
    with pytest.raises(Rejected) as caught:
        read(given, value)
    assert (caught.value.code, caught.value.at) == (Code.RECORD_INVALID, at)


@pytest.mark.parametrize("name", ["Upper", "with-dash", "id", "waytoolongforanattributename"])
def test_an_extension_has_a_lawful_name(name: str) -> None:
    """CloudEvents 1.0, section 3.1: lower-case letters and digits; ours at most twenty, none of the reserved."""
    with pytest.raises(ValueError, match="no name"):
        Envelope("1", "t", "/s", b"", extensions={name: "x"}).headers()


def test_one_attribute_can_be_read_alone() -> None:
    """Counting readers need not decode the rest."""
    assert attribute(headers(reportid="r"), "reportid") == "r"
    assert attribute(headers(), "reportid") is None


@pytest.mark.parametrize("raw", [b"\xff", None])
def test_a_header_that_is_no_text_is_rejected_where_it_is_asked_for(raw: bytes | None) -> None:
    """Null and other bytes than UTF-8 are lawful in Kafka, and in no attribute of a CloudEvent."""
    given = (*headers(), ("ce_reportid", raw))
    for asked in (attributes, lambda one: attribute(one, "reportid"), lambda one: read(one, b"")):
        with pytest.raises(Rejected) as caught:
            asked(given)
        assert caught.value.code is Code.RECORD_INVALID
    assert (attribute(given, "id"), legible(given, "id"), legible(given, "reportid")) == ("1", "1", None)


def test_foreign_headers_are_not_looked_at() -> None:
    """Tracers and bridges put bytes of their own beside ours."""
    given = (*headers(reportid="r"), ("x-trace", b"\xff"), ("x-none", None))
    assert attributes(given)["reportid"] == "r"
    assert read(given, b"") == read(headers(reportid="r"), b"")


@dataclass(frozen=True)
class Scenario:
    """One scenario of the conformance file with one row of its examples: what comes, and what it must mean."""

    headers: dict[str, str]
    payload: bytes
    attributes: dict[str, str]
    data: Any


def _scenarios(text: str) -> list[Scenario]:
    """Each scenario of the conformance file, an outline once for each row of its examples."""
    found = []
    for block in re.split(r"\n\s*Scenario", text)[1:]:
        body, _, examples = block.partition("Examples:")
        names, *rows = [_cells(line) for line in examples.splitlines() if "|" in line] or [[], []]
        for row in rows:
            filled = body
            for name, cell in zip(names, row, strict=True):
                filled = filled.replace(f"<{name}>", cell)
            payload, data = re.findall(r'"""\n(.*?)"""', filled, re.DOTALL)
            headers, attributes = re.findall(r"(?:Kafka headers|attributes are):\n((?:\s*\|[^\n]*\n)+)", filled)
            found.append(Scenario(_table(headers), payload.encode(), _table(attributes), json.loads(data)))
    return found


def _table(text: str) -> dict[str, str]:
    """A table of two columns, without its head."""
    rows = [_cells(line) for line in text.splitlines() if "|" in line]
    return {name: told for name, told in rows if name != "key"}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_published_conformance_scenarios(shared: Path) -> None:
    """Each scenario of the CloudEvents conformance suite for the Kafka binding holds: its attributes and its data."""
    feature = (shared / "corpora/cloudevents/conformance-kafka-protocol-binding.feature").read_text("utf-8")
    scenarios = _scenarios(feature)
    assert [one.headers["content-type"] for one in scenarios] == [
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents+json; charset=utf-8",
    ]
    for one in scenarios:
        event = read([(name, text.encode()) for name, text in one.headers.items()], one.payload)
        assert event.data is not None
        assert json.loads(event.data) == one.data
        told = {name: getattr(event, name) for name in one.attributes if name != "specversion"}
        assert {"specversion": "1.0", **told} == one.attributes
        assert read(event.headers(), event.data) == event
    binary = scenarios[0]
    event = read([(name, text.encode()) for name, text in binary.headers.items()], binary.payload)
    assert {name: text.decode() for name, text in event.headers()} == binary.headers
    assert event.data == binary.payload


@pytest.mark.parametrize("name", ["id", "type", "source"])
def test_an_event_without_a_required_attribute_is_not_written(name: str) -> None:
    """CloudEvents 1.0, section 3.1.1: these are non-empty; a mistake shows where it is made, not at the reader."""
    empty: Any = {name: ""}
    with pytest.raises(ValueError, match="not empty"):
        replace(Envelope("1", "t", "/s", b""), **empty).headers()


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": None}, "/id"),
        ({"type": ""}, "/type"),
        ({"source": ""}, "/source"),
    ],
)
def test_a_payload_is_taken_from_an_event_only(change: dict[str, str | None], at: str) -> None:
    """The type alone makes no CloudEvent: a record of another version, or of nobody, is rejected."""
    tick = Tick(at=AT)
    whole = {"type": type_name(Tick)}
    assert payload(headers(**whole), tick.to_json()) == tick
    with pytest.raises(Rejected) as caught:
        payload(headers(**{**whole, **change}), tick.to_json())
    assert (caught.value.code, caught.value.at) == (Code.RECORD_INVALID, at)

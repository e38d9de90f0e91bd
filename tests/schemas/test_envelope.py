"""CloudEvents on Kafka: both modes in, binary out."""

import re
from pathlib import Path

import orjson
import pytest

from schemas.envelope import Envelope, attribute, attributes, legible, read
from schemas.errors import Code, Rejected

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


def _scenarios(text: str) -> list[tuple[dict[str, str], bytes, dict[str, str]]]:
    """(Kafka headers, payload, expected attributes) of each scenario of the conformance file, examples filled in."""
    found = []
    for block in re.split(r"\n\s*Scenario", text)[1:]:
        example = re.search(r"Examples:.*?\n\s*\|[^\n]*\|\n\s*\|\s*([^|]+?)\s*\|", block, re.DOTALL)
        filled = block.replace("<contentType>", example.group(1) if example else "")
        body = re.search(r'"""\n(.*?)"""', filled, re.DOTALL)
        tables = [
            dict(re.findall(r"\|\s*([^|\s]+)\s*\|\s*([^|\n]*?)\s*\|", part))
            for part in re.findall(r"(?:Kafka headers|attributes are):\n((?:\s*\|[^\n]*\n)+)", filled)
        ]
        if body and len(tables) == 2:
            found.append((tables[0], body.group(1).encode(), tables[1]))
    return found


def test_published_conformance_scenarios(shared: Path) -> None:
    """The scenarios of the CloudEvents conformance suite for the Kafka binding hold."""
    feature = (shared / "corpora/cloudevents/conformance-kafka-protocol-binding.feature").read_text("utf-8")
    scenarios = _scenarios(feature)
    assert len(scenarios) >= 2
    for given, body, expected in scenarios:
        event = read([(k, v.encode()) for k, v in given.items() if k != "key"], body)
        for name, text in expected.items():
            if name not in ("key", "specversion"):
                assert getattr(event, name, None) == text, name

"""CloudEvents 1.0, Kafka protocol binding, both ways.

We write binary mode: the record's value is the payload, its headers carry the attributes with the prefix `ce_`. We
read binary
and structured mode (content type `application/cloudevents+json`). Source: CloudEvents Kafka Protocol Binding 1.0.2,
sections 3.2 and 3.3.

Extensions that we use: `mode`, `schemaversion`, `traceparent`, and ids that let a reader count without opening the
payload:
`documentid`, `reportid`, `threadid`, `incidentid`, `factid`, `causeid`, `deliveryid`, `unit`, `kind`, `recipient`,
`firstappended`.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import orjson

from schemas.errors import Code, Rejected

SPEC_VERSION = "1.0"
JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_NAME = re.compile(r"[a-z0-9]{1,20}")
_REQUIRED = ("id", "type", "source")
_RESERVED = (
    "specversion",
    "id",
    "type",
    "source",
    "subject",
    "time",
    "dataschema",
    "datacontenttype",
)

Headers = tuple[tuple[str, bytes], ...]
"""Headers as they are written."""
Received = Iterable[tuple[str, bytes | None]]
"""Headers as a client hands them over: in Kafka a header's value may be null, and any bytes."""


@lru_cache(maxsize=256)
def _is_extension(name: str) -> bool:
    """Whether an extension may be called so; asked for each header of each record, and always of the same few names."""
    return _NAME.fullmatch(name) is not None and name not in _RESERVED


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event. `time` is RFC 3339 text, `data` the payload's bytes, `extensions` further attributes by name."""

    id: str
    type: str
    source: str
    data: bytes | None
    time: str | None = None
    subject: str | None = None
    dataschema: str | None = None
    datacontenttype: str | None = JSON
    extensions: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> Headers:
        """The record headers of binary mode, in a fixed order. ValueError for what would be no CloudEvent."""
        if not (self.id and self.type and self.source):
            raise ValueError("id, type and source of a CloudEvent are not empty")
        pairs: list[tuple[str, bytes]] = [
            ("ce_specversion", b"1.0"),
            ("ce_id", self.id.encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
        ]
        if self.datacontenttype is not None:
            pairs.append(("content-type", self.datacontenttype.encode()))
        for name, value in (
            ("time", self.time),
            ("subject", self.subject),
            ("dataschema", self.dataschema),
        ):
            if value is not None:
                pairs.append((f"ce_{name}", value.encode()))
        for name, value in self.extensions.items():
            if not _is_extension(name):
                msg = f"{name!r} is no name of a CloudEvents extension"
                raise ValueError(msg)
            pairs.append((f"ce_{name}", value.encode()))
        return tuple(pairs)


def read(headers: Received, value: bytes | None) -> Envelope:
    """The event of one Kafka record. Rejected(`record-invalid`) when it is no CloudEvent 1.0.

    Headers that are no business of CloudEvents are not looked at.
    """
    lowered = [(name.lower(), raw) for name, raw in headers]
    content_type = next((text(raw) for name, raw in lowered if name == "content-type"), None)
    if content_type is not None and content_type.startswith("application/cloudevents"):
        return _structured(content_type, value)
    return _checked(attributes(lowered), content_type, value)


def text(raw: bytes | None) -> str:
    """The text of a header's value. Rejected(`record-invalid`) for null and for what is not UTF-8.

    Every header that a record came with is decoded here, so that none of them can be another error.
    """
    if raw is None:
        raise Rejected(Code.RECORD_INVALID, "a header is null")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Rejected(Code.RECORD_INVALID, "a header is not UTF-8") from None


def attributes(headers: Received) -> dict[str, str]:
    """Attributes and extensions of a binary-mode record by name. Rejected(`record-invalid`) when one is no text."""
    return {name[3:]: text(raw) for name, raw in headers if name.startswith("ce_")}


def attribute(headers: Received, name: str) -> str | None:
    """One attribute or extension of a binary-mode record, without reading the rest; None when it is not there.

    Rejected(`record-invalid`) when it is there and no text.
    """
    wanted = f"ce_{name}"
    return next((text(raw) for key, raw in headers if key == wanted), None)


def legible(headers: Received, name: str) -> str | None:
    """As `attribute`, with None for what is no text: for whoever sets a record aside or shows it as far as it goes."""
    try:
        return attribute(headers, name)
    except Rejected:
        return None


def required(told: Mapping[str, str]) -> None:
    """Rejected(`record-invalid`) unless these are attributes of a CloudEvent 1.0: version, id, type and source."""
    if told.get("specversion") != SPEC_VERSION:
        raise Rejected(Code.RECORD_INVALID, "not a CloudEvent of version 1.0", "/specversion")
    for name in _REQUIRED:
        if not told.get(name):
            raise Rejected(
                Code.RECORD_INVALID,
                "a required CloudEvents attribute is missing",
                f"/{name}",
            )


def _checked(told: dict[str, str], content_type: str | None, data: bytes | None) -> Envelope:
    required(told)
    return Envelope(
        id=told["id"],
        type=told["type"],
        source=told["source"],
        data=data,
        time=told.get("time"),
        subject=told.get("subject"),
        dataschema=told.get("dataschema"),
        datacontenttype=content_type,
        extensions={name: text for name, text in told.items() if name not in _RESERVED},
    )


def _structured(content_type: str, value: bytes | None) -> Envelope:
    if content_type.startswith(BATCH):
        raise Rejected(
            Code.RECORD_INVALID,
            "the Kafka binding has no batch mode",
            "/datacontenttype",
        )
    if not content_type.startswith(STRUCTURED):
        raise Rejected(
            Code.RECORD_INVALID,
            "only the JSON event format is read",
            "/datacontenttype",
        )
    try:
        event = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        raise Rejected(Code.RECORD_INVALID, "the structured event is not JSON") from None
    if not isinstance(event, dict):
        raise Rejected(Code.RECORD_INVALID, "the structured event is not an object")
    data = _structured_data(event)
    kind = event.pop("datacontenttype", JSON)
    told = {name: item if isinstance(item, str) else orjson.dumps(item).decode() for name, item in event.items()}
    return _checked(told, kind if isinstance(kind, str) else JSON, data)


def _structured_data(event: dict[str, object]) -> bytes | None:
    encoded = event.pop("data_base64", None)
    if isinstance(encoded, str):
        try:
            return base64.b64decode(encoded, validate=True)
        except ValueError:
            raise Rejected(Code.RECORD_INVALID, "not base64", "/data_base64") from None
    if "data" not in event:
        return None
    data = event.pop("data")
    kind = event.get("datacontenttype")
    if isinstance(data, str) and isinstance(kind, str) and not kind.endswith("json"):
        return data.encode()
    return orjson.dumps(data)

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
        """The record headers of binary mode, in a fixed order."""
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


def read(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope:
    """The event of one Kafka record. Rejected(`record-invalid`) when it is no CloudEvent 1.0."""
    try:
        found = {name.lower(): raw.decode() for name, raw in headers}
    except UnicodeDecodeError:
        raise Rejected(Code.RECORD_INVALID, "a header is not UTF-8") from None
    content_type = found.get("content-type")
    if content_type is not None and content_type.startswith("application/cloudevents"):
        return _structured(content_type, value)
    attributes = {name[3:]: text for name, text in found.items() if name.startswith("ce_")}
    return _checked(attributes, content_type, value)


def attribute(headers: Iterable[tuple[str, bytes]], name: str) -> str | None:
    """One attribute or extension of a binary-mode record, without reading the rest; None when it is not there."""
    wanted = f"ce_{name}"
    return next((raw.decode() for key, raw in headers if key == wanted), None)


def _checked(attributes: dict[str, str], content_type: str | None, data: bytes | None) -> Envelope:
    if attributes.get("specversion") != SPEC_VERSION:
        raise Rejected(Code.RECORD_INVALID, "not a CloudEvent of version 1.0", "/specversion")
    for name in ("id", "type", "source"):
        if not attributes.get(name):
            raise Rejected(
                Code.RECORD_INVALID,
                "a required CloudEvents attribute is missing",
                f"/{name}",
            )
    return Envelope(
        id=attributes["id"],
        type=attributes["type"],
        source=attributes["source"],
        data=data,
        time=attributes.get("time"),
        subject=attributes.get("subject"),
        dataschema=attributes.get("dataschema"),
        datacontenttype=content_type,
        extensions={name: text for name, text in attributes.items() if name not in _RESERVED},
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
    attributes = {name: item if isinstance(item, str) else orjson.dumps(item).decode() for name, item in event.items()}
    return _checked(attributes, kind if isinstance(kind, str) else JSON, data)


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

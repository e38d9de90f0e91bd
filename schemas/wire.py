"""Every payload that travels, by its CloudEvents type, and how it is put on and taken off a topic."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Final, TypeVar

from pydantic import ValidationError

from schemas.audit import Audited
from schemas.command import Command, ReferenceActivated, Tick
from schemas.delivery import Delivery, DeliveryReceipted, Quarantined, QuarantineHandled, RoutingDecided
from schemas.envelope import Envelope, Headers, Received, attributes, required
from schemas.errors import Code, Rejected
from schemas.feed import Alarm, FeedStatus, Figure
from schemas.incident import Fact, IncidentSummary
from schemas.ledger import LedgerTold, ReconcilerActed
from schemas.model import Message
from schemas.notice import Notice, NoticeChanged, SnapshotTaken
from schemas.privacy import WrappedKey
from schemas.report import Report, ReportNormalised
from schemas.unit import Observation, Unit

M = TypeVar("M", bound=Message)

PREFIX: Final = "pl.sztab."
SCHEMA_VERSION: Final = 1
PAYLOADS: Final[tuple[type[Message], ...]] = (
    Report,
    ReportNormalised,
    SnapshotTaken,
    Notice,
    NoticeChanged,
    Command,
    Tick,
    ReferenceActivated,
    Observation,
    Unit,
    Fact,
    IncidentSummary,
    RoutingDecided,
    Delivery,
    DeliveryReceipted,
    Quarantined,
    QuarantineHandled,
    FeedStatus,
    Alarm,
    Figure,
    Audited,
    ReconcilerActed,
    LedgerTold,
    WrappedKey,
)
_BY_TYPE: Final = {f"{PREFIX}{model.__name__}.v{SCHEMA_VERSION}": model for model in PAYLOADS}
_IDS: Final = uuid.UUID("6f3c2f0e-94a3-5a0c-9d0b-0a6a5b7f5e11")
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def derived_id(*parts: str | int) -> str:
    """An id from what caused it: same parts, same id, in every process and replay."""
    name = _IDS.bytes + "|".join(map(str, parts)).encode()
    told = hashlib.sha1(name, usedforsecurity=False).hexdigest()
    # As `uuid.uuid5` gives it (RFC 9562, 5.5), without its objects: every record has several such ids.
    return f"{told[:8]}-{told[8:12]}-5{told[13:16]}-{_VARIANT[told[16]]}{told[17:20]}-{told[20:32]}"


def secret_id(secret: bytes, *parts: str) -> str:
    """An id that only this installation can compute: uuid of an HMAC-like digest over the parts."""
    namespace = uuid.UUID(bytes=hashlib.blake2b(b"sztab-ids", key=secret[:64], digest_size=16).digest())
    return str(uuid.uuid5(namespace, "|".join(f"{len(part)}:{part}" for part in parts)))


def type_name(model: type[Message]) -> str:
    """The CloudEvents type of a payload: `pl.sztab.Report.v1`."""
    return f"{PREFIX}{model.__name__}.v{SCHEMA_VERSION}"


def record(
    payload: Message,
    *,
    id: str,
    source: str,
    time: str | None = None,
    subject: str | None = None,
    extensions: Mapping[str, str] | None = None,
) -> tuple[bytes, Headers]:
    """Value and headers of a record that carries the payload. `source` names our part: `/sztab/<node>/<part>`."""
    envelope = Envelope(
        id=id,
        type=type_name(type(payload)),
        source=source,
        data=None,
        time=time,
        subject=subject,
        extensions={"schemaversion": str(SCHEMA_VERSION), **(extensions or {})},
    )
    return payload.to_json(), envelope.headers()


def payload(headers: Received, value: bytes | None) -> Message:
    """The payload of a record of ours.

    Rejected(`record-invalid`) for what is no CloudEvent 1.0 in binary mode, for another type and for a value that does
    not fit; names no input text.
    """
    told = attributes(headers)
    required(told)
    model = _BY_TYPE.get(told["type"])
    if model is None:
        raise Rejected(Code.RECORD_INVALID, "a record of unknown type", "/type")
    return parse(model, value)


def parse(model: type[M], value: bytes | None) -> M:
    """The payload of a known type. Rejected(`record-invalid`) with a pointer to the first wrong field."""
    try:
        return model.model_validate_json(value or b"")
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        pointer = "/" + "/".join(str(part) for part in first["loc"])
        raise Rejected(
            Code.RECORD_INVALID,
            f"{model.__name__} does not fit: {first['type']}",
            pointer,
        ) from None

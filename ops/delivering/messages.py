"""The records that end a delivery: receipt, audit, quarantine, alarm. Pure; topic names are logical."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from ops.alarms import alarm_output
from ops.delivering.memory import Place, audit_id
from schemas.audit import Act, Audited
from schemas.delivery import Delivery, DeliveryReceipted, Outcome, Quarantined
from schemas.envelope import Received, attribute
from schemas.errors import SztabError
from schemas.feed import AlarmClass
from schemas.topics import AUDIT, QUARANTINE, RECEIPTS, outbox
from schemas.wire import derived_id, record
from streams.contract import Output

STUCK, STOPPED, SET_ASIDE = "delivery-stuck", "delivery-stopped", "quarantine"
"""Kinds of our alarms: nobody takes it for a minute; the sink stopped; a delivery was set aside."""
TRAVELLING: Final = ("traceparent",)
"""Extensions of the outbox record that its receipt passes on."""


def receipted(
    delivery: Delivery,
    outcome: Outcome,
    place: Place,
    at: datetime,
    attempts: int,
    error: SztabError | None = None,
    far_reference: str | None = None,
    passed_on: Mapping[str, str] | None = None,
    source: str = "/sztab/deliver",
) -> Output:
    """The receipt. Its headers alone tell the ledger and the memory what they need."""
    told = DeliveryReceipted(
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        subject_id=delivery.subject_id,
        sequence=delivery.sequence,
        outcome=outcome,
        code=error.code if error else None,
        attempts=attempts,
        receipted_at=at,
        far_reference=far_reference,
    )
    lane, partition, offset = place
    extensions = {
        "deliveryid": delivery.delivery_id,
        "recipient": delivery.recipient,
        "kind": outcome.value,
        "sequence": str(delivery.sequence),
        "factid": delivery.fact_id,
        "mode": delivery.mode.value,
        "lane": lane,
        "place": f"{partition}-{offset}",
        **(passed_on or {}),
    }
    value, headers = record(
        told,
        id=derived_id("receipt", delivery.delivery_id, outcome.value),
        source=source,
        time=at.isoformat(),
        subject=delivery.subject_id,
        extensions=extensions,
    )
    return Output(RECEIPTS, delivery.delivery_id.encode(), value, headers)


def audited(delivery: Delivery, at: datetime, source: str = "/sztab/deliver") -> Output:
    """The one audit record of a delivery: what was disclosed to whom, names of fields only (DODO Act art. 36)."""
    told = Audited(
        audit_id=audit_id(delivery.delivery_id),
        act=Act.DISCLOSURE,
        actor=f"deliver:{delivery.recipient}",
        purpose=f"routing rule {delivery.rule}",
        at=at,
        recipient=delivery.recipient,
        subject_id=delivery.subject_id,
        report_ids=delivery.report_ids,
        fields=tuple(sorted(set(field_names(delivery.body)))),
        profile=delivery.profile,
        rules_version=delivery.rules_version,
        delivery_id=delivery.delivery_id,
    )
    value, headers = record(
        told,
        id=told.audit_id,
        source=source,
        time=at.isoformat(),
        subject=delivery.subject_id,
        extensions={
            "deliveryid": delivery.delivery_id,
            "recipient": delivery.recipient,
            "kind": told.act.value,
            "mode": delivery.mode.value,
        },
    )
    return Output(AUDIT, told.actor.encode(), value, headers)


def field_names(body: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Names of all values in a body, with dots; a list counts by its items' names."""
    for name, value in body.items():
        path = f"{above}{name}"
        inner = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict)]
        if not inner:
            yield path
        for item in inner:
            yield from field_names(item, f"{path}.")


def set_aside(
    recipient: str,
    place: Place,
    value: bytes | None,
    error: SztabError,
    at: datetime,
    delivery_id: str | None,
    report_id: str | None = None,
    source: str = "/sztab/deliver",
) -> Output:
    """The quarantine record of a delivery, or of an outbox record that is none (`delivery_id` None)."""
    lane, partition, offset = place
    topic = outbox(recipient, lane)
    item_id = derived_id("quarantine", "deliver", delivery_id or f"{topic}/{partition}/{offset}")
    told = Quarantined(
        item_id=item_id,
        stage="deliver",
        code=error.code,
        at=error.at,
        detail=error.detail,
        report_id=report_id,
        delivery_id=delivery_id,
        topic=topic,
        partition=partition,
        offset=offset,
        record=value,
        set_aside_at=at,
    )
    ids = {"deliveryid": delivery_id, "reportid": report_id, "recipient": recipient, "kind": "deliver"}
    bytes_, headers = record(
        told,
        id=item_id,
        source=source,
        time=at.isoformat(),
        extensions={name: one for name, one in ids.items() if one},
    )
    return Output(QUARANTINE, (delivery_id or item_id).encode(), bytes_, headers)


def alarm(
    kind: str,
    recipient: str,
    at: datetime,
    detail: str,
    *,
    active: bool,
    raised_at: datetime | None = None,
    loud: AlarmClass = AlarmClass.URGENT,
    source: str = "/sztab/deliver",
) -> Output:
    """The state of one of our alarms; the same alarm id for the same kind and recipient."""
    return alarm_output(
        kind,
        recipient,
        at,
        detail,
        active=active,
        raised_at=raised_at or at,
        loud=loud,
        source=source,
        extensions={"recipient": recipient},
    )


def travelling(headers: Received) -> dict[str, str]:
    """Those extensions of the outbox record that its receipt carries on. Rejected when one is no text."""
    return {name: told for name in TRAVELLING if (told := attribute(headers, name)) is not None}

"""The records of what people do in quarantine: the act itself, and its line in the audit log. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ops.aside.shelf import Item
from schemas.audit import Act, Audited
from schemas.delivery import Handling, QuarantineHandled
from schemas.errors import Code
from schemas.topics import AUDIT, QUARANTINE
from schemas.wire import derived_id, record
from streams.contract import Output

SOURCE: Final = "/sztab/quarantine"


def handled(
    item: Item,
    handling: Handling,
    handling_id: str,
    actor: str,
    reason: str,
    at: datetime,
    *,
    corrected_by: str | None = None,
    code: Code | None = None,
    job: str | None = None,
) -> Output:
    """The durable record of an act: on the item's own key, so that it stands behind what it is about."""
    told = QuarantineHandled(
        handling_id=handling_id,
        item_id=item.item_id,
        handling=handling,
        actor=actor,
        reason=reason,
        acted_at=at,
        corrected_by=corrected_by,
        code=code,
        job=job,
    )
    ids: Mapping[str, str | None] = {
        "documentid": item.told.get("document_id"),
        "reportid": item.told.get("report_id"),
        "deliveryid": item.told.get("delivery_id"),
        "correctedby": corrected_by,
        "traceparent": item.trace,
    }
    value, headers = record(
        told,
        id=derived_id("handled", handling_id, handling.value),
        source=SOURCE,
        time=at.isoformat(),
        subject=item.item_id,
        extensions={"kind": handling.value, **{name: one for name, one in ids.items() if one}},
    )
    return Output(QUARANTINE, item.key, value, headers)


def audited(item: Item, act: Act, actor: str, purpose: str, at: datetime, fields: tuple[str, ...]) -> Output:
    """Who did it and why, in the audit log (DODO Act art. 36, KRI § 20): references, never content."""
    told = Audited(
        audit_id=derived_id(act.value, actor, item.item_id, at.isoformat()),
        act=act,
        actor=actor,
        purpose=purpose,
        at=at,
        report_ids=(report,) if (report := item.told.get("report_id")) else (),
        fields=fields,
        delivery_id=item.told.get("delivery_id"),
    )
    value, headers = record(
        told,
        id=told.audit_id,
        source=SOURCE,
        time=at.isoformat(),
        subject=item.item_id,
        extensions={"kind": act.value},
    )
    return Output(AUDIT, actor.encode(), value, headers)

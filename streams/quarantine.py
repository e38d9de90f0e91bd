"""The quarantine record of a record that a step could not handle."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from schemas import wire
from schemas.delivery import Quarantined
from schemas.envelope import legible
from schemas.errors import Rejected
from schemas.topics import QUARANTINE
from streams.contract import Output, Record

_CARRIED: Final = ("documentid", "reportid", "threadid", "deliveryid", "unit", "mode", "traceparent")
LAST_MS: Final = 253_402_300_799_000
"""The last second of the year 9999: a sender may stamp a record with any 64 bits."""


def quarantined(stage: str) -> Callable[[Record, Rejected], Output]:
    """The builder of quarantine records of one stage (the processor's name), where a replay re-enters."""

    def build(record: Record, error: Rejected) -> Output:
        carried = {name: text for name in _CARRIED if (text := legible(record.headers, name))}
        cause = legible(record.headers, "id") or _digest(record)
        item = wire.derived_id("quarantine", stage, cause)
        when = datetime.fromtimestamp(min(max(0, record.timestamp_ms), LAST_MS) / 1000, UTC)
        payload = Quarantined(
            item_id=item,
            stage=stage,
            code=error.code,
            at=error.at,
            detail=error.detail,
            document_id=carried.get("documentid"),
            report_id=carried.get("reportid"),
            delivery_id=carried.get("deliveryid"),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            record=record.value,
            record_key=record.key,
            record_headers=record.headers,
            set_aside_at=when,
        )
        key = payload.document_id or payload.report_id or payload.delivery_id or item
        value, headers = wire.record(
            payload, id=item, source=f"/sztab/{stage}", time=when.isoformat(), extensions={**carried, "causeid": cause}
        )
        return Output(QUARANTINE, key.encode(), value, headers)

    return build


def _digest(record: Record) -> str:
    """What names a record without an id: its bytes. Two equal records are one item, as they say the same."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (record.key or b"", record.value or b""):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()

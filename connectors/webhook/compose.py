"""What a recipient is sent: type, time and data as Standard Webhooks 1.0 recommends, the fields of its profile."""

from typing import Any

import orjson

from schemas.delivery import Delivery

TYPE_PREFIX = "sztab."


def compose(delivery: Delivery, installation: str = "") -> bytes:
    """The body of the request; equal for every attempt, so that signatures differ only by the attempt's time.

    `data` is what the recipient's profile permits, untouched. Beside it stand only what order and repeats need:
    ids, sequence, urgency, mode, and our installation's name, by which loops are broken.
    """
    message: dict[str, Any] = {
        "type": TYPE_PREFIX + delivery.kind,
        "timestamp": delivery.decided_at.isoformat(),
        "id": delivery.delivery_id,
        "subject": delivery.subject_id,
        "sequence": delivery.sequence,
        "urgency": delivery.urgency.value,
        "mode": delivery.mode.value,
        "data": delivery.body,
    }
    if installation:
        message["installation"] = installation
    return orjson.dumps(message)

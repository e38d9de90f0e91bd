"""Records that a step writes: payload, key, CloudEvents headers with the ids of the record that caused them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from schemas.model import Message
from schemas.wire import record
from streams.contract import Output

CARRIED: Final = ("documentid", "reportid", "threadid", "mode", "traceparent")
"""Extensions that every step passes on unchanged, where the input has them."""


def moment(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC time."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def milliseconds(at: datetime) -> int:
    """An aware time as milliseconds since the epoch."""
    return round(at.timestamp() * 1000)


def rfc3339(at: datetime) -> str:
    """A time as CloudEvents wants it."""
    return at.isoformat().replace("+00:00", "Z")


def output(
    topic: str,
    key: str,
    payload: Message,
    *,
    id: str,
    part: str,
    time: datetime,
    carried: Mapping[str, str],
    extensions: Mapping[str, str],
) -> Output:
    """One record to write. `carried` are the attributes of the input; `extensions` win over what it passes on."""
    passed = {name: carried[name] for name in CARRIED if name in carried}
    value, headers = record(
        payload, id=id, source=f"/sztab/{part}", time=rfc3339(time), extensions={**passed, **extensions}
    )
    return Output(topic, key.encode(), value, headers)

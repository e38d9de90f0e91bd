"""The record of an alarm's state, as roles write it to `alarm.current`."""

from collections.abc import Mapping
from datetime import datetime

from schemas.feed import Alarm, AlarmClass
from schemas.topics import ALARMS_NOW
from schemas.wire import derived_id, record
from streams.contract import Output


def alarm_output(
    kind: str,
    subject: str,
    at: datetime,
    detail: str,
    *,
    active: bool,
    raised_at: datetime,
    loud: AlarmClass,
    source: str,
    extensions: Mapping[str, str],
) -> Output:
    """The state of one alarm; the same alarm id for the same kind and subject."""
    told = Alarm(
        alarm_id=derived_id("alarm", kind, subject),
        kind=kind,
        subject=subject,
        alarm_class=loud,
        active=active,
        raised_at=raised_at,
        changed_at=at,
        detail=detail,
    )
    value, headers = record(
        told,
        id=derived_id(told.alarm_id, str(active), at.isoformat()),
        source=source,
        time=at.isoformat(),
        subject=subject,
        extensions={"kind": kind, **extensions},
    )
    return Output(ALARMS_NOW, told.alarm_id.encode(), value, headers)

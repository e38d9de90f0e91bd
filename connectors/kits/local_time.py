"""Local times without a zone, as files and feeds give them, made into UTC; the two odd hours of a year are named."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from schemas.errors import Code, Misconfigured
from schemas.finding import Finding, FindingCode

ISO = "iso"
"""Name of the format that `datetime.fromisoformat` reads: `2015-12-10 17:10:52`, `2017-10-08T20:39:00`."""


class Reading(StrEnum):
    """Which of the two UTC times a doubled local hour stands for."""

    EARLIER = "earlier"
    LATER = "later"


@cache
def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Misconfigured when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"no time zone is called {name!r}", "/zone") from None


def _known(name: str) -> str:
    try:
        zone(name)
    except Misconfigured as error:
        raise ValueError(error.detail) from None
    return name


ZoneName = Annotated[str, AfterValidator(_known)]
"""An IANA time zone in settings; an unknown one is refused with the configuration."""


def parsed(text: str, form: str = ISO) -> datetime | None:
    """The time that `text` says in a `strptime` format or ISO; None when it says none. May lack a zone.

    Years outside 1900 to 9998 count as none: no report is of them, and the ends of the calendar do not convert.
    """
    try:
        time = datetime.fromisoformat(text) if form == ISO else datetime.strptime(text, form)  # noqa: DTZ007 - local
    except ValueError:
        return None
    return time if 1900 <= time.year <= 9998 else None


def to_utc(
    local: datetime, where: ZoneInfo, at: str, reading: Reading = Reading.EARLIER
) -> tuple[datetime, Finding | None]:
    """The UTC time of a local one, and a finding when that was a guess. A time with an offset keeps its own.

    Autumn's doubled hour is read as asked. A time inside spring's
    gap is read with the offset before it, so it falls that much after the change.
    """
    if local.tzinfo is not None:
        return local.astimezone(UTC), None
    first, second = local.replace(tzinfo=where, fold=0), local.replace(tzinfo=where, fold=1)
    before, after = first.utcoffset(), second.utcoffset()
    if before == after:
        return first.astimezone(UTC), None
    if before is not None and after is not None and before < after:
        return first.astimezone(UTC), Finding(
            code=FindingCode.TIME_IMPLAUSIBLE, at=at, detail="this local time was skipped by the clocks"
        )
    chosen = first if reading is Reading.EARLIER else second
    return chosen.astimezone(UTC), Finding(
        code=FindingCode.TIME_AMBIGUOUS, at=at, detail=f"the clocks showed this local time twice; {reading} one taken"
    )

"""Warnings (komunikaty, ostrzeżenia) with area and validity, and the snapshots that polled feeds give."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from schemas.finding import Finding
from schemas.model import Message, Privacy, about
from schemas.report import DocumentRef, Mode


class Severity(StrEnum):
    """CAP 1.2, info/severity."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Notice(Message):
    """One warning as its source words it."""

    notice_id: Annotated[str, about("uuid5(secret, feed | the feed's key).", Privacy.PUBLIC)] = ""
    feed: Annotated[str, about("Source instance.", Privacy.PUBLIC)] = ""
    far_id: Annotated[str, about("The feed's key of the warning.", Privacy.PUBLIC)]
    event: Annotated[str, about("Kind, in the source's words.", Privacy.PUBLIC)]
    cap_category: Annotated[str, about("CAP 1.2 category.", Privacy.PUBLIC)] = "Met"
    severity: Annotated[Severity, about("CAP 1.2 severity.", Privacy.PUBLIC)] = Severity.UNKNOWN
    degree: Annotated[str | None, about("The source's own degree.", Privacy.PUBLIC)] = None
    probability_percent: Annotated[int | None, about("Probability.", Privacy.PUBLIC, "percent", ge=0, le=100)] = None
    starts_at: Annotated[datetime | None, about("In force from.", Privacy.PUBLIC)] = None
    ends_at: Annotated[datetime | None, about("In force until; None: open end.", Privacy.PUBLIC)] = None
    published_at: Annotated[datetime | None, about("Published.", Privacy.PUBLIC)] = None
    text: Annotated[str | None, about("Text.", Privacy.PUBLIC)] = None
    comment: Annotated[str | None, about("Comment.", Privacy.PUBLIC)] = None
    issuer: Annotated[str | None, about("Office.", Privacy.PUBLIC)] = None
    attribution: Annotated[
        str | None,
        about("Must be named wherever the warning is shown.", Privacy.PUBLIC),
    ] = None
    teryt: Annotated[tuple[str, ...], about("TERYT codes of the area, sorted.", Privacy.PUBLIC)] = ()
    areas: Annotated[tuple[str, ...], about("Other area codes (catchments), sorted.", Privacy.PUBLIC)] = ()
    mode: Annotated[Mode, about("Real, test or exercise.", Privacy.PUBLIC)] = Mode.REAL
    unknown: Annotated[dict[str, Any], about("Fields that we do not know, kept.", Privacy.PUBLIC)] = {}
    findings: Annotated[tuple[Finding, ...], about("Oddities.", Privacy.PUBLIC)] = ()


class SnapshotTaken(Message):
    """What a polled feed shows at one moment: a payload of `intake.civil`. Withdrawals only from complete ones."""

    snapshot_id: Annotated[str, about("uuid5 of feed and document.", Privacy.PUBLIC)] = ""
    feed: Annotated[str, about("Source instance.", Privacy.PUBLIC)] = ""
    taken_at: Annotated[datetime | None, about("When our journal held it.", Privacy.PUBLIC)] = None
    complete: Annotated[bool, about("Every row was understood and nothing was cut.", Privacy.PUBLIC)]
    items: Annotated[tuple[Notice, ...], about("The warnings shown.", Privacy.PUBLIC)] = ()
    document: Annotated[
        DocumentRef | None,
        about("Hash and place of the document.", Privacy.OPERATIONAL),
    ] = None
    findings: Annotated[tuple[Finding, ...], about("Oddities.", Privacy.PUBLIC)] = ()


class NoticeChanged(Message):
    """normalise's conclusion from two snapshots, for one territory: a record of `territory.log`."""

    unit: Annotated[str, about("Territory.", Privacy.PUBLIC)]
    notice: Annotated[Notice, about("The warning.", Privacy.PUBLIC)]
    withdrawn: Annotated[bool, about("Gone before its end from a complete snapshot.", Privacy.PUBLIC)] = False
    caused_by: Annotated[str, about("Snapshot id.", Privacy.PUBLIC)]

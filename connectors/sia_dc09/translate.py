"""A panel's message into reports, one for each event in it. Pure and total."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from connectors.contract import Document, Told, Translation
from connectors.sia_dc09.codes import Event, contact_id_event, sia_events
from connectors.sia_dc09.frame import Frame, read
from connectors.sia_dc09.settings import Account, SiaSettings
from schemas.errors import Code, Rejected
from schemas.finding import Finding, FindingCode
from schemas.place import Obtained, Place, Position
from schemas.report import Mode, Reference, Telling

MET_AT: Final = "met_at"
"""Context: when the source had read the frame, ISO 8601. Without it the time stamp is believed."""


def translate_for(settings: SiaSettings) -> Callable[[Document], Translation]:
    """The translation with this register of accounts."""
    return lambda document: translate(document, settings)


def translate(document: Document, settings: SiaSettings) -> Translation:
    """What a message says. No events: a link test (NULL, periodic test), which only shows that the panel is there.

    Rejected: see `frame.read`; and `not-understood` for encrypted messages, other tokens, and data without an event.
    """
    frame = read(document.body)
    if frame.kind == "NULL":
        return Translation((), _encrypted(frame))
    if frame.encrypted:
        raise Rejected(Code.NOT_UNDERSTOOD, "the message is encrypted, which is not supported")
    findings: list[Finding] = []
    if not frame.length_fits:
        findings.append(_finding(FindingCode.CHECKSUM_WRONG, "/length", "the length does not fit, the CRC does"))
    if frame.encoding != "ascii":
        findings.append(_finding(FindingCode.FIELD_UNREADABLE, "/data", f"not ASCII: read as {frame.encoding}"))
    account, data = _account(frame, findings)
    events, modifiers = _events(frame, data)
    stamped_at = _stamp(document, frame, settings, findings)
    unknown = {name: list(value) for name, value in (("modifiers", modifiers), ("extended", frame.extended)) if value}
    if frame.extended:
        findings.append(_finding(FindingCode.UNKNOWN_FIELD, "/extended", "kept"))
    place = _place(settings.accounts.get(account), findings)
    told = []
    for number, event in enumerate(one for one in events if not one.link_test):
        if not event.known:
            findings.append(_finding(FindingCode.UNKNOWN_CODE, f"/events/{number}/code", "we have no words for it"))
        telling = Telling(
            event_at=stamped_at,
            registered_at=frame.stamped_at,
            channel="panel",
            place=place,
            category=event.code,
            addressed_services=("police",),
            description=_description(event),
            flags=("restoral",) if event.ended else (),
            references=(Reference(system="alarm_account", id=account),) if account else (),
            unknown=unknown,
        )
        far_id = _far_id(frame, account, number) if stamped_at else None
        told.append(Told(telling, far_id=far_id, mode=Mode.TEST if event.trial else None))
    return Translation(tuple(told), tuple(findings))


def trusted_stamp(frame: Frame, met_at: datetime, settings: SiaSettings) -> bool:
    """Whether the message has a time stamp near our time (5.5.1.8)."""
    stamped_at = frame.stamped_at
    if stamped_at is None:
        return False
    ahead = (stamped_at - met_at).total_seconds()
    return -settings.stamp_behind_seconds <= ahead <= settings.stamp_ahead_seconds


def _encrypted(frame: Frame) -> tuple[Finding, ...]:
    if not frame.encrypted:
        return ()
    return (_finding(FindingCode.FIELD_UNREADABLE, "/data", "an encrypted link test; encryption is not supported"),)


def _account(frame: Frame, findings: list[Finding]) -> tuple[str, str]:
    """The account of the header, else of the data; and the data without it."""
    inner, bar, rest = frame.data.partition("|")
    if not bar:
        inner, rest = "", frame.data
    told = inner.removeprefix("#").upper()
    if told and frame.account and told != frame.account:
        findings.append(_finding(FindingCode.SAME_ID_OTHER_CONTENT, "/account", "header and data name two accounts"))
    return frame.account or told, rest


def _events(frame: Frame, data: str) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    if frame.kind == "SIA-DCS":
        events, modifiers = sia_events(data)
    elif frame.kind == "ADM-CID":
        one = contact_id_event(data)
        events, modifiers = (one,) if one else (), ()
    else:
        raise Rejected(Code.NOT_UNDERSTOOD, "a token other than SIA-DCS, ADM-CID and NULL", "/token")
    if not events:
        raise Rejected(Code.NOT_UNDERSTOOD, "the data name no event", "/data")
    return events, modifiers


def _stamp(document: Document, frame: Frame, settings: SiaSettings, findings: list[Finding]) -> datetime | None:
    """When it happened: the time stamp when it can be trusted, else nothing, and receipt takes its place."""
    stamped_at, met_at = frame.stamped_at, document.context.get(MET_AT)
    if stamped_at is None:
        if frame.stamp:
            findings.append(_finding(FindingCode.FIELD_UNREADABLE, "/stamp", "no time"))
        return None
    if met_at is None or trusted_stamp(frame, datetime.fromisoformat(met_at), settings):
        return stamped_at
    findings.append(_finding(FindingCode.CLOCK_SKEW, "/stamp", "too far from our time; receipt counts"))
    return None


def _far_id(frame: Frame, account: str, number: int) -> str:
    """What makes a repeat: account, receiver, line, sequence and time stamp."""
    return "/".join((account, frame.receiver or "R0", frame.line, frame.sequence, frame.stamp, str(number)))


def _place(account: Account | None, findings: list[Finding]) -> Place:
    if account is None:
        findings.append(_finding(FindingCode.PLACE_UNKNOWN, "/account", "the register does not know this account"))
        return Place()
    position = None
    if account.lat is not None and account.lon is not None:
        position = Position(
            lat=account.lat, lon=account.lon, uncertainty_m=account.uncertainty_m, obtained=Obtained.ADDRESS
        )
    return Place(
        position=position,
        teryt=account.teryt or None,
        locality=account.locality or None,
        street=account.street or None,
        building=account.building or None,
        object_name=account.name or None,
    )


def _description(event: Event) -> str:
    parts = [event.words or f"kod {event.code}"]
    parts += [f"strefa {event.zone}"] if event.zone else []
    parts += [event.text] if event.text else []
    return ", ".join(parts)


def _finding(code: FindingCode, at: str, detail: str) -> Finding:
    return Finding(code=code, at=at, detail=detail)

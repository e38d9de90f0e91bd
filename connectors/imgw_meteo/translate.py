"""A snapshot of IMGW's meteorological warnings into notices. Pure and total."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.contract import Document, Told, Translation
from connectors.imgw_meteo.settings import ImgwSettings
from connectors.kits.json import loads, pointer
from connectors.kits.local_time import Reading, parsed, to_utc, zone
from connectors.kits.polling import digest
from schemas.errors import Code, Rejected
from schemas.finding import Finding, FindingCode
from schemas.notice import Notice, Severity, SnapshotTaken

ATTRIBUTION: Final = "IMGW-PIB"
"""Must be named wherever a warning is shown."""
NOTHING: Final = "No products were found"
SEVERITY: Final = {"1": Severity.MODERATE, "2": Severity.SEVERE, "3": Severity.EXTREME}
OPEN_END: Final = "9999-12-31"
FORMAT: Final = "%Y-%m-%d %H:%M:%S"
KNOWN: Final = frozenset(
    (
        "id",
        "nazwa_zdarzenia",
        "stopien",
        "prawdopodobienstwo",
        "obowiazuje_od",
        "obowiazuje_do",
        "opublikowano",
        "tresc",
        "komentarz",
        "biuro",
        "teryt",
    )
)


def translate_for(settings: ImgwSettings) -> Callable[[Document], Translation]:
    """The translation of this feed. Misconfigured when its time zone is none."""
    where = zone(settings.zone)
    return lambda document: translate(document, where)


def translate(document: Document, where: ZoneInfo) -> Translation:
    """What holds by this answer.

    Rejected when it is neither a list of warnings nor the word that there are none, or a list in which nothing is one.

    A row that cannot be understood makes the snapshot incomplete: nothing is concluded about what is missing from it.
    """
    data = loads(document.body)
    if _says_nothing(data):
        data = []
    if not isinstance(data, list):
        raise Rejected(Code.NOT_UNDERSTOOD, "neither a list of warnings nor the word that there are none")
    notices: dict[str, Notice] = {}
    findings: list[Finding] = []
    complete = True
    for number, row in enumerate(data):
        notice = _notice(row, where)
        if notice is None or any(one.code is FindingCode.FIELD_UNREADABLE for one in notice.findings):
            complete = False
            findings.append(_finding(FindingCode.SNAPSHOT_INCOMPLETE, f"/{number}", "the row was not fully understood"))
        if notice is None:
            continue
        other = notices.setdefault(notice.far_id, notice)
        if other != notice:
            # Rows come in another order at each poll: which of the two is shown must not depend on it.
            notices[notice.far_id] = min(other, notice, key=Notice.to_json)
            findings.append(_finding(FindingCode.SAME_ID_OTHER_CONTENT, f"/{number}/id", "twice in one snapshot"))
    if data and not notices:
        raise Rejected(Code.NOT_UNDERSTOOD, "rows, and none of them is a warning")
    items = tuple(notices[name] for name in sorted(notices))
    return Translation(
        (Told(SnapshotTaken(complete=complete, items=items, findings=tuple(findings))),), tuple(findings)
    )


def counts(status: int, body: bytes) -> bool:
    """Whether an answer tells about warnings: 200, or the 404 that says there are none. Any other is an outage."""
    if status != 404:
        return status == 200
    try:
        return _says_nothing(loads(body))
    except Rejected:
        return False


def _says_nothing(data: Any) -> bool:
    return isinstance(data, dict) and data.get("status") is False and data.get("message") == NOTHING


def _notice(row: Any, where: ZoneInfo) -> Notice | None:
    """One warning; None for what has neither an id nor an event's name.

    One without an id is known again by its content: changed, it is another warning. Its findings point into the row,
    not into the answer: rows change places at each poll, and that is no change.
    """
    if not isinstance(row, dict):
        return None
    findings: list[Finding] = []
    far_id, event = _text(row, "id"), _text(row, "nazwa_zdarzenia")
    if far_id is None and event is None:
        return None
    if far_id is None:
        far_id = "row:" + digest(json.dumps(row).encode())
        findings.append(_finding(FindingCode.FIELD_UNREADABLE, "/id", "no id: known again by its content alone"))
    degree = _text(row, "stopien")
    if degree not in SEVERITY:
        findings.append(_finding(FindingCode.UNKNOWN_CODE, "/stopien", "no degree from 1 to 3"))
    if event is None:
        findings.append(_finding(FindingCode.FIELD_UNREADABLE, "/nazwa_zdarzenia", "the event has no name"))
    comment = _text(row, "komentarz")
    unknown = {name: value for name, value in row.items() if name not in KNOWN}
    findings += [_finding(FindingCode.UNKNOWN_FIELD, pointer(name), "kept") for name in unknown]
    return Notice(
        far_id=far_id,
        event=event or "?",
        severity=SEVERITY.get(degree or "", Severity.UNKNOWN),
        degree=degree,
        probability_percent=_per_cent(row, findings),
        starts_at=_time(row, "obowiazuje_od", where, findings),
        ends_at=_time(row, "obowiazuje_do", where, findings, Reading.LATER),
        published_at=_time(row, "opublikowano", where, findings) if row.get("opublikowano") else None,
        text=_text(row, "tresc"),
        comment=None if comment is None or comment.casefold().rstrip(".") == "brak" else comment,
        issuer=_text(row, "biuro"),
        attribution=ATTRIBUTION,
        teryt=_teryt(row, findings),
        unknown=unknown,
        findings=tuple(findings),
    )


def _text(row: dict[str, Any], name: str) -> str | None:
    """The text of a field; all values are strings, but a number is taken for what it says."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return (value.strip() or None) if isinstance(value, str) else None


def _per_cent(row: dict[str, Any], findings: list[Finding]) -> int | None:
    text = _text(row, "prawdopodobienstwo")
    if text is None and row.get("prawdopodobienstwo") in (None, ""):
        return None
    if text is not None and text.isascii() and text.isdecimal() and len(text) <= 3 and int(text) <= 100:
        return int(text)
    findings.append(_finding(FindingCode.UNKNOWN_CODE, "/prawdopodobienstwo", "no per cent"))
    return None


def _time(
    row: dict[str, Any],
    name: str,
    where: ZoneInfo,
    findings: list[Finding],
    reading: Reading = Reading.EARLIER,
) -> datetime | None:
    """A local time; None for an open end, and, with a finding, for one that cannot be read."""
    text = _text(row, name) or ""
    if text.startswith(OPEN_END):
        return None
    local = parsed(text, FORMAT)
    if local is None:
        findings.append(_finding(FindingCode.FIELD_UNREADABLE, f"/{name}", "no time"))
        return None
    when, finding = to_utc(local, where, f"/{name}", reading)
    if finding is not None:
        findings.append(finding)
    return when


def _teryt(row: dict[str, Any], findings: list[Finding]) -> tuple[str, ...]:
    """The powiat codes, sorted and single. Without any the warning is shown to a person, never dropped."""
    told = row.get("teryt")
    codes = told if isinstance(told, list) else []
    good = {one for one in codes if isinstance(one, str) and one.isascii() and one.isdecimal() and len(one) == 4}
    if any(not isinstance(one, str) or one not in good for one in codes):
        findings.append(_finding(FindingCode.UNKNOWN_CODE, "/teryt", "a code without four digits was left out"))
    if not good:
        findings.append(_finding(FindingCode.AREA_MISSING, "/teryt", "the warning names no powiat"))
    return tuple(sorted(good))


def _finding(code: FindingCode, at: str, detail: str) -> Finding:
    return Finding(code=code, at=at, detail=detail)

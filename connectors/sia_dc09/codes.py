"""Event codes of alarm panels and their wording, from `codes.yaml`."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

_SIA: Final = re.compile(
    r"(?P<modifier>[a-z]{2}[^/A-Z^|]*)|(?P<code>[A-Z]{2})(?P<zone>[0-9A-Fa-f]*)|\^(?P<text>[^^]*)\^?|(?P<other>[^/])"
)
_CONTACT_ID: Final = re.compile(r"(?P<qualifier>[136])(?P<code>[0-9]{3}) (?P<area>[0-9A-F]{2}) (?P<zone>[0-9A-F]{3})")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a message. `code` as the catalogue knows it, `bare` without qualifier; `area` as told."""

    code: str
    bare: str
    zone: str = ""
    area: str = ""
    text: str = ""
    ended: bool = False
    """Restored or closed: the cause is over."""

    @property
    def known(self) -> bool:
        """Whether we have words for it."""
        return bool(self.words)

    @property
    def words(self) -> str:
        """What it means, in Polish; empty when we do not know."""
        table = _table()
        if self.bare.isdecimal():
            meaning = table["contact_id"].get(self.bare, "")
            more = table["contact_id_qualifiers"].get(self.code[0], "") if meaning else ""
            return f"{meaning}: {more}" if more else meaning
        thing, kind = table["sia_things"].get(self.bare[:1], ""), table["sia_kinds"].get(self.bare[1:], "")
        return str(table["sia"].get(self.bare) or (f"{thing}: {kind}" if thing and kind else ""))

    @property
    def link_test(self) -> bool:
        """Sent by the clock to show that the link works."""
        return self.bare in _table()["link_tests"]

    @property
    def trial(self) -> bool:
        """Somebody tries the equipment."""
        return self.bare in _table()["trials"]


def sia_events(data: str) -> tuple[tuple[Event, ...], tuple[str, ...]]:
    """The events of a SIA-DCS message's data after the bar, and its modifiers as they stand.

    `Nri1/BA12^SKLEP^`: N or O (new, old), modifiers of two small letters (area, user, time), codes with their zone.
    No events: not understood.
    """
    found: list[Event] = []
    modifiers: list[str] = []
    area = ""
    if not data[:1] or data[0] not in "NO":
        return (), ()
    for part in _SIA.finditer(data[1:]):
        if part["other"]:
            return (), ()
        if part["modifier"]:
            modifiers.append(part["modifier"])
            area = part["modifier"][2:] if part["modifier"].startswith("ri") else area
        elif part["code"]:
            code = part["code"]
            found.append(Event(code, code, part["zone"].lstrip("0"), area, ended=code[1] in "HJR"))
        elif part["text"] and found:
            last = found[-1]
            found[-1] = Event(last.code, last.bare, last.zone, last.area, part["text"].strip(), last.ended)
    return tuple(found), tuple(modifiers)


def contact_id_event(data: str) -> Event | None:
    """The event of an ADM-CID message's data after the bar: `1130 01 012` is new, code 130, area 01, zone 012."""
    part = _CONTACT_ID.fullmatch(data)
    if part is None:
        return None
    code = part["qualifier"] + part["code"]
    return Event(code, part["code"], part["zone"].lstrip("0"), part["area"], ended=part["qualifier"] == "3")


@cache
def _table() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("codes.yaml").read_text("utf-8"))
    return read

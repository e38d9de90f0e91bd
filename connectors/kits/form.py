"""Reads the fields of a JSON object one by one: what is odd becomes a finding, what is not known is kept.

Nothing here refuses: a call for help with one wrong field is still a call for help.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.kits.json import pointer
from connectors.kits.local_time import parsed, to_utc
from schemas.finding import Finding, FindingCode

MOST_FINDINGS: Final = 50
"""What is odd about one document beyond that is told in one finding: the report must stay small enough to travel."""
TEXT: Final = 4_000
"""Longest ordinary text, in characters; descriptions may be longer."""


class Form:
    """One object of a document. Each reading takes its name off the list of unknown ones; `findings` are shared."""

    def __init__(
        self, fields: Mapping[str, Any], findings: list[Finding], at: str = "", *, personal: bool = False
    ) -> None:
        self._at = at
        self._left = dict(fields)
        self._told: set[str] = set()
        self._inner: list[tuple[str, Form]] = []
        self._personal = personal
        self.findings = findings

    def text(self, name: str, limit: int = TEXT) -> str | None:
        """A text, trimmed; None when absent or empty. A number is taken as its text; a longer one is cut and told."""
        value = self._take(name)
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            self._odd(name, value, "not a text")
            return None
        text = value.strip()
        if len(text) > limit:
            self._tell(name, f"longer than {limit} characters; the whole stays in the document")
        return text[:limit] or None

    def texts(self, name: str, *, personal: bool = False) -> tuple[str, ...]:
        """A list of texts; a lone text counts as a list of one. Other things in it are a finding, the texts count.

        What cannot be read of a `personal` list stays in the document alone.
        """
        value = self._take(name)
        items = value if isinstance(value, list) else [value]
        told = tuple(item for item in items if isinstance(item, str))
        if len(told) < len(items):
            self._odd(name, value, "not a list of texts", keep=not personal)
        return tuple(item for item in told if item)

    def number(self, name: str, least: float = -math.inf, most: float = math.inf) -> float | None:
        """A finite number within the limits; a text that is a number counts."""
        value = self._take(name)
        if isinstance(value, str):
            try:
                value = float(value.replace(",", "."))
            except ValueError:
                self._odd(name, value, "not a number")
                return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self._odd(name, value, "not a number")
            return None
        if not least <= value <= most:
            self._odd(name, value, "outside what is possible")
            return None
        return float(value)

    def count(self, name: str, most: int = 100_000) -> int | None:
        """A whole number from 0."""
        value = self.number(name, 0, most)
        if value is not None and value != int(value):
            self._odd(name, value, "not a whole number")
            return None
        return None if value is None else int(value)

    def flag(self, name: str) -> bool:
        """True only when it says so."""
        value = self._take(name)
        if value is not None and not isinstance(value, bool):
            self._odd(name, value, "not true or false")
        return value is True

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """One of a few words; another one is a finding and None."""
        value = self.text(name)
        if value is not None and value not in allowed:
            self._odd(name, value, "not one of the known words")
            return None
        return value

    def time(self, name: str, zone: ZoneInfo) -> datetime | None:
        """A time in UTC. RFC 3339; without an offset it is the source's local time, and that is told."""
        value = self._take(name)
        local = parsed(value) if isinstance(value, str) else None
        if local is None:
            self._odd(name, value, "not a time", FindingCode.TIME_IMPLAUSIBLE)
            return None
        found, finding = to_utc(local, zone, self._at + pointer(name))
        if finding is not None:
            self.findings.append(finding)
        elif local.tzinfo is None:
            self._tell(name, "without an offset: read as the source's local time", FindingCode.TIME_AMBIGUOUS)
        return found

    def part(self, name: str, *, personal: bool = False) -> "Form | None":
        """An object inside; None when absent. What is unknown in a `personal` one stays in the document alone."""
        value = self._take(name)
        if not isinstance(value, dict):
            self._odd(name, value, "not an object", keep=not personal)
            return None
        return self._inside(name, value, personal=personal)

    def parts(self, name: str, *, personal: bool = False) -> "tuple[Form, ...]":
        """A list of objects inside, as `part`."""
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._odd(name, value, "not a list of objects", keep=not personal)
            return ()
        return tuple(self._inside(f"{name}/{number}", item, personal=personal) for number, item in enumerate(value))

    def unknown(self) -> dict[str, Any]:
        """What nobody asked for or could read, by name, parts included; each unknown name is a finding."""
        for name in self._left:
            if name not in self._told:
                self._tell(name, "a field that we do not know; it is kept", FindingCode.UNKNOWN_FIELD)
        kept = {} if self._personal else dict(self._left)
        for name, form in self._inner:
            if left := form.unknown():
                kept[name] = left
        return kept

    @property
    def at(self) -> str:
        """The pointer to this object."""
        return self._at

    def _inside(self, name: str, value: Mapping[str, Any], *, personal: bool) -> "Form":
        form = Form(value, self.findings, f"{self._at}/{name}", personal=personal)
        self._inner.append((name, form))
        return form

    def _take(self, name: str) -> Any:
        return self._left.pop(name, None)

    def _odd(
        self,
        name: str,
        value: Any,
        detail: str,
        code: FindingCode = FindingCode.FIELD_UNREADABLE,
        *,
        keep: bool = True,
    ) -> None:
        """Nothing for an absent value; else a finding, and the value is kept among the unknown ones."""
        if value is None or value in ("", [], {}):
            return
        if keep:
            self._left[name] = value
        self._told.add(name)
        self._tell(name, detail, code)

    def _tell(self, name: str, detail: str, code: FindingCode = FindingCode.FIELD_UNREADABLE) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(code=code, at=self._at + pointer(name), detail=detail))
        elif len(self.findings) == MOST_FINDINGS:
            self.findings.append(Finding(code=code, at=self._at, detail="and more that is odd, not told one by one"))

"""Bytes for the eyes of a person: as text, in hexadecimal, and one document held against another. Pure."""

import difflib
from collections.abc import Iterator
from typing import Any, Final

import orjson

HEX_ROW: Final = 16
SHOWN_BYTES: Final = 65_536
"""Shown of one document; a person who needs more takes the file."""
_ABSENT: Final = object()


def legible(text: str) -> str:
    """Text whose control characters are escaped, so that they command no terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def as_text(body: bytes) -> str:
    """The bytes as text, what is no UTF-8 replaced."""
    return legible(body.decode(errors="replace"))


def hexed(body: bytes) -> list[str]:
    """The bytes in rows of sixteen: offset, hexadecimal, text with a dot for what does not print."""
    rows: list[str] = []
    for start in range(0, len(body), HEX_ROW):
        part = body[start : start + HEX_ROW]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        rows.append(f"{start:08x}  {part.hex(' '):<47}  {text}")
    return rows


def difference(original: bytes, corrected: bytes) -> dict[str, Any]:
    """What a correction changes: field by field where both are JSON, else by lines of text, else by rows of bytes.

    `how` is `fields`, `text` or `hex`; `lines` is for a person, `fields` (pointer, before, after) for a program.
    """
    before, after = _json(original), _json(corrected)
    if before is not _ABSENT and after is not _ABSENT:
        fields = list(_fields("", before, after))
        if fields or original == corrected:
            lines = [line for one in fields for line in _told(one)]
            return {"how": "fields", "fields": fields, "lines": lines}
    texts = _text(original), _text(corrected)
    if texts[0] is not None and texts[1] is not None:
        return {"how": "text", "lines": _unified(texts[0].splitlines(), texts[1].splitlines())}
    return {"how": "hex", "lines": _unified(hexed(original), hexed(corrected))}


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _ABSENT


def _text(body: bytes) -> str | None:
    try:
        return legible(body.decode())
    except UnicodeDecodeError:
        return None


def _unified(before: list[str], after: list[str]) -> list[str]:
    return list(difflib.unified_diff(before, after, "original", "corrected", lineterm=""))


def _fields(pointer: str, before: Any, after: Any) -> Iterator[dict[str, Any]]:
    """Every place where the two differ, in the order of the original, then what is new."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            step = name.replace("~", "~0").replace("/", "~1")
            yield from _fields(f"{pointer}/{step}", before.get(name, _ABSENT), after.get(name, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for at in range(max(len(before), len(after))):
            pair = (one[at] if at < len(one) else _ABSENT for one in (before, after))
            yield from _fields(f"{pointer}/{at}", *pair)
    elif type(before) is not type(after) or before != after:
        told = {"before": before, "after": after}
        yield {"pointer": pointer, **{name: one for name, one in told.items() if one is not _ABSENT}}


def _told(one: dict[str, Any]) -> Iterator[str]:
    for name, sign in (("before", "-"), ("after", "+")):
        if name in one:
            yield f"{sign} {one['pointer'] or '/'}: {legible(orjson.dumps(one[name]).decode())}"

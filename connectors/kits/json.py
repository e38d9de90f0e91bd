"""JSON as strictly as RFC 8259 and I-JSON (RFC 7493) say it: the parser of everything that far sides send as JSON.

Refused, always as `Rejected` with a code: bytes that are no UTF-8, lone surrogates, anything outside the grammar, NaN
and infinities, numbers beyond 64 bits or a double, nesting deeper than 64, and names that stand twice in one object.
"""

import json
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NoReturn

from schemas.errors import Code, Rejected

DEPTH: Final = 64
"""Deepest nesting; no format that we read needs a tenth of it."""
MOST_DOUBLED: Final = 20
"""Doubled names that are told of one text."""
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_OTHER: Final = re.compile(rb"[^\[\]{}]+")
_SURROGATE: Final = re.compile(r"\\u[dD][89abAB]|\\u[dD][c-fC-F]")


def loads(body: bytes) -> Any:
    """The value of a JSON text. Rejected: `empty`, `encoding-invalid`, `syntax-invalid`, `too-deep`, `number-invalid`,
    `duplicate-key` (with a pointer to the second one).
    """
    value, doubled = parse(body)
    if doubled:
        raise Rejected(Code.DUPLICATE_KEY, "a name stands twice in one object", doubled[0])
    return value


def read_object(body: bytes) -> dict[str, Any]:
    """The object that a JSON text is; as `loads`, and `field-invalid` when it is something else."""
    value = loads(body)
    if not isinstance(value, dict):
        raise Rejected(Code.FIELD_INVALID, "a JSON object is needed", "")
    return value


def parse(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """The value of a JSON text and the pointers of doubled names, which the grammar allows (the last one counts)."""
    if not body.strip(b" \t\r\n"):
        raise Rejected(Code.EMPTY, "no JSON text")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Rejected(Code.ENCODING_INVALID, f"not UTF-8 at byte {error.start}") from None
    _check_depth(body)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Rejected(Code.SYNTAX_INVALID, f"not JSON at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Rejected(Code.TOO_DEEP, f"nested deeper than {DEPTH}") from None
    if _SURROGATE.search(text):
        _check_surrogates(value)
    return value, tuple(islice(_doubled(value, ""), MOST_DOUBLED)) if _Doubled.seen(value) else ()


class _Doubled(dict[str, Any]):
    """An object in which a name stood twice."""

    name = ""

    @staticmethod
    def seen(value: Any) -> bool:
        """Whether such an object is anywhere inside."""
        waiting = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, _Doubled):
                return True
            if isinstance(one, dict):
                waiting += [inner for inner in one.values() if isinstance(inner, dict | list)]
            elif isinstance(one, list):
                waiting += [inner for inner in one if isinstance(inner, dict | list)]
        return False


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) from its parts."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _doubled(value: Any, at: str) -> Iterator[str]:
    """Pointers to doubled names, outermost first."""
    if isinstance(value, _Doubled):
        yield at + pointer(value.name)
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in parts:
        if isinstance(inner, dict | list):
            yield from _doubled(inner, at + pointer(name))


def _check_depth(body: bytes) -> None:
    """Count brackets outside strings; a text that is broken otherwise is left to the parser."""
    depth = 0
    for character in _OTHER.sub(b"", _STRINGS.sub(b"", body)):
        if character in b"[{":
            depth += 1
            if depth > DEPTH:
                raise Rejected(Code.TOO_DEEP, f"nested deeper than {DEPTH}")
        else:
            depth -= 1


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Rejected(Code.ENCODING_INVALID, "half of a surrogate pair") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    doubled = _Doubled(made)
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            doubled.name = name
            break
        seen.add(name)
    return doubled


def _constant(_: str) -> NoReturn:
    raise Rejected(Code.NUMBER_INVALID, "NaN and infinities are no JSON")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Rejected(Code.NUMBER_INVALID, "a number is too large")
    return number


def _int(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= (number := int(text)) < 2**64:
        raise Rejected(Code.NUMBER_INVALID, "an integer has more than 64 bits")
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int
)

"""Bytes for the eyes of a person."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.aside.documents import as_text, difference

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def test_json_is_compared_field_by_field() -> None:
    """Pointers as RFC 6901 writes them; what is new, gone or other; order and white space do not count."""
    before = {"a": 1, "b": {"c/d": [1, 2]}, "gone": None, "same": "x"}
    after = {"same": "x", "a": "1", "b": {"c/d": [1, 3, 4]}}
    told = difference(orjson.dumps(before), orjson.dumps(after, option=orjson.OPT_INDENT_2))
    assert told["how"] == "fields"
    assert told["fields"] == [
        {"pointer": "/a", "before": 1, "after": "1"},
        {"pointer": "/b/c~1d/1", "before": 2, "after": 3},
        {"pointer": "/b/c~1d/2", "after": 4},
        {"pointer": "/gone", "before": None},
    ]
    assert told["lines"][:2] == ["- /a: 1", '+ /a: "1"']


@given(VALUES, VALUES)
def test_no_difference_is_shown_only_where_there_is_none(before: Any, after: Any) -> None:
    """The same value has none, another value has some."""
    told = difference(orjson.dumps(before), orjson.dumps(after))
    assert bool(told["lines"]) is (orjson.dumps(before) != orjson.dumps(after))


def test_a_change_of_bytes_alone_is_shown_as_text() -> None:
    """Two texts of the same value: fields show nothing, so lines do."""
    assert difference(b'{"a":1}', b'{"a": 1}')["how"] == "text"


@pytest.mark.parametrize(("before", "how"), [(b'{"a": 1', "text"), (b"\xff\x00", "hex")])
def test_what_is_no_json_is_compared_as_text_or_bytes(before: bytes, how: str) -> None:
    """The broken original is the usual case."""
    told = difference(before, b'{"a": 1}')
    assert told["how"] == how
    assert told["lines"][:2] == ["--- original", "+++ corrected"]


def test_nothing_that_is_shown_commands_a_terminal() -> None:
    """Escapes are shown as text, in documents and in differences."""
    assert as_text(b"a\x1b[2J\nb") == "a\\x1b[2J\nb"
    for before, after in ((b"\x1b[2J", b"x"), (b'{"a":"\\u001b"}', b'{"a":1}')):
        assert "\x1b" not in "".join(difference(before, after)["lines"])

"""The strict JSON parser, held against JSONTestSuite and against what far sides send by accident or on purpose."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kits import json as strict
from schemas.errors import Code, Rejected

DOUBLED = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}


def test_json_test_suite(shared: Path) -> None:
    """Every n_ file is refused, every y_ file is parsed, an i_ file is one or the other: never another exception."""
    files = sorted((shared / "badinput/JSONTestSuite/test_parsing").iterdir())
    assert len(files) > 300
    wrong = []
    for file in files:
        try:
            strict.parse(file.read_bytes())
            parsed = True
        except Rejected:
            parsed = False
        if (file.name[0] == "y" and not parsed) or (file.name[0] == "n" and parsed):
            wrong.append(file.name)
    assert wrong == []


def test_doubled_names_are_lawful_json_and_refused_all_the_same(shared: Path) -> None:
    """The grammar allows a name twice; what we read as a document may not have one, and the pointer names it."""
    for name in sorted(DOUBLED):
        body = (shared / "badinput/JSONTestSuite/test_parsing" / name).read_bytes()
        assert strict.parse(body)[1] == ("/a",)
        with pytest.raises(Rejected) as refused:
            strict.loads(body)
        assert (refused.value.code, refused.value.at) == (Code.DUPLICATE_KEY, "/a")


@pytest.mark.parametrize(
    ("body", "code", "at"),
    [
        (b"", Code.EMPTY, ""),
        (b" \n", Code.EMPTY, ""),
        (b'{"a": 1', Code.SYNTAX_INVALID, ""),
        (b'{"a": 1} x', Code.SYNTAX_INVALID, ""),
        (b'{"a": "\xff"}', Code.ENCODING_INVALID, ""),
        (b'{"a": "\\ud800"}', Code.ENCODING_INVALID, ""),
        (b"NaN", Code.NUMBER_INVALID, ""),
        (b"[-Infinity]", Code.NUMBER_INVALID, ""),
        (b"1e400", Code.NUMBER_INVALID, ""),
        (b"-1e400", Code.NUMBER_INVALID, ""),
        (b"1" * 5000, Code.NUMBER_INVALID, ""),
        (b"18446744073709551616", Code.NUMBER_INVALID, ""),
        (b"[" * 65 + b"]" * 65, Code.TOO_DEEP, ""),
        (b"[" * 1_000_000, Code.TOO_DEEP, ""),
        (b'{"a":' * 1_000_000, Code.TOO_DEEP, ""),
        (b'{"x": [0, {"a/b": 1, "c": 2, "a/b": 3}]}', Code.DUPLICATE_KEY, "/x/1/a~1b"),
    ],
)
def test_refused_with_its_code(body: bytes, code: Code, at: str) -> None:
    """Each kind of broken text has its own code and, where there is one, the place."""
    with pytest.raises(Rejected) as refused:
        strict.loads(body)
    assert (refused.value.code, refused.value.at) == (code, at)


def test_brackets_in_strings_are_no_depth() -> None:
    """Depth counts structure, not text."""
    text = '{"a": "' + "[" * 500 + '\\"' + "{" * 500 + '"}'
    assert strict.loads(text.encode())["a"].startswith("[[[")
    assert strict.loads(b"[" * 64 + b"]" * 64)


def test_object_only() -> None:
    """A document is an object; a lawful text of another kind is refused as a wrong field."""
    with pytest.raises(Rejected) as refused:
        strict.read_object(b"[1]")
    assert refused.value.code is Code.FIELD_INVALID
    assert strict.read_object('{"ż": 1}'.encode()) == {"ż": 1}


@given(st.binary(max_size=200))
def test_total(body: bytes) -> None:
    """Any bytes give a value or Rejected, never another exception."""
    try:
        strict.loads(body)
    except Rejected as refused:
        assert refused.code in Code  # noqa: PT017 - both outcomes are lawful


def test_many_doubled_names_are_found_once_each_and_few_are_told() -> None:
    """A large list of doubled names is no work for seconds: what is told of it has an end."""
    _, doubled = strict.parse(b"[" + b",".join([b'{"a":1,"a":1}'] * 5_000) + b"]")
    assert doubled == tuple(f"/{number}/a" for number in range(strict.MOST_DOUBLED))

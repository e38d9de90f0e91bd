"""Commands: what is asked arrives; what cannot be followed is refused before it reaches a log."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.commands.translate import NEEDED, REASONED, translate
from connectors.contract import Document
from schemas.command import Command, Verb
from schemas.errors import Code, Rejected

ACCEPT: dict[str, Any] = {
    "verb": "accept",
    "incident_id": "i-1",
    "unit": "u",
    "actor": "dyzurny",
    "idempotency_key": "k",
}


def asked(**changes: Any) -> Command:
    """The command of a document with changes; None leaves a field out."""
    fields = {name: value for name, value in {**ACCEPT, **changes}.items() if value is not None}
    (told,) = translate(Document(orjson.dumps(fields))).events
    assert isinstance(told.payload, Command)
    assert told.far_id == "k"
    return told.payload


def test_a_command_arrives() -> None:
    """Who asks what of which incident."""
    command = asked(expected_version=3)
    assert (command.verb, command.incident_id, command.actor, command.expected_version) == (
        Verb.ACCEPT,
        "i-1",
        "dyzurny",
        3,
    )


def test_a_command_keeps_its_mode() -> None:
    """A command on a test says so; without a mode it is left to the installation."""
    for mode in ("test", None):
        fields = {**ACCEPT, "mode": mode} if mode else ACCEPT
        (told,) = translate(Document(orjson.dumps(fields))).events
        assert told.mode == mode


@pytest.mark.parametrize(
    ("changes", "code", "at"),
    [
        ({"verb": "explode"}, Code.COMMAND_UNKNOWN, "/verb"),
        ({"idempotency_key": None}, Code.FIELD_MISSING, "/idempotency_key"),
        ({"unit": None}, Code.FIELD_MISSING, "/unit"),
        ({"expected_version": -1}, Code.FIELD_INVALID, "/expected_version"),
        ({"verbb": "x"}, Code.FIELD_INVALID, "/verbb"),
        ({"verb": "refuse"}, Code.REASON_MISSING, "/reason"),
        ({"verb": "refuse", "reason": "  "}, Code.REASON_MISSING, "/reason"),
        ({"verb": "link"}, Code.FIELD_MISSING, "/report_id"),
        ({"verb": "hand-over"}, Code.FIELD_MISSING, "/to_unit"),
    ],
)
def test_what_cannot_be_followed_is_refused(changes: dict[str, Any], code: Code, at: str) -> None:
    """With a code and the field."""
    with pytest.raises(Rejected) as caught:
        asked(**changes)
    assert (caught.value.code, caught.value.at) == (code, at)


@pytest.mark.parametrize("verb", Verb)
def test_each_verb_can_be_asked(verb: Verb) -> None:
    """No verb of the list is refused when everything it needs is given."""
    extra = dict.fromkeys(NEEDED.get(verb, ()), "x") | ({"reason": "powód"} if verb in REASONED else {})
    assert asked(verb=verb.value, **extra).verb is verb


@given(st.binary() | st.dictionaries(st.text(), st.text() | st.integers(-5, 5)).map(orjson.dumps))
def test_anything_else_is_rejected(body: bytes) -> None:
    """Total: never another exception."""
    with pytest.raises(Rejected):
        translate(Document(body))

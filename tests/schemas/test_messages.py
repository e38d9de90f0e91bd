"""Every message: documented, classified, frozen, the same after a round trip."""

import typing

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from schemas.errors import Code, Rejected
from schemas.model import Message, Privacy
from schemas.report import Person, Report, Telling
from schemas.wire import PAYLOADS, derived_id, parse, payload, record, secret_id
from tests.schemas.samples import normalised, report, same_bytes

NUMBERS = (int, float)


def models() -> list[type[BaseModel]]:
    """Every message model of the project."""
    found: list[type[BaseModel]] = []
    waiting = list(Message.__subclasses__())
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if model.__module__.startswith("schemas."):
            found.append(model)
    return sorted(found, key=lambda model: model.__name__)


def fields() -> list[tuple[str, FieldInfo]]:
    """Every field but the discriminators of the facts."""
    return [
        (f"{model.__name__}.{name}", info)
        for model in models()
        for name, info in model.model_fields.items()
        if not (name == "kind" and typing.get_origin(info.annotation) is typing.Literal)
    ]


@pytest.mark.parametrize(("name", "info"), fields())
def test_each_field_says_what_it_is_and_who_may_see_it(name: str, info: FieldInfo) -> None:
    """A field without description, privacy class or (for a number) unit does not exist."""
    extra = info.json_schema_extra
    assert info.description, name
    assert isinstance(extra, dict), name
    assert extra["x-privacy"] in set(Privacy), name
    kinds = set(typing.get_args(info.annotation)) or {info.annotation}
    if kinds & set(NUMBERS):
        assert "x-unit" in extra, f"{name} is a number without a unit"


def test_messages_are_frozen() -> None:
    """What was said cannot be changed afterwards."""
    with pytest.raises(ValidationError):
        report().report_id = "other"  # type: ignore[misc]


def test_a_message_survives_its_bytes() -> None:
    """The same value gives the same bytes, and the bytes the same value."""
    assert same_bytes(report())
    assert same_bytes(normalised())


def test_a_reader_ignores_what_a_newer_writer_adds() -> None:
    """Old and new versions live together."""
    one = report()
    raw = one.to_json()[:-1] + b',"added_in_version_9":{"x":1}}'
    assert parse(Report, raw) == one


def test_a_record_carries_its_payload_both_ways() -> None:
    """Value and headers give back the payload that they were made from."""
    one = report()
    value, headers = record(one, id="r-1", source="/sztab/intake-1", extensions={"reportid": "r-1"})
    assert payload(headers, value) == one
    assert ("ce_reportid", b"r-1") in headers


@pytest.mark.parametrize("broken", [b"", b"{", b'{"report_id":1}', b"null"])
def test_a_record_that_does_not_fit_is_rejected_without_its_text(broken: bytes) -> None:
    """The error names the place and never the input."""
    with pytest.raises(Rejected) as caught:
        parse(Report, broken)
    assert caught.value.code is Code.RECORD_INVALID


def test_an_error_never_repeats_the_input() -> None:
    """A wrong personal value does not get into the message of the error."""
    raw = report().to_json().replace(b'"mode":"real"', b'"mode":"Przykladowa-600100200"')
    with pytest.raises(Rejected) as caught:
        parse(Report, raw)
    assert "600100200" not in str(caught.value)


def test_ids_follow_from_their_causes() -> None:
    """Same parts, same id; other parts or another installation, another id."""
    assert derived_id("a", 1) == derived_id("a", 1) != derived_id("a", 2)
    assert secret_id(b"k" * 32, "ab", "c") != secret_id(b"k" * 32, "a", "bc")
    assert secret_id(b"k" * 32, "a") != secret_id(b"j" * 32, "a")


def test_personal_values_travel_sealed_only() -> None:
    """No payload has an open field of class personal; Person itself is no payload."""
    open_fields = [
        f"{model.__name__}.{name}"
        for model in PAYLOADS
        for name, info in model.model_fields.items()
        if isinstance(info.json_schema_extra, dict)
        and info.json_schema_extra["x-privacy"] == Privacy.PERSONAL
        and "Sealed" not in str(info.annotation)
        and model.__name__ != "WrappedKey"
    ]
    assert open_fields == []
    assert Person not in PAYLOADS
    assert Telling.model_fields["description"].json_schema_extra == {"x-privacy": "sensitive"}

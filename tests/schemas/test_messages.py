"""Every message: documented, classified, frozen, the same after a round trip."""

import typing
import uuid
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from schemas.errors import Code, Rejected
from schemas.model import Message, Privacy, about
from schemas.privacy import Sealed, WrappedKey
from schemas.report import Person, Report, Telling
from schemas.wire import PAYLOADS, derived_id, parse, payload, record, secret_id
from tests.schemas.samples import normalised, report, same_bytes

NUMBERS = (int, float)
CLOSED = (Sealed, WrappedKey)
"""What is personal in these is ciphertext."""


class Nested(BaseModel):
    """A part of a message, as it must not be: a person in the open, and one behind a union with something sealed."""

    person: Annotated[Person | None, about("An open person.", Privacy.OPERATIONAL)] = None
    either: Annotated[Sealed | str | None, about("Sealed or not.", Privacy.PERSONAL)] = None
    sealed: Annotated[Sealed | None, about("As it should be.", Privacy.PERSONAL)] = None
    many: Annotated[tuple[Sealed, ...], about("Likewise.", Privacy.PERSONAL)] = ()
    again: Annotated["Nested | None", about("A model within itself.", Privacy.OPERATIONAL)] = None


class Outer(BaseModel):
    """A message, as it must not be: parts with open persons in a list and in a map, numbers without a unit."""

    parts: Annotated[tuple[Nested, ...], about("A list.", Privacy.OPERATIONAL)] = ()
    by_name: Annotated[dict[str, tuple[Nested | None, ...]], about("A map.", Privacy.OPERATIONAL)] = {}
    counts: Annotated[dict[str, int], about("Numbers.", Privacy.OPERATIONAL)] = {}
    pairs: Annotated[tuple[tuple[str, float | None], ...], about("Numbers.", Privacy.OPERATIONAL)] = ()
    sizes_m: Annotated[tuple[float, ...], about("Numbers with a unit.", Privacy.OPERATIONAL, "m")] = ()
    yes: Annotated[bool, about("No number.", Privacy.OPERATIONAL)] = True


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


def told_of(info: FieldInfo) -> dict[str, Any]:
    """What `about` said of a field beside its description; nothing of a discriminator."""
    extra = info.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def leaves(annotation: Any) -> Iterator[Any]:
    """Every type inside an annotation: of a union, a list, the keys and values of a map, however deep."""
    inner = [one for one in typing.get_args(annotation) if one is not ...]
    if typing.get_origin(annotation) is typing.Literal or not inner:
        yield annotation
        return
    for one in inner:
        yield from leaves(one)


def without_unit(info: FieldInfo) -> bool:
    """Whether there is a number somewhere in the field, and no word of its unit."""
    return bool(set(NUMBERS) & set(leaves(info.annotation))) and "x-unit" not in told_of(info)


def open_personal(model: type[BaseModel], at: str = "", above: tuple[type[BaseModel], ...] = ()) -> Iterator[str]:
    """Paths of the fields of class personal, however deep, that are neither `Sealed` nor inside of `CLOSED`."""
    if model in CLOSED or model in above:
        return
    for name, info in model.model_fields.items():
        path, kinds = f"{at}/{name}", set(leaves(info.annotation)) - {type(None)}
        if told_of(info).get("x-privacy") == Privacy.PERSONAL and kinds != {Sealed}:
            yield path
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from open_personal(kind, path, (*above, model))


@pytest.mark.parametrize(("name", "info"), fields())
def test_each_field_says_what_it_is_and_who_may_see_it(name: str, info: FieldInfo) -> None:
    """A field without description, privacy class or (for a number) unit does not exist."""
    assert info.description, name
    assert told_of(info).get("x-privacy") in set(Privacy), name
    assert not without_unit(info), f"{name} is a number without a unit"


def test_a_number_deep_in_a_field_wants_its_unit() -> None:
    """The rule above sees through lists, maps and unions."""
    assert {name for name, info in Outer.model_fields.items() if without_unit(info)} == {"counts", "pairs"}


def test_an_open_person_is_found_however_deep() -> None:
    """The rule that persons travel sealed looks into every part, and knows sealed from perhaps sealed."""
    found = set(open_personal(Outer))
    for part in ("/parts", "/by_name"):
        assert {f"{part}/person/{name}" for name in ("surname", "phone", "pesel")} <= found
        assert f"{part}/either" in found
        assert not any(one.startswith((f"{part}/sealed", f"{part}/many", f"{part}/again")) for one in found)


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
    namespace = uuid.UUID("6f3c2f0e-94a3-5a0c-9d0b-0a6a5b7f5e11")
    for at in range(200):
        parts = ("Łódź", at, "|")
        assert derived_id(*parts) == str(uuid.uuid5(namespace, f"Łódź|{at}||"))
    assert secret_id(b"k" * 32, "ab", "c") != secret_id(b"k" * 32, "a", "bc")
    assert secret_id(b"k" * 32, "a") != secret_id(b"j" * 32, "a")


@pytest.mark.parametrize("model", PAYLOADS, ids=lambda model: model.__name__)
def test_personal_values_travel_sealed_only(model: type[Message]) -> None:
    """No payload has an open field of class personal, however deep; Person itself is no payload."""
    assert list(open_personal(model)) == []
    assert model is not Person


def test_free_text_is_sensitive() -> None:
    """It may name a person by accident."""
    assert Telling.model_fields["description"].json_schema_extra == {"x-privacy": "sensitive"}

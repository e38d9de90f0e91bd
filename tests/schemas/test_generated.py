"""Generated documents are valid, and released versions stay readable."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from schemas.compatibility import Schema, problems
from schemas.generate import asyncapi, files, json_schema
from schemas.model import Message
from schemas.wire import PAYLOADS, SCHEMA_VERSION
from tests.schemas.samples import normalised, report

RELEASED = Path(__file__).parents[2] / "schemas" / "released"


@pytest.mark.parametrize("model", PAYLOADS, ids=lambda model: model.__name__)
def test_each_schema_is_valid(model: type[Message]) -> None:
    """JSON Schema 2020-12 accepts it as a schema."""
    Draft202012Validator.check_schema(json_schema(model))


@pytest.mark.parametrize("message", [report(), normalised()], ids=["Report", "ReportNormalised"])
def test_what_travels_fits_its_schema(message: Message) -> None:
    """A partner that validates gets no surprise."""
    Draft202012Validator(json_schema(type(message))).validate(json.loads(message.to_json()))


def test_the_same_models_give_the_same_files() -> None:
    """Generating twice changes nothing."""
    assert files("0.1.0") == files("0.1.0")


def test_asyncapi_is_valid(shared: Path) -> None:
    """The published schema of AsyncAPI 3.0.0 accepts the document."""
    schema = json.loads((shared / "corpora/asyncapi/3.0.0.json").read_text("utf-8"))
    errors = [
        f"{list(e.absolute_path)}: {e.message[:200]}" for e in Draft7Validator(schema).iter_errors(asyncapi("0.1.0"))
    ]
    assert errors == []


def test_asyncapi_references_exist() -> None:
    """Every reference inside the document leads somewhere."""
    document = asyncapi("0.1.0")
    missing = []
    for reference in set(_references(document)):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part, {})
        if not target:
            missing.append(reference)
    assert missing == []


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []


MODELS = {f"{model.__name__}.v{SCHEMA_VERSION}.json": model for model in PAYLOADS}


@pytest.mark.parametrize("path", sorted(RELEASED.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_each_released_schema_lives_with_its_model(path: Path) -> None:
    """A reader of either age understands a writer of the other: a payload that was released once has its model."""
    assert path.name in MODELS, f"{path.name} was released, and no payload is called so any more"
    assert problems(json.loads(path.read_text("utf-8")), json_schema(MODELS[path.name])) == []


@pytest.mark.parametrize("name", MODELS)
def test_each_payload_has_a_released_schema(name: str) -> None:
    """What travels is held to something."""
    assert list(RELEASED.glob(f"*/{name}")), f"no released schema {name}"


OLD = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "string", "enum": ["x"]}, "c": {"$ref": "#/$defs/C"}},
    "required": ["a"],
    "$defs": {"C": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "integer"}}]}},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"required": ["a", "b"]}, "became required"),
        ({"required": []}, "no longer always written"),
        ({"properties": {"a": {"type": "integer"}, "b": OLD["properties"]["b"], "c": {"$ref": "#/$defs/C"}}}, "type"),  # type: ignore[index]
        ({"properties": {"a": {"type": "string"}, "c": {"$ref": "#/$defs/C"}}}, "was removed"),
        ({"$defs": {"C": {"anyOf": [{"type": "null"}]}}}, "variants"),
        ({"$defs": {"C": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "string"}}]}}}, "type"),
    ],
)
def test_a_breaking_change_is_named(change: dict[str, object], said: str) -> None:
    """The comparison can fail: each kind of break is found."""
    assert any(said in problem for problem in problems(OLD, {**OLD, **change}))


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
LIST: Schema = {"type": "array", "items": TEXT}
MAP: Schema = {"type": "object", "additionalProperties": TEXT}
PLACE: Schema = {"$ref": "#/$defs/Place"}
DEFS: Schema = {"Place": {"title": "Place", "type": "object", "properties": {"lat": NUMBER}}}


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (TEXT, {**TEXT, "maxLength": 9}, "maxLength"),
        ({**TEXT, "maxLength": 10}, {**TEXT, "maxLength": 9}, "maxLength"),
        (TEXT, {**TEXT, "minLength": 1}, "minLength"),
        (TEXT, {**TEXT, "pattern": "^a"}, "pattern"),
        ({**TEXT, "pattern": "^a"}, {**TEXT, "pattern": "^b"}, "pattern"),
        (TEXT, {**TEXT, "format": "date-time"}, "format"),
        (TEXT, {**TEXT, "const": "x"}, "const"),
        (TEXT, {**TEXT, "enum": ["x"]}, "allowed values"),
        (TEXT, {**TEXT, "contentEncoding": "base64"}, "contentEncoding"),
        (NUMBER, {**NUMBER, "minimum": 0}, "minimum"),
        ({**NUMBER, "minimum": 0}, {**NUMBER, "minimum": 1}, "minimum"),
        (NUMBER, {**NUMBER, "maximum": 9}, "maximum"),
        (NUMBER, {**NUMBER, "exclusiveMinimum": 0}, "exclusiveMinimum"),
        (NUMBER, {**NUMBER, "exclusiveMaximum": 9}, "exclusiveMaximum"),
        (NUMBER, {**NUMBER, "multipleOf": 2}, "multipleOf"),
        (NUMBER, {"type": "integer"}, "type"),
        (LIST, {**LIST, "minItems": 1}, "minItems"),
        (LIST, {**LIST, "maxItems": 9}, "maxItems"),
        (LIST, {**LIST, "uniqueItems": True}, "uniqueItems"),
        (LIST, {"type": "array"}, "items a schema became anything"),
        (LIST, {**LIST, "items": False}, "items a schema became nothing"),
        (LIST, {**LIST, "items": {**TEXT, "maxLength": 9}}, "/f/*: maxLength"),
        ({**LIST, "prefixItems": [TEXT]}, {**LIST, "prefixItems": [NUMBER]}, "/f/0: type"),
        ({**LIST, "prefixItems": [TEXT]}, {**LIST, "prefixItems": [TEXT, TEXT]}, "prefixItems"),
        (LIST, {**LIST, "prefixItems": [TEXT]}, "prefixItems"),
        (MAP, {"type": "object"}, "additionalProperties a schema became anything"),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}, "anything became nothing"),
        (MAP, {**MAP, "additionalProperties": {**TEXT, "minLength": 1}}, "/f/*: minLength"),
        (MAP, {**MAP, "propertyNames": {"maxLength": 9}}, "propertyNames"),
        ({**TEXT, "x-privacy": "public"}, {**TEXT, "x-privacy": "sensitive"}, "x-privacy"),
        ({**PLACE, "x-privacy": "public"}, {**PLACE, "x-privacy": "sensitive"}, "x-privacy"),
        ({**NUMBER, "x-unit": "m"}, {**NUMBER, "x-unit": "km"}, "x-unit"),
        ({**TEXT, "default": "a"}, {**TEXT, "default": "b"}, "absent"),
        ({**PLACE, "default": {"lat": 1}}, {**PLACE, "default": {"lat": 2}}, "absent"),
        ({"anyOf": [TEXT, NUMBER]}, {"anyOf": [TEXT]}, "variants"),
        ({"anyOf": [{**TEXT, "maxLength": 9}, TEXT]}, {"anyOf": [TEXT, TEXT]}, "/f/string: maxLength"),
        ({"anyOf": [TEXT, {**TEXT, "maxLength": 9}]}, {"anyOf": [TEXT, TEXT]}, "/f/string 2: maxLength"),
        ({"allOf": [TEXT]}, {"allOf": [TEXT, {"maxLength": 9}]}, "allOf"),
        ({"allOf": [PLACE]}, {"allOf": [MAP]}, "/f/0"),
        (TEXT, {**TEXT, "x-invented-later": 1}, "x-invented-later"),
    ],
)
def test_a_change_of_what_a_value_may_be_is_named_both_ways(one: Schema, other: Schema, said: str) -> None:
    """Narrower breaks reading the old with the new, wider reading the new with the old."""
    first, second = ({"type": "object", "properties": {"f": field}, "$defs": DEFS} for field in (one, other))
    assert problems(first, first) == problems(second, second) == []
    assert any(said in problem for problem in problems(first, second)), problems(first, second)
    assert problems(second, first)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TEXT, {**TEXT, "title": "F", "description": "What it is.", "examples": ["x"], "deprecated": True}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({**TEXT, "enum": ["x", "y"]}, {**TEXT, "enum": ["y", "x"]}),
        ({**PLACE, "default": {"lat": 1}}, {**PLACE, "default": {"lat": 1, "added": None}}),
    ],
)
def test_what_is_for_people_or_means_the_same_breaks_nothing(one: Schema, other: Schema) -> None:
    """Texts may be mended, and the same thing may be said in other words."""
    first, second = ({"type": "object", "properties": {"f": field}, "$defs": DEFS} for field in (one, other))
    assert problems(first, second) == problems(second, first) == []


def test_an_added_optional_field_breaks_nothing() -> None:
    """Growth is allowed, but where the released schema takes nothing more."""
    grown = {**OLD, "properties": {**OLD["properties"], "d": {"type": "string"}}}  # type: ignore[dict-item]
    assert problems(OLD, grown) == []
    closed = {"additionalProperties": False}
    assert problems({**OLD, **closed}, {**grown, **closed}) == ["/d: was added where old readers take nothing more"]

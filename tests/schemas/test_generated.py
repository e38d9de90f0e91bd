"""Generated documents are valid, and released versions stay readable."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from schemas.compatibility import problems
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


@pytest.mark.parametrize("model", PAYLOADS, ids=lambda model: model.__name__)
def test_each_schema_lives_with_its_released_versions(model: type[Message]) -> None:
    """A reader of either age understands a writer of the other."""
    released = sorted(RELEASED.glob(f"*/{model.__name__}.v{SCHEMA_VERSION}.json"))
    assert released, f"no released schema of {model.__name__}"
    for path in released:
        assert problems(json.loads(path.read_text("utf-8")), json_schema(model)) == [], path.name


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


def test_an_added_optional_field_breaks_nothing() -> None:
    """Growth is allowed."""
    grown = {**OLD, "properties": {**OLD["properties"], "d": {"type": "string"}}}  # type: ignore[dict-item]
    assert problems(OLD, grown) == []

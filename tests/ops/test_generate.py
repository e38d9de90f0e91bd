"""Generated documents: current, complete, true to what is served."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from connectors.contract import SourceSettings
from connectors.kits.http import Listener
from connectors.registry import CONNECTORS
from ops import generate, handbook_commands, handbook_settings, openapi
from ops.aside.api import QuarantineApi
from ops.attribute_docs import attribute_docs
from ops.cli import COMMANDS, sztab
from ops.console.app import Parts, build
from ops.console.board import Board
from ops.console.hub import Hub
from ops.docs_page import docs_routes, page
from ops.http import operation_app, served
from ops.intake_app import Gate, IntakeApi, build_app
from ops.metrics import Metrics
from ops.openapi_routes import ROUTES
from ops.settings import Settings
from schemas.errors import Code
from schemas.topics import catalogue

DOCUMENT = openapi.document("0.0.0")


def _refs(node: Any) -> set[str]:
    if isinstance(node, list):
        return {ref for one in node for ref in _refs(one)}
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own | {ref for one in node.values() for ref in _refs(one)}


def test_what_is_checked_in_is_current() -> None:
    """Nobody reads a page that tells of another version."""
    assert generate.differing(generate.documents()) == []


def test_a_changed_and_a_left_over_document_are_found(tmp_path: Path) -> None:
    """`--check` sees what was edited by hand, what is missing, and what is generated no more; writing mends all."""
    made = {Path("ops/handbook/x.md"): "x", Path("schemas/generated/y.json"): "{}"}
    assert generate.differing(made, tmp_path) == sorted(made)
    generate.write(made, tmp_path)
    assert generate.differing(made, tmp_path) == []
    (tmp_path / "ops/handbook/x.md").write_text("edited")
    (tmp_path / "schemas/generated/old.json").write_text("{}")
    assert generate.differing(made, tmp_path) == [Path("ops/handbook/x.md"), Path("schemas/generated/old.json")]
    generate.write(made, tmp_path)
    assert not (tmp_path / "schemas/generated/old.json").exists()


def test_check_fails_when_a_document_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make check` stops there, naming the document and the remedy."""
    monkeypatch.setattr(generate, "documents", lambda: {Path("ops/handbook/none.md"): "x"})
    monkeypatch.setattr(generate, "differing", list)
    result = CliRunner().invoke(sztab, ["generate", "--check"])
    assert result.exit_code == 1
    assert "ops/handbook/none.md is not current" in result.stderr


def test_every_setting_command_connector_and_topic_has_its_line() -> None:
    """The handbook is complete because it is made from the code."""
    settings = handbook_settings.settings_page()
    for name, field in Settings.model_fields.items():
        assert field.exclude or f"`{name}`" in settings or f"[{name}]" in settings, name
    commands = handbook_commands.commands_page(sztab)
    assert [name for name in COMMANDS if f"## sztab {name}\n" not in commands] == []
    connectors = handbook_settings.connectors_page(CONNECTORS)
    assert [name for name in CONNECTORS if f"| `{name}` |" not in connectors] == []
    retention = handbook_commands.retention_page()
    assert [name for name in catalogue(["example"]) if f"| `{name}` |" not in retention] == []


def test_every_setting_of_every_connector_is_described() -> None:
    """A partner's engineer finds a sentence for each; the contract's own fields are described once."""
    shared = attribute_docs(SourceSettings)
    bare = [
        f"{one.name}.{name}"
        for one in CONNECTORS.values()
        for name in one.settings.model_fields
        if not (attribute_docs(one.settings).get(name) or shared.get(name))
    ]
    assert bare == []


def test_openapi_is_sound() -> None:
    """Every reference leads somewhere, every path parameter is described, every operation has its own id."""
    schemas = DOCUMENT["components"]["schemas"]
    assert {ref.rsplit("/", 1)[1] for ref in _refs(DOCUMENT)} <= set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    operations = [(path, one) for path, methods in DOCUMENT["paths"].items() for one in methods.values()]
    assert len({one["operationId"] for _, one in operations}) == len(operations) == len(ROUTES)
    for path, one in operations:
        named = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert named == {parameter["name"] for parameter in one.get("parameters", ())}, path
        assert one["responses"]


def test_openapi_knows_every_code() -> None:
    """A partner's generated client has every reason that we may give."""
    assert set(DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == set(Code)


def test_the_table_of_routes_is_what_is_served() -> None:
    """No operation is promised that is not there, and none is there that a partner does not find."""
    nothing: Any = None
    api = IntakeApi(nothing, nothing, Gate(()), nothing, nothing)
    aside = QuarantineApi(nothing, nothing, Gate(()))
    listener = Listener({}, nothing, nothing, nothing)
    board: Any = Board()
    parts = Parts("", "", board, Hub("x", board.snapshot), nothing, nothing, {}, nothing)
    operation = operation_app(Metrics().registry, nothing)
    served_there = {
        _key(route)
        for app in (build_app(listener, api, aside.routes()), build(parts), operation)
        for route in app.router.routes()
    }
    silent = {("get", "/static/{name}"), ("get", "/docs"), ("get", "/openapi.json")}
    promised = {(route.method, route.path) for route in ROUTES}
    assert {one for one in served_there if one[0] != "head"} - silent == promised


def _key(route: web.AbstractRoute) -> tuple[str, str]:
    assert route.resource is not None
    return route.method.lower(), route.resource.canonical


async def test_docs_are_one_page_without_foreign_assets() -> None:
    """It opens on a machine without internet: no script, no link elsewhere; every operation stands there."""
    app = web.Application()
    app.add_routes(docs_routes())
    async with served(app, "127.0.0.1", 0) as url, aiohttp.ClientSession() as session:
        async with session.get(url + "/docs") as answer:
            text = await answer.text()
            assert "script" not in text
            assert "http://" not in text.replace(url, "")
        async with session.get(url + "/openapi.json") as answer:
            assert (await answer.json())["openapi"] == "3.1.0"
    assert [route.path for route in ROUTES if f"{route.method.upper()} {route.path}" not in text] == []
    assert text == page(openapi.document(version("sztab")))

"""The HTTP API as OpenAPI 3.1, from one table of routes: intake, commands, receipts, console, operation."""

from collections.abc import Iterator
from typing import Any, Final

from ops.openapi_aside import aside_schemas
from ops.openapi_routes import ROUTES, Route
from schemas.command import Command
from schemas.errors import Code
from schemas.finding import Finding

Schema = dict[str, Any]

PROBLEM: Final = "application/problem+json"
IDENTITY: Final = ("command_id", "actor", "asked_at", "incident_id")
"""Fields of a command that the intake fills in."""


TAGS: Final = {
    "intake": "For partners: documents in, receipts out. Bearer token of the source; without one loopback only.",
    "commands": "For officers and partners: changes of incidents. Bearer token of an account.",
    "quarantine": "For accounts with the role operator; without accounts for this machine. Every act needs its reason.",
    "console": "Behind the page of the duty desk.",
    "operation": "Every role, on its operation address; names no person.",
}


def document(version: str) -> Schema:
    """The OpenAPI 3.1 document."""
    paths: Schema = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sztab",
            "version": version,
            "description": "HTTP API of the hub. Errors are problems (RFC 9457) whose `type` leads to what to do.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic", "description": "Account and token, for the page."},
            },
            "schemas": _schemas(),
        },
    }


def _operation(route: Route) -> Schema:
    made: Schema = {"operationId": route.id, "summary": route.summary, "tags": [route.tag]}
    if route.parameters:
        made["parameters"] = [
            {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in route.parameters.items()
        ]
    if route.body:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(route.body)}}}
    made["responses"] = dict(_responses(route))
    if route.tag in {"intake", "commands", "quarantine"}:
        made["security"] = [{"token": []}, {}]
    elif route.tag == "console":
        made["security"] = [{"password": []}, {"token": []}, {}]
    return made


def _responses(route: Route) -> Iterator[tuple[str, Schema]]:
    for status, (text, schema) in route.answers.items():
        yield str(status), {"description": text, "content": {route.media: {"schema": _ref(schema)} if schema else {}}}
    for status in route.problems:
        yield str(status), {"description": "A problem.", "content": {PROBLEM: {"schema": _ref("Problem")}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _schemas() -> Schema:
    finding = Finding.model_json_schema(ref_template="#/components/schemas/{model}")
    request = Command.model_json_schema(ref_template="#/components/schemas/{model}")
    nested = {**finding.pop("$defs", {}), **request.pop("$defs", {})}
    asked = {name: one for name, one in request["properties"].items() if name not in IDENTITY}
    # Left out is not `real`, as in the message, but what the installation is.
    asked["mode"] = {"$ref": "#/components/schemas/Mode", "description": "The incident's; else the installation's."}
    asked["idempotency_key"] = _text("The same key is the same command; a fresh one for every new intention.")
    return {**nested, "Finding": finding, **_documents(), **_commands(asked), **aside_schemas(), **_told()}


def _documents() -> Schema:
    held = {"enum": ["broker", "journal"], "description": "Where it is held when the answer goes out."}
    return {
        "Document": {
            "type": "object",
            "description": "What the source's connector understands; see its README. Unknown fields are kept.",
            "additionalProperties": True,
        },
        "Accepted": _object(
            ("id", "held", "status", "reports", "repeated", "findings"),
            id=_text("Id of the document."),
            held=held,
            status=_text("Address of the receipt."),
            reports={"type": "array", "items": {"type": "string"}, "description": "Ids of its reports."},
            repeated={"type": "boolean", "description": "We had it already; nothing was done again."},
            findings={"type": "array", "items": _ref("Finding"), "description": "What was odd and did not stop us."},
        ),
        "Receipt": _object(
            ("id", "source", "received_at", "held", "state", "reports"),
            id=_text("Id of the document."),
            source=_text("Who sent it."),
            received_at={"type": "string", "format": "date-time", "description": "When our journal held it."},
            held=held,
            state={
                "enum": ["received", "published", "quarantine-pending", "quarantined"],
                "description": "How far it is.",
            },
            reports={"type": "array", "items": {"type": "string"}, "description": "Ids of its reports."},
            code=_text("Why it was quarantined."),
            detail=_text("The same for a person."),
            pointer=_text("JSON pointer into the document."),
        ),
    }


def _commands(asked: Schema) -> Schema:
    return {
        "CommandRequest": {"type": "object", "required": ["verb"], "properties": asked},
        "HeldDecision": _object(
            ("act",),
            act={"enum": ["release", "discard"], "description": "Let the rows go, or never send them."},
            rows={"type": "array", "items": {"type": "integer"}, "description": "Row numbers; else `all`."},
            all={"type": "boolean", "description": "Every held row; needs a reason."},
            reason=_text("Why; kept with who decided. Compulsory to discard."),
        ),
        "CommandDone": _object(
            ("fact_id", "kind", "incident_id"),
            fact_id=_text("Id of the fact."),
            kind=_text("What happened."),
            incident_id={"type": ["string", "null"], "description": "The incident."},
            version={"type": ["integer", "null"], "description": "Its version from now on."},
            state={"type": ["string", "null"], "description": "Its state from now on."},
        ),
        "CommandLater": _object(
            ("command_id", "status"),
            command_id=_text("Id of the command."),
            held=_text("Where it is held."),
            status=_text("Where to ask."),
        ),
    }


def _told() -> Schema:
    return {
        "Ready": _object(
            ("ready", "why"),
            ready={"type": "boolean", "description": "Whether it is."},
            why={"type": "array", "items": {"type": "string"}, "description": "What is not."},
        ),
        "Problem": _object(
            ("type", "title", "code"),
            type=_text("Leads to the meaning of the code."),
            title=_text("For a person."),
            status={"type": "integer", "description": "The HTTP status."},
            code={"enum": [code.value for code in Code], "description": "The reason."},
            detail=_text("For a person, without what was sent."),
            pointer=_text("JSON pointer into what was sent."),
            id=_text("Id of the document, when it is kept."),
            kept=_text("`quarantine`: it is kept there, in front of a person."),
        ),
    }

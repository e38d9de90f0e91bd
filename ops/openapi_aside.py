"""The schemas of the quarantine API in the OpenAPI document: what is asked, what is told."""

from typing import Any

from ops.aside.shelf import State
from schemas.delivery import Handling
from schemas.errors import Code

Schema = dict[str, Any]


def _text(description: str) -> Schema:
    return {"type": "string", "description": description}


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _list(of: str, description: str) -> Schema:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{of}"}, "description": description}


def aside_schemas() -> dict[str, Schema]:
    """By name."""
    return {**_told(), **_asked(), **_jobs()}


def _told() -> dict[str, Schema]:
    state = {"enum": [one.value for one in State], "description": "Whether it waits for a person."}
    code = {"enum": [one.value for one in Code], "description": "Why it was set aside."}
    count = {"type": "integer", "minimum": 0}
    time = {"type": "string", "format": "date-time"}
    return {
        "AsideItem": _object(
            ("item_id", "state", "stage", "code", "first_seen", "last_seen", "times", "tries", "trace", "history"),
            item_id=_text("Its id."),
            state=state,
            stage=_text("Where it was set aside, and where a replay re-enters."),
            code=code,
            at=_text("JSON pointer into the document."),
            detail=_text("The same for a person, without input text."),
            source=_text("Source instance."),
            peer=_text("Configured name of the system that sent it."),
            recipient=_text("Who should have got it."),
            first_seen={**time, "description": "When it came here first."},
            last_seen={**time, "description": "When it came here last."},
            times={**count, "description": "How often it came here."},
            tries={**count, "description": "How often it was replayed."},
            trace=_text("Its way, on the page of the desk."),
            resolved={"$ref": "#/components/schemas/AsideAct"},
            history=_list("AsideAct", "What was done with it."),
        ),
        "AsideAct": _object(
            ("handling_id", "handling", "actor", "reason", "acted_at"),
            handling_id=_text("Its id."),
            handling={"enum": [one.value for one in Handling], "description": "What was done."},
            actor=_text("Account that did it."),
            reason=_text("Why."),
            acted_at={**time, "description": "When."},
            corrected_by=_text("Document that corrects it."),
            job=_text("Replay of many that did it."),
        ),
        "AsideList": _object(
            ("items", "count", "histogram"),
            items=_list("AsideItem", "At most a thousand; `count` is always whole."),
            count={**count, "description": "How many are meant."},
            histogram={"type": "array", "items": {"type": "object"}, "description": "By reason, stage and source."},
            passed_over={**count, "description": "Records that could not be read."},
        ),
        "AsideDifference": _object(
            ("item_id", "how", "lines"),
            item_id=_text("The item."),
            how={"enum": ["fields", "text", "hex"], "description": "What was compared."},
            lines={"type": "array", "items": {"type": "string"}, "description": "For a person."},
            fields={"type": "array", "items": {"type": "object"}, "description": "Pointer, before, after."},
        ),
        "AsideHandled": _object(
            ("item_id", "handling", "handling_id"),
            item_id=_text("The item."),
            handling={"enum": [one.value for one in Handling], "description": "What was done."},
            handling_id=_text("Id of the act."),
            document_id=_text("The document that re-entered, or the correction."),
            reports={"type": "array", "items": {"type": "string"}, "description": "Ids of its reports."},
        ),
    }


def _asked() -> dict[str, Schema]:
    purpose = _text("Why; goes to the audit log with the asker's name.")
    return {
        "AsideLook": _object(("purpose",), purpose=purpose),
        "AsideReplay": _object(
            ("purpose",),
            purpose=purpose,
            corrected=_text("A corrected copy, base64."),
            content_type=_text("Its media type, where it is not the source's usual one."),
        ),
        "AsideDiscard": _object(("reason",), reason=_text("Why it is nothing.")),
        "ReplayRequest": _object(
            (),
            purpose=purpose,
            dry_run={"type": "boolean", "default": True, "description": "Only tell what would be replayed."},
            **{
                name: {"type": "array", "items": {"type": "string"}, "description": f"Only of this {name}."}
                for name in ("code", "source", "stage", "state")
            },
            since=_text("Only seen since (RFC 3339)."),
            until=_text("Only seen before."),
        ),
    }


def _jobs() -> dict[str, Schema]:
    count = {"type": "integer", "minimum": 0}
    counts = {"type": "object", "additionalProperties": count}
    return {
        "ReplayJob": _object(
            ("selected",),
            job=_text("Its id; none in a dry run."),
            dry_run={"type": "boolean", "description": "Whether nothing was done."},
            state={"enum": ["running", "waiting", "done"], "description": "How far it is."},
            selected={**count, "description": "Items that it works on: frozen when it began."},
            done={**count, "description": "Items that have their end."},
            elsewhere={**count, "description": "Items that cannot re-enter from this node."},
            would={**counts, "description": "What would become of them."},
            outcomes={**counts, "description": "What became of them."},
            items={"type": "object", "description": "What became of each."},
        ),
        "ReplayList": _object(("replays",), replays=_list("ReplayJob", "Newest first.")),
    }

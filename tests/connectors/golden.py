"""Golden files of a connector: `golden/<case>.in.<ext>` beside it, and what they mean in `<case>.out.json`.

`GOLDEN=write` in the environment writes the answers anew, to be read and judged before they are committed.
"""

import os
from pathlib import Path
from typing import Any

import orjson

from connectors.contract import Document, Translate
from schemas.errors import Rejected


def cases(folder: Path) -> list[str]:
    """Names of the cases in a connector's `golden` folder."""
    return sorted(path.name.split(".in.")[0] for path in folder.glob("*.in.*"))


def meaning(translate: Translate, document: Document) -> dict[str, Any]:
    """What a document is translated to, as data: findings and events, or why it was rejected."""
    try:
        done = translate(document)
    except Rejected as refused:
        return {"rejected": {"code": refused.code.value, "at": refused.at, "detail": refused.detail}}
    return {
        "findings": [orjson.loads(one.to_json()) for one in done.findings],
        "events": [
            {
                "type": type(one.payload).__name__,
                **{name: given for name in ("far_id", "far_revision") if (given := getattr(one, name)) is not None},
                "payload": orjson.loads(one.payload.to_json()),
            }
            for one in done.events
        ],
    }


def check(folder: Path, case: str, found: Any) -> None:
    """Hold what was found against the case's `.out.json`."""
    if os.environ.get("GOLDEN") == "write":
        write(folder, case, found)
    assert orjson.loads((folder / f"{case}.out.json").read_bytes()) == found


def write(folder: Path, case: str, found: Any) -> None:
    """Make what was found the case's answer."""
    (folder / f"{case}.out.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")

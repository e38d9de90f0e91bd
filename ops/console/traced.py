"""The way of one id as a page: a line for each record, in the order of time, and below it everything that is known."""

import html
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from ops.console.tables import WARSAW, table

HEADINGS: Final = ("Czas / time", "Gdzie / where", "Co / what", "Dla / for", "Numer / id")


def way(found: Mapping[str, Any]) -> str:
    """The body of the page. `found` is what `ops.trace.traced` gives: no personal data, and none is added."""
    journal = [
        (one["received_at"], f"{one['node']}, {one['row']}", f"{one['source']}: {one['state']}", "", one["document_id"])
        for one in found.get("documents", ())
    ]
    records = [
        (
            one["at"],
            f"{one['topic']} {one['partition']}/{one['offset']}",
            one.get("kind", ""),
            one.get("recipient") or one.get("unit", ""),
            one.get("id", ""),
        )
        for one in found.get("records", ())
    ]
    lines = sorted([*journal, *records], key=lambda line: datetime.fromisoformat(line[0]))
    cut = "<p>Pokazano tylko początek / only the beginning is shown</p>" if found.get("cut") else ""
    everything = html.escape(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    title = f"<h1>{html.escape(str(found.get('kind', '')))} {html.escape(str(found.get('id', '')))}</h1>"
    rows = table(HEADINGS, ((_time(at), *rest) for at, *rest in lines))
    return f"{title}{rows}{cut}<details><summary>JSON</summary><pre>{everything}</pre></details>"


def _time(at: str) -> str:
    local = datetime.fromisoformat(at).astimezone(WARSAW)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}"

"""The way of one id as a page: a line for each record, in the order of time, and below it everything that is known."""

import html
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

WARSAW: Final = ZoneInfo("Europe/Warsaw")
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
    rows = "".join(
        _row(*line) for line in sorted([*journal, *records], key=lambda line: datetime.fromisoformat(line[0]))
    )
    head = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    cut = "<p>Pokazano tylko początek / only the beginning is shown</p>" if found.get("cut") else ""
    everything = html.escape(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    title = f"<h1>{html.escape(str(found.get('kind', '')))} {html.escape(str(found.get('id', '')))}</h1>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"{title}{table}{cut}<details><summary>JSON</summary><pre>{everything}</pre></details>"


def _row(at: str, where: str, what: str, whom: str, id: str) -> str:
    local = datetime.fromisoformat(at).astimezone(WARSAW)
    cells = (f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d}", where, what, whom, id)
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"

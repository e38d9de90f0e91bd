"""A table of a printable page, and the time zone of its times."""

import html
from collections.abc import Iterable
from typing import Final
from zoneinfo import ZoneInfo

WARSAW: Final = ZoneInfo("Europe/Warsaw")


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], kind: str = "") -> str:
    """The table as HTML, every cell escaped; `kind` is its class on the page."""
    head = "".join(f"<th>{heading}</th>" for heading in headings)
    body = "".join(_row(cells) for cells in rows)
    attribute = f' class="{kind}"' if kind else ""
    return f"<table{attribute}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"

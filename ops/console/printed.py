"""The printable list of open incidents, Polish or English: paper is the fallback, so it needs no script. Pure."""

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ops.console.board import CLOSED
from ops.console.tables import WARSAW, table


@dataclass(frozen=True, slots=True)
class Words:
    """What stands on the sheet in one language; `states` as the page says them."""

    title: str
    headings: tuple[str, ...]
    urgent: str
    ordinary: str
    states: Mapping[str, str]


WORDS: Final[Mapping[str, Words]] = {
    "pl": Words(
        "Otwarte zdarzenia",
        ("Pilność", "Rodzaj", "Miejsce", "Stan", "Zgł.", "Otwarte", "Numer"),
        "PILNE",
        "zwykłe",
        {
            "open": "nowe",
            "accepted": "przyjęte",
            "dispatched": "zadysponowane",
            "on-scene": "na miejscu",
            "handed-over": "przekazane",
        },
    ),
    "en": Words(
        "Open incidents",
        ("Urgency", "Kind", "Place", "State", "Reports", "Opened", "Number"),
        "URGENT",
        "ordinary",
        {
            "open": "new",
            "accepted": "accepted",
            "dispatched": "dispatched",
            "on-scene": "on scene",
            "handed-over": "handed over",
        },
    ),
}


def sheet(
    views: Iterable[Mapping[str, Any]],
    categories: Mapping[str, Mapping[str, str]],
    name: str,
    now: datetime,
    language: str,
) -> tuple[str, str]:
    """Title and body of the sheet: open incidents, urgent ones first, then the oldest. Another language: Polish."""
    language = language if language in WORDS else "pl"
    words = WORDS[language]
    live = [view for view in views if view["state"] not in CLOSED]
    live.sort(key=lambda view: (view["urgency"] != "urgent", view["opened_at"]))
    local = now.astimezone(WARSAW)
    rows = [_cells(view, categories.get(view["category"], {}).get(language), words, local) for view in live]
    head = f"<h1>{words.title}: {len(live)}</h1><p>{html.escape(name)}, {local:%Y-%m-%d %H:%M}</p>"
    return words.title, head + table(words.headings, rows, "list")


def _cells(view: Mapping[str, Any], kind: str | None, words: Words, now: datetime) -> tuple[str, ...]:
    """The day is written only where it is not the sheet's own."""
    opened = datetime.fromisoformat(view["opened_at"]).astimezone(WARSAW)
    return (
        words.urgent if view["urgency"] == "urgent" else words.ordinary,
        kind or view["category"],
        view["place"]["line"] or "–",
        words.states.get(view["state"], view["state"]),
        str(view["reports"]),
        f"{opened:%H:%M:%S}" if opened.date() == now.date() else f"{opened:%Y-%m-%d %H:%M:%S}",
        view["id"][:8],
    )

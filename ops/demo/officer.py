"""The scripted officer looks at the page like a person: accepts what is open, settles suggestions, reads updates."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import structlog

LOOK_SECONDS: Final = 1.0
ACCEPTED_PER_LOOK: Final = 3
HANDS: Final = {"X-Sztab-Page": "1"}

log = structlog.get_logger()


def decide(incidents: list[dict[str, Any]], asked: set[str]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What the officer does about what is on the page: (incident, command) pairs, urgent and old ones first. Pure.

    `asked` holds what was already asked; every second suggestion is another incident.
    """
    chosen: list[tuple[dict[str, Any], dict[str, Any]]] = []
    waiting = sorted(incidents, key=lambda i: (i["urgency"] != "urgent", i["opened_at"]))
    for incident in [one for one in waiting if one["state"] == "open" and f"accept {one['id']}" not in asked]:
        if len(chosen) >= ACCEPTED_PER_LOOK:
            break
        chosen.append((incident, {"verb": "accept"}))
    for incident in waiting:
        suggestion = next(iter(incident["suggestions"]), None)
        if suggestion and f"settle {incident['id']} {suggestion['target']}" not in asked:
            same = sum(1 for name in asked if name.startswith("settle")) % 2 == 0
            command = {"verb": "confirm", "target_id": suggestion["target"]}
            other = {"verb": "reject", "target_id": suggestion["target"], "reason": "inne miejsce, inny zgłaszający"}
            chosen.append((incident, command if same else other))
            break
    unread = next((one for one in waiting if one["unread"] and f"read {one['id']} {one['version']}" not in asked), None)
    if unread:
        chosen.append((unread, {"verb": "read"}))
    return chosen


def name_of(incident: dict[str, Any], command: dict[str, Any]) -> str:
    """What is remembered as asked."""
    if command["verb"] in ("confirm", "reject"):
        return f"settle {incident['id']} {command['target_id']}"
    return f"accept {incident['id']}" if command["verb"] == "accept" else f"read {incident['id']} {incident['version']}"


@dataclass(slots=True)
class Officer:
    """Works through the console's own addresses, as the page does."""

    session: aiohttp.ClientSession
    console: str
    done: Counter[str] = field(default_factory=Counter)
    _asked: set[str] = field(default_factory=set)

    async def work(self, stop: asyncio.Event) -> None:
        """Look and act every second until told to stop."""
        while not stop.is_set():
            try:
                await self._look()
            except (aiohttp.ClientError, TimeoutError) as error:
                log.info("demo_console_unreachable", error=type(error).__name__)
            try:
                await asyncio.wait_for(stop.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    async def _look(self) -> None:
        limit = aiohttp.ClientTimeout(total=10)
        async with self.session.get(f"{self.console}/api/incidents", timeout=limit) as answer:
            incidents = (await answer.json())["incidents"]
        for incident, command in decide(incidents, self._asked):
            name = name_of(incident, command)
            self._asked.add(name)
            body = {**command, "unit": incident["unit"], "idempotency_key": name}
            address = f"{self.console}/api/incidents/{incident['id']}/commands"
            async with self.session.post(address, json=body, headers=HANDS, timeout=limit) as answer:
                said = await answer.json(content_type=None)
            refused = "" if answer.status in (200, 202) else f" {said.get('code', answer.status)}"
            self.done[command["verb"] + refused] += 1

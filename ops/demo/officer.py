"""The scripted officer looks at the page like a person: accepts what is open, settles suggestions, undoes links, reads
updates.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import structlog

LOOK_SECONDS: Final = 1.0
ACCEPTED_PER_LOOK: Final = 3
ACCEPTED_PER_UNDONE: Final = 10
"""After so many accepted incidents, each time, a link of the machine is undone."""
HANDS: Final = {"X-Sztab-Page": "1"}
Incident = dict[str, Any]
"""An incident as the page has it, with its reports."""

log = structlog.get_logger()


def decide(incidents: list[Incident], asked: set[str]) -> list[tuple[Incident, dict[str, Any]]]:
    """What the officer does about what is on the page: (incident, command) pairs, urgent and old ones first. Pure.

    `asked` holds what was already asked; every second suggestion is another incident.
    """
    chosen: list[tuple[Incident, dict[str, Any]]] = []
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
    return chosen + _taken_out(waiting, asked) + _followed(waiting, asked)


def _taken_out(incidents: list[Incident], asked: set[str]) -> list[tuple[Incident, dict[str, Any]]]:
    """Now and then a report that the machine linked is another matter: it is taken out of its incident."""
    count = {verb: sum(1 for name in asked if name.startswith(f"{verb} ")) for verb in ("accept", "unlink")}
    if count["accept"] < ACCEPTED_PER_UNDONE * (count["unlink"] + 1):
        return []
    for incident in incidents:
        machine = _by_machine(incident)
        if incident["state"] == "accepted" and len(machine) > 1 and not any(_origin(one, asked) for one in machine):
            return [(incident, {"verb": "unlink", "report_id": machine[0], "reason": "inne zdarzenie obok"})]
    return []


def _followed(incidents: list[Incident], asked: set[str]) -> list[tuple[Incident, dict[str, Any]]]:
    """What was taken out has an incident of its own by now: the next report of its neighbours goes there too, so that
    one incident is split into two.
    """
    alone = [(one, one["report_list"][0]["id"]) for one in incidents if len(one.get("report_list", ())) == 1]
    followed = {name.rpartition(" ")[2] for name in asked if name.startswith("link ")}
    for new, report in alone:
        before = _origin(report, asked)
        if not before or new["id"] in followed:
            continue
        for incident in incidents:
            machine = [one for one in _by_machine(incident) if one != report]
            if incident["id"] == before and len(incident["report_list"]) > 1 and machine:
                why = "należy do wydzielonego"
                return [(incident, {"verb": "link", "report_id": machine[0], "target_id": new["id"], "reason": why})]
    return []


def _origin(report: str, asked: set[str]) -> str:
    """The incident that the officer took the report out of; empty for any other report."""
    return next((name.rpartition(" ")[2] for name in asked if name.startswith(f"unlink {report} ")), "")


def _by_machine(incident: Incident) -> list[str]:
    """Ids of the reports that the machine linked, the newest first."""
    linked = [one for one in incident.get("report_list", ()) if (one.get("why") or {}).get("rule") == "weights"]
    return [one["id"] for one in reversed(linked)]


def name_of(incident: Incident, command: dict[str, Any]) -> str:
    """What is remembered as asked."""
    match command["verb"]:
        case "confirm" | "reject":
            return f"settle {incident['id']} {command['target_id']}"
        case "unlink":
            return f"unlink {command['report_id']} {incident['id']}"
        case "link":
            return f"link {command['report_id']} {command['target_id']}"
        case "read":
            return f"read {incident['id']} {incident['version']}"
    return f"{command['verb']} {incident['id']}"


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

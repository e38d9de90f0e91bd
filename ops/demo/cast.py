"""The far sides of the demo: dispatch, fire service and crisis centre that really take webhooks, IMGW, alarm panels."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.imgw_meteo.lab import ImgwLab
from connectors.sia_dc09.lab import Panel, SiaLab
from connectors.webhook.lab import WebhookLab
from ops.demo.stage import quoted

RECIPIENTS: Final = ("dispatch", "fire", "crisis")
SLOW: Final = "crisis"
SLOW_SECONDS: Final = 0.4
STORM: Final = "Wr20260214184107317"
PANELS: Final = {
    "1001": ("Szkoła (zmyślona)", "Harcerska", "3", 51.763, 18.095),
    "1002": ("Sklep (zmyślony)", "Łódzka", "19", 51.757, 18.115),
    "1003": ("Magazyn (zmyślony)", "Wrocławska", "30", 51.748, 18.066),
}
"""Account -> name, street, number, latitude, longitude."""


@dataclass(slots=True)
class Cast:
    """Starts and stops the far sides, and gives the configuration with which our side knows them."""

    receivers: dict[str, WebhookLab] = field(default_factory=lambda: {name: WebhookLab() for name in RECIPIENTS})
    imgw: ImgwLab = field(default_factory=ImgwLab)
    sia: SiaLab = field(default_factory=SiaLab)
    panels: dict[str, Panel] = field(default_factory=dict)
    _lines: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def start(self) -> None:
        """Listen, each on a port of the system's choice. One recipient is slow, as one always is."""
        for receiver in self.receivers.values():
            await receiver.start()
        self.receivers[SLOW].delay_seconds = SLOW_SECONDS
        await self.imgw.start()
        await self.sia.start()
        self.panels = {account: Panel("127.0.0.1", self.sia.port, account) for account in PANELS}
        self._lines = {account: asyncio.Lock() for account in PANELS}

    async def stop(self) -> None:
        """Give the ports back."""
        for receiver in self.receivers.values():
            await receiver.stop()
        await self.imgw.stop()
        for panel in self.panels.values():
            await panel.hang_up()
        await self.sia.stop()

    async def panel(self, account: str, code: str, zone: str) -> bool:
        """One event of a panel, which sends again until it is acknowledged; one at a time on a line."""
        async with self._lines[account]:
            return await self.panels[account].event(code, zone)

    async def storm(self, after_seconds: float) -> None:
        """After so long the weather service warns of wind."""
        await asyncio.sleep(after_seconds)
        self.imgw.warn(STORM, obowiazuje_do="2099-01-01 00:00:00")

    def sources(self) -> list[str]:
        """Tables of our sources."""
        return [
            'connector = "cpr"\nname = "cpr-poznan"\nemergency = true\nexpected_every_seconds = 60',
            'connector = "desk"\nname = "desk"',
            f'connector = "imgw-meteo"\nname = "imgw-meteo"\nurl = {quoted(self.imgw.url)}\npoll_seconds = 1.0',
            f'connector = "sia-dc09"\nname = "panels"\nport = {self.sia.port}\n{_accounts()}',
        ]

    def recipients(self) -> list[str]:
        """Tables of our recipients."""
        tables = []
        for name, receiver in self.receivers.items():
            keys = ", ".join(quoted(key) for key in receiver.keys)
            address = f'url = {quoted(receiver.url)}\nallowed_networks = ["127.0.0.0/8"]'
            tables.append(f'connector = "webhook"\nname = "{name}"\nkeys = [{keys}]\n{address}')
        return tables

    def told(self, recipient: str) -> dict[str, int]:
        """How many of its messages told what, by the kind of change."""
        kinds = Counter(
            kept.body.get("type", "").rpartition(".")[2] for kept in self.receivers[recipient].kept.values()
        )
        return dict(sorted(kinds.items()))

    def latencies_ms(self, due: dict[str, float]) -> list[float]:
        """For each new report that reached dispatch: from when its message was due to the webhook, in ms."""
        first: dict[str, float] = {}
        for kept in self.receivers["dispatch"].kept.values():
            for report in reports_of(kept.body):
                first[report] = min(kept.at, first.get(report, kept.at))
        return [1000 * (first[report] - at) for report, at in due.items() if report in first]


def _accounts() -> str:
    """The register of panels, as inline tables of the source."""
    told = [
        f'{quoted(account)} = {{name = {quoted(name)}, locality = "Kalisz", street = {quoted(street)}, '
        f'building = {quoted(building)}, teryt = "3061011", lat = {lat}, lon = {lon}}}'
        for account, (name, street, building, lat, lon) in PANELS.items()
    ]
    return "accounts = {" + ", ".join(told) + "}"


def reports_of(body: dict[str, Any]) -> list[str]:
    """The report that a delivery to dispatch tells of, if it tells of one."""
    report = body.get("data", {}).get("report", {}).get("report_id")
    return [report] if isinstance(report, str) else []

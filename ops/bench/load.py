"""The load of the pipeline benchmark: forms of a call centre, open loop, due at t0 + i / rate whatever happens."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson

CATEGORIES: Final = ("traffic.collision", "crime.theft", "order.noise", "person.helpless", "traffic.obstruction")
BOX: Final = (51.55, 51.95, 17.85, 18.45)
"""South, north, west, east: about the county."""
UNITS: Final = 48
"""Territories of the load: no city has a thousand reports a second, but a country of some 340 such units may."""
CONNECTIONS: Final = 2_000
"""More than ever wait: a load that waits for a free connection is no open loop."""
PATIENCE_SECONDS: Final = 30.0


def form(run: str, number: int, dice: random.Random) -> dict[str, Any]:
    """One new form with a place of its own; about 600 bytes."""
    south, north, west, east = BOX
    return {
        "cpr_id": f"{run}-{number}",
        "revision": 1,
        "taken_by": "op-1",
        "place": {
            "lat": round(dice.uniform(south, north), 5),
            "lon": round(dice.uniform(west, east), 5),
            "uncertainty_m": 30,
            "locality": "Kalisz",
        },
        "category": dice.choice(CATEGORIES),
        "addressed_services": ["police"],
        "description": "Zgłoszenie próbne do pomiaru przepustowości, treść o zwykłej długości. " * 3,
        "caller": {"first_name": "Anna", "surname": "Zmyślona", "phone": f"+4860{dice.randrange(10**7):07d}"},
        "handling_status": "SUBMITTED",
    }


def source(unit: int) -> str:
    """Name of the call centre whose reports go to this unit of the load."""
    return f"cpr-{unit + 1}"


@dataclass(slots=True)
class Load:
    """One run at one rate. `due` gives, for each report, when its form was due (monotonic seconds)."""

    intake: str
    run: str
    rate: float
    seconds: float
    units: int = UNITS
    due: dict[str, float] = field(default_factory=dict)
    answered_ms: list[float] = field(default_factory=list)
    failed: int = 0
    late: int = 0

    async def play(self, seed: int = 1) -> float:
        """Send everything; the rate that was reached, in answered forms per second."""
        dice = random.Random(seed)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        limit = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        began = time.monotonic()
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session, asyncio.TaskGroup() as group:
            for number in range(int(self.rate * self.seconds)):
                due = began + number / self.rate
                body = orjson.dumps(form(self.run, number, dice))
                wait = due - time.monotonic()
                if wait > 0:
                    await asyncio.sleep(wait)
                elif wait < -0.005:
                    self.late += 1
                group.create_task(self._post(session, source(number % self.units), body, due))
        return len(self.answered_ms) / (time.monotonic() - began)

    async def _post(self, session: aiohttp.ClientSession, name: str, body: bytes, due: float) -> None:
        headers = {"Content-Type": "application/json"}
        try:
            path = f"/v1/sources/{name}/documents"
            async with session.post(self.intake + path, data=body, headers=headers) as answer:
                said = orjson.loads(await answer.read())
                accepted = answer.status == 202
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
            accepted = False
            said = {}
        if not accepted:
            self.failed += 1
            return
        self.answered_ms.append(1000 * (time.monotonic() - due))
        for report in said.get("reports", ()):
            self.due[report] = due

"""The whole demo: far sides up, everything started as a user would, the evening played, drained, counted, stopped."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from ops.bench.figures import percentiles
from ops.bench.processes import rss_mb
from ops.demo.cast import Cast
from ops.demo.evening import STORM_FROM, evening
from ops.demo.officer import Officer
from ops.demo.play import Player
from ops.demo.stage import Stage, toml

DRAIN_SECONDS: Final = 120.0
SHOWN: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99}

Say = Callable[[str], None]


@dataclass(slots=True)
class Show:
    """One run of the demo in `folder`. `seconds` None: until stopped; `say` hears a line now and then."""

    folder: Path
    seconds: float | None
    say: Say
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    cast: Cast = field(default_factory=Cast)

    async def run(self) -> dict[str, Any]:
        """Play and give the summary line. Unavailable when something does not start."""
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession())
            await self.cast.start()
            stack.push_async_callback(self.cast.stop)
            stage = Stage(self.folder)
            stack.push_async_callback(stage.stop)
            await stage.start(self._configuration())
            await stage.ready(session)
            ready_seconds = time.monotonic() - began
            self.say(f"ready after {ready_seconds:.1f} s; the page: {stage.urls['console']}/")
            player, officer = await self._play(stage, session, stack)
            return await self._summary(stage, player, officer, ready_seconds)

    def _configuration(self) -> str:
        name = "KMP Kalisz (pokaz)"
        return toml(name, prefix="pokaz.", sources=self.cast.sources(), recipients=self.cast.recipients())

    async def _play(
        self, stage: Stage, session: aiohttp.ClientSession, stack: AsyncExitStack
    ) -> tuple[Player, Officer]:
        length = self.seconds or 3600.0
        player = Player(session, stage.urls["intake"], self.cast.panel)
        officer = Officer(session, stage.urls["console"])
        done = asyncio.Event()
        helpers = [
            asyncio.create_task(officer.work(done)),
            asyncio.create_task(self.cast.storm(min(60.0, length * STORM_FROM))),
            asyncio.create_task(self._tell(player, officer)),
        ]
        stack.callback(lambda: [helper.cancel() for helper in helpers])
        await player.play(evening(length), self.stop)
        done.set()
        await helpers[0]
        return player, officer

    async def _tell(self, player: Player, officer: Officer) -> None:
        while True:
            await asyncio.sleep(5)
            kept = ", ".join(f"{name} {len(one.kept)}" for name, one in self.cast.receivers.items())
            done = ", ".join(f"{verb} {count}" for verb, count in officer.done.items())
            self.say(f"answers {dict(player.answers.answered)}; received: {kept}; officer: {done or '-'}")

    async def _summary(self, stage: Stage, player: Player, officer: Officer, ready: float) -> dict[str, Any]:
        """Drain, then ask the ledger as a user would."""
        self.say("the evening is over; waiting until everything is delivered")
        status, printed = await stage.run("ledger", "--json", "--wait", str(int(DRAIN_SECONDS)))
        ledger = json.loads(printed.strip().splitlines()[-1]) if printed.strip() else {}
        incidents = await self._incidents(stage)
        return {
            "accepted": ledger.get("accepted"),
            **incidents,
            "delivered": ledger.get("delivered"),
            "quarantined": ledger.get("quarantined"),
            "in_flight": ledger.get("in_flight"),
            "balanced": ledger.get("balanced") if status == 0 else ledger.get("balanced", None),
            "accepted_by_command": officer.done["accept"],
            "recipients": {name: len(one.kept) for name, one in self.cast.receivers.items()},
            "dispatch_told": self.cast.told("dispatch"),
            "answers": dict(sorted(player.answers.answered.items())),
            "officer": dict(sorted(officer.done.items())),
            "latency_ms": percentiles(self.cast.latencies_ms(player.answers.due), SHOWN),
            "rss_mb": {role: rss_mb(pid) for role, pid in stage.pids.items()},
            "ready_seconds": round(ready, 1),
        }

    async def _incidents(self, stage: Stage) -> dict[str, Any]:
        """What the figures of the facts say: incidents opened, reports linked by machine or reference, suggestions."""
        from ops.demo.counting import count_facts

        return await count_facts(stage)

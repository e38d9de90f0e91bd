"""The officer of a proof: accepts incidents that dispatch was told of, through the commands API, and keeps account."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson

from ops.prove.system.gathering import Gathering
from ops.prove.system.history import FAIL, INFO, OK, Attempt, Operation, outcome_of

if TYPE_CHECKING:
    from ops.prove.system.battle import Battle

EVERY_SECONDS: Final = 0.5
TRIES: Final = 60
PAUSE_SECONDS: Final = 0.5
ANSWERED: Final = frozenset({200, 202})
REFUSED: Final = frozenset({404, 409, 422})


@dataclass(slots=True)
class Officer:
    """One command every half second, each with a key of its own, asked again until it is answered."""

    battle: "Battle"
    gathering: Gathering
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    asked: set[str] = field(default_factory=set)

    async def work(self) -> None:
        """Until `stopping`; what is outstanding is waited for."""
        async with asyncio.TaskGroup() as group:
            while not self.stopping.is_set():
                incident = next((one for one in self.gathering.opened if one not in self.asked), None)
                if incident is not None:
                    self.asked.add(incident)
                    group.create_task(self._ask(len(self.asked), incident))
                try:
                    await asyncio.wait_for(self.stopping.wait(), EVERY_SECONDS)
                except TimeoutError:
                    continue

    async def _ask(self, number: int, incident_id: str) -> None:
        key = f"{self.battle.run}-{incident_id}"
        body = orjson.dumps({"verb": "accept", "idempotency_key": key})
        attempts: list[Attempt] = []
        said: dict[str, Any] = {}
        for turn in range(TRIES):
            nodes = self.battle.field.intakes()
            attempt, said = await self._attempt(nodes[(number + turn) % len(nodes)], incident_id, body)
            attempts.append(attempt)
            if attempt.outcome != INFO:
                break
            await asyncio.sleep(PAUSE_SECONDS)
        self.battle.extra.append(
            Operation(
                id=f"{self.battle.run}/officer/{number}",
                process=f"{self.battle.run}/officer",
                counter=number,
                run=self.battle.run,
                what="command",
                node="",
                source="commands",
                identity=f"commands|{key}",
                subject=incident_id,
                emergency=True,
                urgent=False,
                recipients=(),
                outcome=outcome_of(attempts),
                status=attempts[-1].status,
                code=said.get("code"),
                held=said.get("held"),
                document_id=None,
                report_ids=(),
                command_id=self.battle.command_id(key),
                attempts=tuple(attempts),
            )
        )

    async def _attempt(self, node: str, incident_id: str, body: bytes) -> tuple[Attempt, dict[str, Any]]:
        began, status, outcome, said = time.time(), None, INFO, {}
        assert self.battle.session is not None
        try:
            path = f"{node}/v1/incidents/{incident_id}/commands"
            async with self.battle.session.post(path, data=body) as answer:
                status, said = answer.status, orjson.loads(await answer.read())
            outcome = OK if status in ANSWERED else FAIL if status in REFUSED else INFO
        except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
            outcome = INFO
        return Attempt(began, time.time(), outcome, status), said

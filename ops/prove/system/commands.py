"""The officer of a proof: accepts incidents that dispatch was told of, through the commands API, and keeps account."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from ops.prove.system.gathering import Gathering
from ops.prove.system.history import INFO, Attempt, Operation, outcome_of
from ops.prove.system.sending import posted, status_outcome

if TYPE_CHECKING:
    from ops.prove.system.battle import Battle

EVERY_SECONDS: Final = 0.5
TRIES: Final = 60
PAUSE_SECONDS: Final = 0.5
ANSWERED: Final = status_outcome(done={200, 202}, refused={404, 409, 422})


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
        assert self.battle.session is not None
        for turn in range(TRIES):
            nodes = self.battle.field.intakes()
            path = f"{nodes[(number + turn) % len(nodes)]}/v1/incidents/{incident_id}/commands"
            attempt, said, _ = await posted(self.battle.session, path, body, {}, ANSWERED)
            attempts.append(attempt)
            if attempt.status is not None and attempt.outcome != INFO:
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

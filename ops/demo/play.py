"""Plays the evening: every act at its time, whatever the answers do (open loop), and remembers what was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson
import structlog

from ops.demo.evening import Act, Far

PATIENCE_SECONDS: Final = 10.0
AGAIN_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)

log = structlog.get_logger()
Panel = Callable[[str, str, str], Awaitable[bool]]
"""Sends one event (account, code, zone) as a panel; True once it was acknowledged."""


@dataclass(slots=True)
class Answers:
    """What the far sides were told. `due` and `reports` give, for each new report, when its message was due."""

    answered: Counter[str] = field(default_factory=Counter)
    due: dict[str, float] = field(default_factory=dict)
    documents: set[str] = field(default_factory=set)

    def note(self, far: Far, status: int, said: dict[str, Any], due: float) -> None:
        """One answer of the intake."""
        self.answered[f"{far.value} {status}"] += 1
        if status == 202:
            self.documents.add(str(said.get("id")))
            for report in said.get("reports", ()):
                self.due.setdefault(str(report), due)


@dataclass(slots=True)
class Player:
    """Knows how each far side speaks. A message whose answer does not come is sent again, with the same bytes."""

    session: aiohttp.ClientSession
    intake: str
    panel: Panel
    answers: Answers = field(default_factory=Answers)
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def play(self, acts: Iterable[Act], stop: asyncio.Event) -> None:
        """Play until the acts or the patience of `stop` end; returns when every message was answered or given up."""
        began = time.monotonic()
        for act in acts:
            wait = began + act.second - time.monotonic()
            if wait > 0:
                try:
                    await asyncio.wait_for(stop.wait(), wait)
                except TimeoutError:
                    pass
                else:
                    break
            task = asyncio.create_task(self._say(act, began + act.second))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        while self._running:
            await asyncio.wait(set(self._running))

    async def _say(self, act: Act, due: float) -> None:
        if act.far is Far.PANEL:
            fields = act.fields
            done = await self.panel(fields["account"], fields["code"], fields["zone"])
            self.answers.answered["panel " + ("ack" if done else "silent")] += 1
            return
        path = "/v1/sources/desk/documents" if act.far is Far.DESK else "/v1/sources/cpr-poznan/documents"
        body = act.fields["text"].encode() if act.far is Far.BROKEN else orjson.dumps(act.fields)
        for pause in (*AGAIN_SECONDS, None):
            status, said = await self._post(path, body)
            if status not in (0, 429, 503) or pause is None:
                self.answers.note(act.far, status, said, due)
                return
            await asyncio.sleep(pause)

    async def _post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            async with self.session.post(
                self.intake + path,
                data=body,
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS),
            ) as answer:
                said = orjson.loads(await answer.read())
                return answer.status, said if isinstance(said, dict) else {}
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            log.info("demo_no_answer", error=type(error).__name__)
            return 0, {}

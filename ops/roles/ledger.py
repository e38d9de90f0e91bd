"""`sztab run ledger`: the continuous account of everything accepted, its alarms, and the reconciler.

If it does not run, everything else works as before: nothing waits for it.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import aiohttp
import structlog

from ops import kafka, runtime
from ops.bookkeeping import telling
from ops.bookkeeping.judging import Verdict
from ops.bookkeeping.keeper import Keeper, Keeping
from ops.bookkeeping.store import Store
from ops.delivering.writer import KafkaWriter
from ops.health import Readiness
from ops.ledger_sources import TOKEN, Where
from ops.metrics import Metrics
from ops.niceness import stand_back
from ops.operating import operating
from ops.reconciler import Reconciler, given_up
from ops.reconciling import acted
from ops.reconciling import output as act_output
from ops.settings import Settings
from schemas.errors import Code, Misconfigured, Unavailable
from schemas.ledger import ReconcilerActed
from streams.contract import Output

ROLE: Final = "ledger"
TURN_SECONDS: Final = 1.0
SHARE: Final = 20.0
"""A look or a verdict that took long is followed by a pause so many times as long: a small share of one core."""
AGAIN_SECONDS: Final = 1.0
SAID_SECONDS: Final = 15.0
WRITE_SECONDS: Final = 20.0
ACTS_SHOWN: Final = 20

log: Final = structlog.get_logger("ops.roles.ledger")


async def run(settings: Settings, reconciler: Reconciler | None = None) -> None:
    """Keep the ledger until cancelled; a broker that is away is waited for. `reconciler`: tests give a quicker one."""
    runtime.prepare(settings)
    stand_back(settings.ledger.niceness)
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        keeper = _keeper(settings)
        stack.push_async_callback(keeper.close)
        writer = KafkaWriter(kafka.cluster(settings))
        stack.push_async_callback(writer.close)
        figures = telling.Figures(metrics, [one.name for one in settings.recipients])
        desk = _Desk(settings, keeper, writer, figures, session, reconciler or Reconciler())
        stack.push_async_callback(desk.close)

        async def ready() -> Readiness:
            why = () if desk.verdict is not None else ("no verdict yet, or no broker",)
            return Readiness(not why, why, {"open": len(keeper.book.news)})

        await stack.enter_async_context(operating(settings, ROLE, metrics, ready))
        await desk.run()


def _keeper(settings: Settings) -> Keeper:
    told = settings.ledger
    cluster = kafka.cluster(settings)
    where = Where(cluster, settings.node, runtime.journal_file(settings), told.nodes, frozenset(told.gone))
    token = os.environ.get(TOKEN, "") or runtime.reconciler_token(settings)
    keeping = Keeping(told.keep_hours, told.keep_settled)
    return Keeper(where, Store(runtime.ledger_file(settings), cluster.prefix), token, keeping)


@dataclass
class _Desk:
    """One process's work: turns, verdicts, what they become."""

    settings: Settings
    keeper: Keeper
    writer: KafkaWriter
    figures: telling.Figures
    session: aiohttp.ClientSession
    reconciler: Reconciler
    verdict: Verdict | None = None
    _alarms: telling.Alarms | None = None
    _said_at: float = 0.0
    _said: tuple[object, ...] = ()
    _down: bool = False
    _writing: "asyncio.Task[None] | None" = None
    _token: str = field(init=False)

    def __post_init__(self) -> None:
        self._token = runtime.reconciler_token(self.settings)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._work()
            except Unavailable as error:
                if error.code is not Code.BROKER_UNAVAILABLE:
                    raise
                self._lost(error)
            await self.keeper.pause()
            await asyncio.sleep(AGAIN_SECONDS)

    def _lost(self, error: Unavailable) -> None:
        self.verdict = None
        self.figures.verdict(None)
        if not self._down:
            log.warning("ledger_unknown", why=error.detail)
        self._down = True

    async def _work(self) -> None:
        await self.keeper.open()
        self._alarms = self._alarms or self._remembered()
        judge_at = 0.0
        while True:
            began = time.process_time()
            await self.keeper.turn()
            if time.monotonic() >= judge_at:
                await self._judge()
                judge_at = time.monotonic() + self.settings.ledger.judge_seconds
            self.figures.counted(self.keeper.counts)
            await asyncio.sleep(max(TURN_SECONDS, SHARE * (time.process_time() - began)))

    def _remembered(self) -> telling.Alarms:
        if self.keeper.counts["rebuilt"]:
            names = telling.subjects((one.name for one in self.settings.recipients), self.keeper.nodes())
            return telling.Alarms(unsure=names)
        return telling.Alarms(dict(self.keeper.store.told().get("alarms", {})))

    async def _judge(self) -> None:
        self.verdict = verdict = await self.keeper.judge()
        if self._down:
            self._down = False
            log.info("ledger_known_again")
        self.figures.verdict(verdict)
        acts = list(self.keeper.acts.values())
        if self.settings.ledger.reconcile:
            for act in self.reconciler.choose(verdict, self.keeper.book, acts):
                done = await acted(self.session, self._address, self._token, act)
                await self._write([act_output(done)])
                self.keeper.acted(done)
                self.figures.acted(done)
                acts.append(done)
        tried = given_up(verdict, acts)
        self.figures.given_up(tried)
        assert self._alarms is not None
        outputs = self._alarms.of(verdict, tried)
        if outputs:
            await self._write(outputs)
            self.keeper.remember(alarms=self._alarms.raised)
            self.keeper.save()
        await self._say(verdict, acts)

    async def _say(self, verdict: Verdict, acts: Sequence[ReconcilerActed]) -> None:
        """Tell the page: at once when something changed that a person looks for, else now and then."""
        last = sorted(acts, key=lambda act: act.acted_at)[-ACTS_SHOWN:]
        told = telling.told(verdict, datetime.now(UTC), self.keeper.since_ms, last)
        self.keeper.remember(said=told.model_dump(mode="json"))
        said = (told.balanced, told.missing, told.overdue_count, len(acts), told.unreachable)
        if said != self._said or time.monotonic() - self._said_at >= SAID_SECONDS:
            await self._write([telling.output(told)])
            self._said, self._said_at = said, time.monotonic()

    async def _write(self, outputs: Sequence[Output]) -> None:
        """Unavailable when no broker takes them in time; then they are still written before anything later is.

        A write is never broken off: a client that is cancelled while it stops leaves its tasks behind.
        """
        until = time.monotonic() + WRITE_SECONDS
        await self._written(until)
        self._writing = asyncio.create_task(self.writer.write(outputs), name="ledger writes")
        await self._written(until)

    async def _written(self, until: float) -> None:
        if self._writing is None:
            return
        done, _ = await asyncio.wait({self._writing}, timeout=max(0.0, until - time.monotonic()))
        if not done:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "no broker takes what the ledger says")
        writing, self._writing = self._writing, None
        writing.result()

    async def close(self) -> None:
        """End what is still being written."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    def _address(self, node: str | None) -> str:
        if node is None or node == self.settings.node:
            return runtime.address(self.settings, "intake")
        if node not in self.settings.ledger.nodes:
            raise Misconfigured(Code.CONFIGURATION_INVALID, f"ledger.nodes does not tell the address of {node}")
        return self.settings.ledger.nodes[node].rstrip("/")

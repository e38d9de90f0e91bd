"""One run: load, strike, heal, drain, evidence. The field stays for the next run."""

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import aiohttp

from ops.intake_app import LOCAL
from ops.prove.system import sending
from ops.prove.system.commands import Officer
from ops.prove.system.configured import UNITS
from ops.prove.system.field import Field
from ops.prove.system.gathering import Gathering
from ops.prove.system.history import OK, Evidence, Operation, Sample, Strike
from ops.prove.system.known import BAD
from ops.prove.system.load import Listed, Script
from ops.prove.system.panels import PanelScript, dial
from ops.prove.system.sending import Producer
from schemas.privacy import derive
from schemas.wire import secret_id

DRAIN_SECONDS: Final = 120.0
CALM_SECONDS: Final = 4.0
"""Nothing new for so long: then the ledger is asked whether anything is in flight."""
ANSWER_SECONDS: Final = 60.0
"""How long a partner goes on asking after the faults are healed."""
LOOK_SECONDS: Final = 0.5
SHARES: Final = (("cpr-a", "cpr", 0.35), ("cpr-b", "cpr", 0.35), ("desk", "desk", 0.2))
"""Producers of the documents API: name, connector, share of the rate."""
PANELS_SHARE: Final = 0.1


@dataclasses.dataclass(slots=True)
class Battle:
    """A run while it goes on: what a strike may look at and do."""

    field: Field
    fault: str
    seed: int
    run: str
    dice: random.Random
    rate: float
    producers: list[Producer] = dataclasses.field(default_factory=list)
    extra: list[Operation] = dataclasses.field(default_factory=list)
    """Operations that the strike itself sends."""
    missed: list[str] = dataclasses.field(default_factory=list)
    """What the strike was to do and could not: the run proves nothing."""
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)
    also_aside: int = 0
    """Items of the quarantine that the strike itself makes: held rows, a named gap."""
    samples: list[Sample] = dataclasses.field(default_factory=list)
    session: aiohttp.ClientSession | None = None

    def operations(self) -> list[Operation]:
        """Everything told so far."""
        return [one for producer in self.producers for one in producer.operations] + self.extra

    @property
    def ids_key(self) -> bytes:
        """The installation's key of ids."""
        return derive(self.field.key(), "ids")

    def command_id(self, key: str) -> str:
        """The id of a command that the officer asks under this key; without accounts the actor is `local`."""
        return secret_id(self.ids_key, "command", LOCAL, key)

    def struck(self, what: str, until: float | None = None, at: float | None = None) -> None:
        """Write down what the strike did."""
        self.field.strikes.append(Strike(at or time.time(), until, self.fault, what))


def producer(battle: Battle, script: Script | Listed, rate: float, prefer: int = 0) -> Producer:
    """A producer of this run. Called while its session is open."""
    assert battle.session is not None
    ask = sending.posting(battle.session)
    return Producer(script, battle.run, rate, battle.field.intakes, battle.ids_key, ask, prefer)


def producers(battle: Battle, raising: tuple[str, ...]) -> list[Producer]:
    """The producers of a run; the same seed tells the same."""
    made = []
    for number, (name, connector, share) in enumerate(SHARES):
        prefix = "cpr" if connector == "cpr" else "desk"
        count = UNITS if connector == "cpr" else 4
        sources = [f"{prefix}-{unit + 1}" for unit in range(count)]
        dice = random.Random(f"{battle.run} {name} {battle.seed}")
        script = Script(f"{battle.run}-{name}", connector, sources, dice, raising=raising if name == "cpr-a" else ())
        made.append(producer(battle, script, battle.rate * share, number % 2))
    name = f"{battle.run}-panels"
    events = PanelScript(name, random.Random(f"{name} {battle.seed}"))
    panels = Producer(events, battle.run, battle.rate * PANELS_SHARE, battle.field.panels, battle.ids_key, dial)
    return [*made, panels]


Work = Callable[[Battle], Any]


async def fight(
    battle: Battle, gathering: Gathering, strike: Work, seconds: float, raising: tuple[str, ...] = ()
) -> Evidence:
    """Play the load for `seconds` and until the strike is over, heal by waiting, drain, collect."""
    begun = len(battle.field.strikes)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(sending.session())
        battle.session = session
        battle.producers = producers(battle, raising)
        playing = [asyncio.create_task(one.play()) for one in battle.producers]
        officer = Officer(battle, gathering)
        commanding = asyncio.create_task(officer.work())
        sampling = asyncio.create_task(_sample(battle, gathering))
        try:
            least = asyncio.create_task(asyncio.sleep(seconds))
            await strike(battle)
            await least
        finally:
            for one in battle.producers:
                one.stopping.set()
            officer.stopping.set()
        battle.struck("heal")
        _, late = await asyncio.wait([*playing, commanding], timeout=ANSWER_SECONDS)
        for one in battle.producers:
            one.giving_up.set()
        await asyncio.gather(*playing, commanding)
        if late:
            battle.notes["unanswered"] = sum(one.outcome != OK for one in battle.operations())
        if rude := sum(one.rude for one in battle.producers):
            battle.missed.append(f"{rude} refusals without Retry-After")
        await _calm(battle, gathering)
        ledger = await gathering.ledger(DRAIN_SECONDS)
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)
        battle.session = None
    operations = gathering.with_reports(battle.operations())
    return Evidence(
        run=battle.run,
        fault=battle.fault,
        seed=battle.seed,
        operations=operations,
        effects=gathering.effects(),
        facts=await gathering.facts(),
        aside=await gathering.aside(),
        ledger=ledger,
        strikes=battle.field.strikes[begun:],
        samples=battle.samples,
        expected_bad=battle.also_aside + len({one.identity for one in operations if _must_go_aside(one)}),
        drained=_settled(ledger),
        superseded=await gathering.superseded(),
    )


def _must_go_aside(one: Operation) -> bool:
    return one.what == BAD and (one.outcome == OK or one.held == "quarantine")


def wanted_of(operations: Iterable[Operation]) -> set[str]:
    """Reports that dispatch must have in the end."""
    accepted = (one for one in operations if one.outcome == OK and one.recipients)
    return {report for one in accepted for report in one.report_ids}


async def _sample(battle: Battle, gathering: Gathering) -> None:
    while True:
        told = sum(one.sent for one in battle.producers)
        answered = sum(one.outcome == OK for one in battle.operations())
        gathering.look()
        wanted = wanted_of(battle.operations())
        backlog = len(wanted - gathering.dispatched)
        battle.samples.append(Sample(time.time(), {"backlog": backlog, "unanswered": told - answered}))
        await asyncio.sleep(2 * LOOK_SECONDS)


async def _calm(battle: Battle, gathering: Gathering) -> None:
    """Wait until dispatch had every report that was accepted for it, or until nothing comes any more.

    A report may never come: its delivery may be superseded by a newer one of its incident. The ledger knows.
    """
    wanted = wanted_of(gathering.with_reports(battle.operations()))
    last, since, deadline = -1, time.monotonic(), time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < min(deadline, since + CALM_SECONDS):
        gathering.look()
        if wanted <= gathering.dispatched:
            return
        if len(gathering.dispatched) != last:
            last, since = len(gathering.dispatched), time.monotonic()
        await asyncio.sleep(LOOK_SECONDS)


def _settled(ledger: Mapping[str, Any]) -> bool:
    return not (ledger["in_flight"] or ledger["changes"]["in_flight"] or ledger["commands"]["in_flight"])

# ruff: noqa: ARG001 - every strike is told the same three things
"""The attacks: what is done to the workers and brokers while the load runs. Each is seeded by its battle."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ops.broker import EmbeddedKafka
from ops.prove.battle import Battle
from ops.prove.plan import Plan
from ops.prove.verdict import Verdict

POINTS: Final = ("outputs-sent", "outputs-acknowledged", "state-sent", "state-acknowledged")
SPECIAL_WITHIN: Final = 2000
"""The shortest run has so many messages: poison and the like come among the first ones."""
WARM_SECONDS: Final = 2.0
COMPACTED_SECONDS: Final = 4.0
"""Time in which the changelog of that attack is rolled and compacted at least once."""

FROZEN_SESSIONS: Final = 2.5
"""How long a worker is frozen, in session time-outs: its peer must have taken over and gone on meanwhile."""

Strike = Callable[[Battle, EmbeddedKafka, float], Awaitable[None]]
"""Attacks a running battle. The last argument scales how much is done: 1 is the full attack."""


@dataclass(frozen=True)
class Attack:
    """A named attack: its plan and its strike. `workers` are started before the load."""

    plan: Plan
    strike: Strike
    workers: tuple[str, ...] = ("w0", "w1")
    brokers: bool = False
    """Does it disturb the brokers? Then nothing else may run beside it."""


async def _nothing(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """Only the load."""


async def _kills(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """Twenty kills: each armed point twice, the others at random moments."""
    armed = [(point, battle.random.randint(2, 25)) for point in POINTS * max(1, round(2 * scale))]
    rest: list[tuple[str, int] | None] = [None] * round(12 * scale)
    plan = [*armed, *rest]
    battle.random.shuffle(plan)
    for turn, how in enumerate(plan):
        name = f"w{turn % 2}" if "w1" in battle.names else "w0"
        await battle.kill(name)
        battle.start(name, how)
        if how is not None:
            if not await battle.ended(name):
                battle.missed.append(f"{how[0]} was not reached")
            continue
        await asyncio.sleep(battle.random.uniform(2.0, 4.0))


async def _terms(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """A rolling restart by SIGTERM."""
    for turn in range(max(2, round(8 * scale))):
        name = f"w{turn % 2}"
        await battle.kill(name, signal.SIGTERM)
        battle.start(name)
        await asyncio.sleep(battle.random.uniform(1.5, 4))


async def _storm(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """A member joins or leaves every 3 s for a minute."""
    for turn in range(max(2, round(10 * scale))):
        battle.event()
        battle.start("w2")
        await asyncio.sleep(3)
        await battle.kill("w2", signal.SIGTERM if turn % 2 else signal.SIGKILL)
        await asyncio.sleep(3)


async def _freeze(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """SIGSTOP beyond the session time-out: a peer takes over and goes on, then SIGCONT."""
    for turn in range(max(1, round(4 * scale))):
        name = f"w{turn % 2}"
        await battle.kill(name, signal.SIGSTOP)
        began = time.time()
        await asyncio.sleep(FROZEN_SESSIONS * battle.plan.session_seconds + battle.random.uniform(0, 2))
        battle.frozen.append((began, time.time()))
        await battle.kill(name, signal.SIGCONT)
        await asyncio.sleep(4 + battle.random.uniform(0, 2))


async def _freeze_before_saving(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """As `_freeze`, but each time between outputs and state: what it then writes comes late for certain."""
    for turn in range(max(1, round(4 * scale))):
        name = f"w{turn % 2}"
        await battle.kill(name)
        battle.start(name, ("outputs-acknowledged", battle.random.randint(20, 60)), freezes=True)
        if not await battle.frozen_itself(name):
            battle.missed.append("outputs-acknowledged was not reached")
            continue
        began = time.time()
        await asyncio.sleep(FROZEN_SESSIONS * battle.plan.session_seconds + battle.random.uniform(0, 2))
        battle.frozen.append((began, time.time()))
        await battle.kill(name, signal.SIGCONT)
        await asyncio.sleep(4 + battle.random.uniform(0, 2))


async def _each_broker(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """Each broker killed in turn."""
    numbers = kafka.numbers[: max(1, round(len(kafka.numbers) * scale))]
    for number in numbers:
        battle.event()
        await asyncio.to_thread(kafka.kill, number)
        await asyncio.sleep(4)
        await asyncio.to_thread(kafka.start, number)
        await asyncio.sleep(8)


async def _all_brokers(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """All brokers killed at once."""
    battle.event()
    for number in kafka.numbers:
        kafka.kill(number)
    await asyncio.sleep(4)
    await asyncio.to_thread(kafka.up)
    await asyncio.sleep(10)


async def _compaction(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """The changelog is compacted, tombstones included, while workers are killed and start from what is left."""
    for _ in range(max(2, round(4 * scale))):
        await asyncio.sleep(COMPACTED_SECONDS)
        await battle.kill("w0")
        battle.start("w0")
    await asyncio.sleep(COMPACTED_SECONDS)


async def _restart_with_much_state(battle: Battle, kafka: EmbeddedKafka, scale: float) -> None:
    """Every key has state; a worker is killed and must read it all again."""
    await asyncio.sleep(battle.plan.messages / battle.plan.rate)
    await battle.kill("w0")
    battle.start("w0")
    await asyncio.sleep(8)


def catalogue(seed: int = 1) -> Mapping[str, Attack]:
    """Every attack by name."""
    base = Plan(attack="", seed=seed)
    compacting = {
        "segment.ms": "2000",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "0",
        "max.compaction.lag.ms": "1000",
        "min.compaction.lag.ms": "0",
    }
    two = ("w0", "w1")
    attacks = {
        "none": Attack(base, _nothing, ("w0",)),
        "kills": Attack(replace(base, messages=10_000), _kills, two),
        "kills-alone": Attack(replace(base, messages=10_000), _kills, ("w0",)),
        "kills-dynamic": Attack(replace(base, static=False, messages=10_000), _kills, two),
        "terms": Attack(replace(base, messages=10_000), _terms, two),
        "storm": Attack(replace(base, static=False, messages=10_000), _storm, two),
        "zombie": Attack(replace(base, messages=10_000), _freeze, two),
        "zombie-unnoticed": Attack(replace(base, messages=10_000, off=("pulse",)), _freeze, two),
        # So many keys that what a late write takes back is not written anew before the owner changes again.
        "zombie-late": Attack(replace(base, messages=10_000, keys=5_000, off=("pulse",)), _freeze_before_saving, two),
        "brokers": Attack(replace(base, messages=10_000), _each_broker, two, brokers=True),
        "brokers-all": Attack(replace(base, messages=10_000), _all_brokers, two, brokers=True),
        "poison": Attack(replace(base, special=_poison(seed)), _nothing, ("w0",)),
        "too-large": Attack(replace(base, output_bytes=20_000, special=_large(seed)), _nothing, ("w0",)),
        "compaction": Attack(
            replace(base, messages=10_000, changelog_config=compacting, deleted_at=5), _compaction, ("w0",)
        ),
        "empty-partition": Attack(replace(base, without_partition=3, messages=10_000), _kills, ("w0",)),
        "much-state": Attack(
            replace(base, keys=200_000, messages=300_000, rate=8000, deleted_at=0, each_key_first=True),
            _restart_with_much_state,
            ("w0",),
        ),
    }
    return {name: replace(one, plan=replace(one.plan, attack=name)) for name, one in attacks.items()}


def _poison(seed: int) -> dict[int, bytes]:
    """Two hundred records that are rejected, and five that make the step raise."""
    chosen = random.Random(seed).sample(range(SPECIAL_WITHIN), 205)
    return {number: (b"boom %d" if at < 5 else b"poison %d") % number for at, number in enumerate(chosen)}


def _large(seed: int) -> dict[int, bytes]:
    """Ten records whose output passes the topic's limit."""
    return {n: b"i%07d|big50000|" % n for n in random.Random(seed).sample(range(SPECIAL_WITHIN), 10)}


async def run(attack: Attack, kafka: EmbeddedKafka, folder: Path, scale: float = 1.0) -> Verdict:
    """Run one attack to its verdict. `scale` < 1 does less of the same, with less load."""
    plan = attack.plan
    if scale != 1.0:
        plan = replace(plan, messages=max(SPECIAL_WITHIN, round(plan.messages * scale)))
    plan = replace(plan, replicas=len(kafka.numbers))
    battle = Battle(plan, kafka.bootstrap_servers, folder, attack.workers)
    await battle.prepare()
    try:
        for name in attack.workers:
            battle.start(name)
        for name in attack.workers:
            await battle.joined(name)
        battle.load()
        await asyncio.sleep(WARM_SECONDS)
        await attack.strike(battle, kafka, scale)
        await battle.drain()
    finally:
        await battle.close()
    return await battle.judge()

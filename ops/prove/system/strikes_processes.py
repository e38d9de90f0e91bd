"""Faults of processes: killed at armed points and at random, stopped, coming and going. Brokers too."""

import asyncio
import signal
import time
from dataclasses import replace
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient

from connectors.crash_points import POINTS as INTAKE_POINTS
from ops.prove.attacks import POINTS as SHELL_POINTS
from ops.prove.system.battle import Battle
from schemas.topics import LOG
from streams.clients import begin

REACHED_SECONDS: Final = 20.0
"""An armed point that was not reached by then is said to be missed."""
SESSIONS: Final = 2.5
"""How long a worker is stopped, in session time-outs."""
STORM_SECONDS: Final = 3.0
OUTAGE_SECONDS: Final = 60.0
BROKER_DOWN_SECONDS: Final = 3.0


async def nothing(battle: Battle) -> None:
    """Only the load: the baseline."""


async def kill_intake(battle: Battle) -> None:
    """Each node in turn killed at each of five named points."""
    for turn, point in enumerate(INTAKE_POINTS):
        await _armed(battle, f"intake-{turn % 2 + 1}", point, battle.dice.randint(5, 60))


async def kill_processor(battle: Battle) -> None:
    """Workers killed between outputs, state and acknowledgement, and at random moments."""
    for turn, point in enumerate(SHELL_POINTS):
        name = f"streams-{turn % 2 + 1}"
        await _armed(battle, name, point, battle.dice.randint(3, 40))
    for _ in range(2):
        name = f"streams-{battle.dice.randint(1, 2)}"
        await battle.field.kill(name)
        battle.field.again(name)
        await asyncio.sleep(battle.dice.uniform(1.0, 3.0))


async def _armed(battle: Battle, name: str, point: str, times: int) -> None:
    """Start the process anew with a point armed; wait until it died there and another one runs."""
    await battle.field.kill(name)
    child = battle.field.again(name, armed=(point, times))
    if not await battle.field.ended(name, REACHED_SECONDS):
        battle.missed.append(f"{point} of {name} was not reached")
        return
    if child.process is not None and child.process.returncode != -signal.SIGKILL:
        battle.missed.append(f"{name} ended with {child.process.returncode} before {point}")
    battle.struck(f"{name} died at {point}")


async def kill_leader(battle: Battle) -> None:
    """SIGKILL to whoever leads the territories' first partition, five times in a row."""
    for _ in range(5):
        number = await leader(battle, LOG, 0)
        began = time.time()
        await asyncio.to_thread(battle.field.kafka.kill, number)
        await asyncio.sleep(BROKER_DOWN_SECONDS)
        await asyncio.to_thread(battle.field.kafka.start, number)
        battle.struck(f"broker {number} killed", until=time.time(), at=began)
        await asyncio.sleep(battle.dice.uniform(1.0, 3.0))


async def leader(battle: Battle, topic: str, partition: int) -> int:
    """The number of the broker that leads a partition now."""
    admin = AIOKafkaAdminClient(bootstrap_servers=battle.field.kafka.bootstrap_servers)
    await begin(admin)
    try:
        (told,) = await admin.describe_topics([battle.field.prefix + topic])
    finally:
        await admin.close()
    return int(next(one["leader"] for one in told["partitions"] if one["partition"] == partition))


async def kill_all_brokers(battle: Battle) -> None:
    """All brokers at once; they come back after a minute."""
    began = time.time()
    for number in battle.field.kafka.numbers:
        await asyncio.to_thread(battle.field.kafka.kill, number)
    await asyncio.sleep(OUTAGE_SECONDS)
    await asyncio.to_thread(battle.field.kafka.up)
    battle.struck("all brokers killed", until=time.time(), at=began)


async def stop_processor(battle: Battle) -> None:
    """One worker stopped beyond its session and woken again; the other's event loop blocked as long."""
    seconds = SESSIONS * battle.field.shape.session_seconds
    began = time.time()
    await battle.field.kill("streams-1", signal.SIGSTOP)
    await asyncio.sleep(seconds)
    await battle.field.kill("streams-1", signal.SIGCONT)
    battle.struck("streams-1 stopped", until=time.time(), at=began)
    await asyncio.sleep(battle.dice.uniform(3.0, 5.0))
    began = time.time()
    await battle.field.kill("streams-2", signal.SIGUSR1)
    if not await battle.field.ended("streams-2", seconds):
        battle.missed.append("a worker whose loop is blocked went on")
    battle.struck("the loop of streams-2 blocked", until=time.time(), at=began)


async def rebalance_storm(battle: Battle) -> None:
    """A third worker joins or leaves every three seconds, by SIGTERM and SIGKILL in turn."""
    told = replace(battle.field.children["streams-1"].told, worker=3)
    for turn in range(5):
        battle.field.start("streams-3", told)
        await asyncio.sleep(STORM_SECONDS)
        await battle.field.kill("streams-3", signal.SIGTERM if turn % 2 else signal.SIGKILL)
        await asyncio.sleep(STORM_SECONDS)

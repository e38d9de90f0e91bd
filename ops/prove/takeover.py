"""How long a killed worker's partitions stand still until its peer steps them: two workers, one killed, none restarted.

The time is the sum of what the settings say: the broker waits a session for the dead member, the peer hears of it with
its next heartbeat (a quarter of a session), then it reads the state back (`longest_seconds`).
"""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from ops.prove import counter
from ops.prove.battle import Battle
from ops.prove.plan import Plan
from streams.clients import begin

HEARTBEAT_SHARE: Final = 0.25
"""Of the session, as every shell of ours is told (`ops.kafka.shell_settings`)."""
RECOVERY_SECONDS: Final = 2.0
"""What joining again and reading the state back may take."""
LOOK_SECONDS: Final = 0.05
LONGEST_SECONDS: Final = 60.0


def longest_seconds(session_seconds: float) -> float:
    """The longest time until a peer steps a killed worker's partitions, by the settings."""
    return session_seconds * (1 + HEARTBEAT_SHARE) + RECOVERY_SECONDS


async def measure(bootstrap: str, folder: Path, session_seconds: float, *, seed: int = 1, replicas: int = 3) -> float:
    """Seconds from SIGKILL until every partition has moved again. TimeoutError when one does not."""
    plan = Plan(
        attack="takeover", seed=seed, messages=2000, rate=300.0, session_seconds=session_seconds, replicas=replicas
    )
    battle = Battle(plan, bootstrap, folder, ("w0", "w1"))
    await battle.prepare()
    try:
        for name in battle.names:
            battle.start(name)
            await battle.joined(name)
        battle.load()
        return await _struck(battle)
    finally:
        await battle.close()


async def _struck(battle: Battle) -> float:
    admin = AIOKafkaAdminClient(bootstrap_servers=battle.bootstrap)
    await begin(admin)
    try:
        # Both serve, and everything moves, before one is killed.
        await _moved(admin, battle, await _committed(admin, battle))
        await _moved(admin, battle, await _committed(admin, battle))
        began = time.monotonic()
        await battle.kill("w1")
        await _moved(admin, battle, await _committed(admin, battle))
        return time.monotonic() - began
    finally:
        await admin.close()


async def _committed(admin: AIOKafkaAdminClient, battle: Battle) -> Mapping[TopicPartition, int]:
    places = [TopicPartition(battle.topic(counter.INPUT), number) for number in range(battle.plan.partitions)]
    told = await admin.list_consumer_group_offsets(counter.processor().group(battle.prefix), partitions=places)
    return {place: told[place].offset if place in told else -1 for place in places}


async def _moved(admin: AIOKafkaAdminClient, battle: Battle, since: Mapping[TopicPartition, int]) -> None:
    """Wait until every partition was committed further than it was."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while any(at <= since[place] for place, at in (await _committed(admin, battle)).items()):  # noqa: ASYNC110 - the cluster tells it in no other way
            await asyncio.sleep(LOOK_SECONDS)

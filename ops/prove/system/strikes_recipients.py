"""Faults of the far sides: a recipient that is away, and one that answers wrongly in every way."""

import asyncio
import signal
import time
from typing import Final

from connectors.kits.receiver import Mood
from ops.prove.system.battle import LOOK_SECONDS, Battle
from ops.prove.system.gathering import Tail

DOWN_SECONDS: Final = 20.0
"""An hour, time scaled."""
MOOD_SECONDS: Final = 2.5
WRONG: Final = (Mood.LOSE, Mood.DOWN, Mood.BUSY, Mood.MOVED, Mood.CUT, Mood.BABBLE, Mood.SILENT, Mood.REFUSE)
"""All but GONE. What is refused for good (422, like every 4xx without a meaning of its own) lies in quarantine."""
STOPPED_SECONDS: Final = 20.0


async def recipient_down(battle: Battle) -> None:
    """One recipient is away, then answers slowly; only it is delayed."""
    began = time.time()
    await battle.field.kill("fire")
    await asyncio.sleep(DOWN_SECONDS / 2)
    await battle.field.start_recipient("fire")
    battle.struck("fire away", until=time.time(), at=began)
    began = time.time()
    await battle.field.mood("fire", Mood.GOOD.value, delay_seconds=1.0)
    await asyncio.sleep(DOWN_SECONDS / 2)
    await battle.field.mood("fire", Mood.GOOD.value)
    battle.struck("fire slow", until=time.time(), at=began)


async def recipient_misbehaves(battle: Battle) -> None:
    """One recipient in every bad mood in turn, then in a good one."""
    for mood in WRONG:
        began = time.time()
        await battle.field.mood("crisis", mood.value)
        await asyncio.sleep(MOOD_SECONDS)
        battle.struck(f"crisis: {mood.value}", until=time.time(), at=began)
    await battle.field.mood("crisis", Mood.GOOD.value)
    await _gone(battle)


async def _gone(battle: Battle) -> None:
    """It says that it wants nothing any more (410): it is left alone until a person has looked and starts us again."""
    began = time.time()
    await battle.field.mood("crisis", Mood.GONE.value)
    if not await _left_alone(battle, "crisis"):
        battle.missed.append("crisis was not asked, or asked on, after it was gone")
    await battle.field.mood("crisis", Mood.GOOD.value)
    battle.struck("crisis: gone", until=time.time(), at=began)
    await battle.field.kill("deliver", signal.SIGTERM)
    battle.field.again("deliver")


async def _left_alone(battle: Battle, recipient: str) -> bool:
    """Whether it was asked, said 410, and was asked no more for a while although there is something for it."""
    tail, deadline = Tail(battle.field.effects_file(recipient)), time.monotonic() + STOPPED_SECONDS
    tail.more()
    while not any(one.status == GONE for one in tail.more()):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.sleep(SETTLING_SECONDS)  # lanes side by side may each have had one under way
    tail.more()
    await asyncio.sleep(MOOD_SECONDS)
    return not tail.more()


GONE: Final = 410
SETTLING_SECONDS: Final = 1.0

"""Faults of the far sides: a recipient that is away, and one that answers wrongly in every way."""

import asyncio
import time
from typing import Final

from connectors.kits.receiver import Mood
from ops.prove.system.battle import Battle

DOWN_SECONDS: Final = 20.0
"""An hour, time scaled."""
MOOD_SECONDS: Final = 2.5
WRONG: Final = (Mood.LOSE, Mood.DOWN, Mood.BUSY, Mood.MOVED, Mood.CUT, Mood.BABBLE, Mood.SILENT)
"""What leaves the message to be sent again. Refusals for good (400, 410) are in their own run."""


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

"""The build without the fence against a late state write, convicted where it can be: on the shell alone.

In a whole installation a zombie's late write must meet a second ownership change to show; the battle of the shell makes
both happen for certain, with a job whose every output tells whether each input was counted once.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

from ops.broker import EmbeddedKafka
from ops.prove import attacks
from ops.prove.cluster_io import CLEANING

FENCE: Final = "fence+fold"
ATTACK: Final = "zombie-late"


async def fence_convicted(folder: Path, seed: int) -> bool:
    """Whether one run of workers that are frozen, notice nothing and are not fenced was found wrong."""
    kafka = EmbeddedKafka(folder / "fence", 3, extra=CLEANING)
    await asyncio.to_thread(kafka.up)
    try:
        attack = attacks.catalogue(seed)[ATTACK]
        attack = replace(attack, plan=replace(attack.plan, off=(*attack.plan.off, *FENCE.split("+"))))
        verdict = await attacks.run(attack, kafka, folder)
    finally:
        await asyncio.to_thread(kafka.down, 0)
    return not verdict.passed and verdict.lost + verdict.wrong > 0

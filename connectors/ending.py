"""Ends tasks, also those that miss their first cancellation."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

AGAIN_SECONDS: Final = 2.0
"""Longer than anybody of ours takes to give things back."""


async def ended(tasks: "Iterable[asyncio.Task[Any]]", again_seconds: float = AGAIN_SECONDS) -> None:
    """Cancel the tasks and return when all have ended; their errors are theirs.

    Cancelled again while one goes on: `asyncio.wait_for` of Python 3.11 swallows a cancellation that meets its result,
    and a task that waits in a loop would then go on for ever.
    """
    given = list(tasks)
    going = {task for task in given if not task.done()}
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=again_seconds)
    await asyncio.gather(*given, return_exceptions=True)

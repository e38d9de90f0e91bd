"""A role whose event loop is blocked, as a process: `python -m tests.ops.blocked_loop`."""

import asyncio
import time

from ops.loop_guard import LoopGuard
from streams.leaving import Leaving


async def main() -> None:
    """Guarded, then blocked by a call that does not return."""
    async with LoopGuard(0.5, Leaving()).guarding():
        await asyncio.sleep(0)
        time.sleep(60)  # noqa: ASYNC251 - the fault itself


if __name__ == "__main__":
    asyncio.run(main())

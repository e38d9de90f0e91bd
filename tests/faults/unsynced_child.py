"""A process that appends to a journal under the power-loss layer and says what was answered; it waits to be killed.

`python -m tests.faults.unsynced_child FOLDER IMAGES FIRST SYNCHRONOUS KILL_AT_SYNC`
"""

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import cast

from connectors.journal import Journal
from connectors.journal_rows import Mark, RowState
from connectors.journal_store import Limits, Synchronous
from ops.prove import unsynced
from tests.connectors.journal_stage import KEY, entry


async def main(folder: Path, first: int, synchronous: Synchronous) -> None:
    """Eight callers; rows are marked published, so that trimming and checkpoints go on too."""
    limits = Limits(max_bytes=4 << 20, alarm=0.1, crowded=0.3)
    journal = Journal(folder / "journal.db", KEY, limits, synchronous=synchronous)
    await journal.start()
    numbers = itertools.count(first)

    async def caller() -> None:
        for number in numbers:
            stored = await journal.append(entry(f"{number} " + "x" * 3_000))
            sys.stdout.write(f"{number} {stored.row} {stored.document_id}\n")
            sys.stdout.flush()
            await journal.note(Mark(stored.row, RowState.PUBLISHED))

    await asyncio.gather(*(caller() for _ in range(8)))


def kill_at(sync: int) -> None:
    """End this process when its n-th sync is due: what was written for it is lost."""
    left = itertools.count(sync, -1)

    def count(_: Path) -> None:
        if next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    unsynced.install(Path(sys.argv[2]), count)


if __name__ == "__main__":
    kill_at(int(sys.argv[5]))
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[3]), cast("Synchronous", sys.argv[4])))

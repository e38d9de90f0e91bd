"""Lets a role that only counts stand back, on a busy machine, behind the roles that carry reports."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

GROUP: Final = Path("/proc/self/autogroup")
"""The niceness of our session's share (sched(7), "The autogroup feature"); not on every system."""


def stand_back(niceness: int) -> None:
    """Take a smaller share of busy cores; 0: an equal one. Called once, when a role starts.

    Where Linux shares out the cores by session, a process's own niceness counts within its session alone, and the
    supervisor gives each role a session. So a session that is ours stands back too; a shell's, in which somebody runs
    a role by hand, is left as it is.
    """
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            GROUP.write_text(str(niceness), "ascii")

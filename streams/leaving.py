"""How a process that runs a shell ends when going on could acknowledge something that is not true.

Ending is the safe way: whatever was not acknowledged is done again by the next owner, from the same state, with the
same bytes. The supervisor restarts the process. Exit codes, so that an operator sees the cause:

    70  an error nobody foresaw, a refused output, more bugs of a step in a minute than are set aside, or a client that
        does not get on (a round, a recovery, a partition with lag and without commits)
    75  the process stood still longer than half the session time-out (stopped, swapped out, frozen host), or its
        event loop did (blocked by a call that does not return)
    76  somebody else wrote to our changelog partition: two processes believe that they own it
    77  the broker gave no consistent answer about what follows a record
    78  Misconfigured: the state belongs to another topic, a topic is missing (a person must mend it)
    79  another process that has run for longer seems to have our static id (a person must end one, or rename it)
"""

import os
import sys
import threading
import traceback
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Final, NoReturn

import structlog

log: Final = structlog.get_logger("streams.shell")
SAY_SECONDS: Final = 1.0
"""How long the log may take when the loop is blocked, perhaps by the log."""


class Exit(IntEnum):
    """Exit codes of a process that runs a shell."""

    UNKNOWN = 70
    STOOD_STILL = 75
    FOREIGN_WRITE = 76
    GAP = 77
    MISCONFIGURED = 78
    TWIN = 79


class Left(BaseException):
    """The process should be gone: raised after the exit function, which returns only in tests.

    Not an Exception, because aiokafka swallows those of a rebalance listener.
    """

    def __init__(self, code: Exit, why: str) -> None:
        super().__init__(f"{code.name.lower()}: {why}")
        self.code: Final = code


class Leaving:
    """Ends the process. `exit` is `os._exit`: no clean-up, no LeaveGroup, nothing more on the wire."""

    def __init__(self, exit: Callable[[int], object] = os._exit) -> None:
        self._exit = exit
        self.left: Left | None = None

    def __call__(self, code: Exit, why: str) -> NoReturn:
        """Say why in one log event (no input text in it), then end."""
        left = Left(code, why)
        self.left = self.left or left
        _say(code, why)
        self._exit(int(code))
        raise left

    def from_aside(self, code: Exit, why: str) -> None:
        """End from another thread than the loop's, even where the log itself is what blocks the loop."""
        self.left = self.left or Left(code, why)
        saying = threading.Thread(target=_say, args=(code, why), daemon=True)
        saying.start()
        saying.join(SAY_SECONDS)
        self._exit(int(code))


def _say(code: Exit, why: str) -> None:
    log.critical("shell_left", exit_code=int(code), reason=code.name.lower(), why=why)
    sys.stdout.flush()
    sys.stderr.flush()


def whereabouts(error: BaseException) -> str:
    """Type and place of an error, never its text, which may hold input: `ValueError at lifecycle.py:120`."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place

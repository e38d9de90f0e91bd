"""A role whose wall clock shows what a file says: `python -m ops.prove.system.clocked`, told as `role` is.

`time.time` is replaced before anything of ours is imported, for defaults keep it; `datetime.now` in our modules once
they are there. The monotonic clock stays the real one, as it does when somebody sets a machine's clock. (libfaketime
was tried: it makes threads that wait for a while wait for ever.)
"""

import os
import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, Final

LOOK_SECONDS: Final = 0.05
OURS: Final = ("schemas.", "connectors.", "streams.", "ops.")


class Clock:
    """The clock that a file tells: `+3600`, `-90`, or `+0 x1.2` for one that runs too fast."""

    def __init__(self, file: Path) -> None:
        self._file, self._real, self._looked = file, time.time, 0.0
        self._told, self._offset, self._fast, self._since = "", 0.0, 0.0, time.monotonic()

    def now(self) -> float:
        """Seconds since the epoch, as this clock shows them."""
        at = time.monotonic()
        if at - self._looked > LOOK_SECONDS:
            self._looked = at
            self._look(at)
        return self._real() + self._offset + (at - self._since) * self._fast

    def _look(self, at: float) -> None:
        told = self._file.read_text("ascii").strip()
        if told and told != self._told:
            offset, _, rate = told.partition(" x")
            self._told, self._offset, self._fast, self._since = told, float(offset), float(rate or 1) - 1, at


def patched(clock: Clock) -> None:
    """Let `time` tell this clock's time."""
    time.time = clock.now
    time.time_ns = lambda: int(clock.now() * 1e9)


def patch_modules(clock: Clock) -> None:
    """Let our modules' `datetime.now` tell it, too."""

    class Shown(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(clock.now(), tz)

    for name, module in list(sys.modules.items()):
        if name.startswith(OURS) and getattr(module, "datetime", None) is datetime:
            setattr(module, "datetime", Shown)  # noqa: B010 - a patch, and meant as one


if __name__ == "__main__":
    import json

    shown = Clock(Path(json.loads(os.environ["SZTAB_PROVE"])["clock_file"]))
    patched(shown)
    from ops.prove.system import role

    role.start(lambda: patch_modules(shown))

"""The file that a proof is resumed from: one JSON line for each run, on disk before the next begins."""

import fcntl
import os
from pathlib import Path

import orjson

from ops.prove.system import totals
from ops.prove.system.history import lines
from ops.prove.system.totals import Key, Run


class Store:
    """Runs of this and of earlier invocations. Several invocations may append to one file.

    ValueError names a line that is no run; a torn last line, of an invocation that was killed, is passed over and cut
    off by the next append.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.runs: list[Run] = load(file)

    def has(self, key: Key) -> bool:
        """Whether this very run was made already."""
        return any(run.key == key for run in self.runs)

    def append(self, run: Run) -> None:
        """Keep a run; it is on disk when this returns."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            whole = self._file.read_bytes().rfind(b"\n") + 1
            if whole < os.fstat(handle).st_size:
                os.ftruncate(handle, whole)
            rest = memoryview(orjson.dumps(run.as_dict()) + b"\n")
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        self.runs.append(run)


def load(file: Path) -> list[Run]:
    """The runs of a file, none where there is none; of a run that stands there twice the later. ValueError: damaged."""
    found: dict[Key, Run] = {}
    for number, told in enumerate(lines(file), 1):
        try:
            run = totals.read(told)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{file}, line {number}: not a run ({type(error).__name__}); use another file") from error
        found[run.key] = run
    return list(found.values())

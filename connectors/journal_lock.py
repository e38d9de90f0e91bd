"""One writer for one journal: a lock beside its file, given up by the system when the process ends."""

import fcntl
import os
from pathlib import Path

from schemas.errors import Code, Misconfigured


def locked(path: Path) -> int:
    """A handle that keeps every other writer away until it is closed. Misconfigured when another has the journal."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"{path} is in use by another intake process") from None
    return handle

"""A small file system of its own, so that a disk can be full without filling the machine's. Needs root (tmpfs)."""

import contextlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

MEGABYTES: Final = 256
_CHUNK: Final = b"\0" * (1 << 20)


@cache
def why_no_mount() -> str:
    """Why there can be none here, in one line; empty when there can."""
    if os.geteuid() != 0:
        return "mounting needs root"
    if shutil.which("mount") is None or shutil.which("unshare") is None:
        return "mount and unshare are not installed"
    # In a mount namespace of its own: it is gone with the process.
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/tmp"],  # noqa: S108 - not written to
        capture_output=True,
        check=False,
    )
    return "" if tried.returncode == 0 else "this system does not let root mount a tmpfs"


class SmallDisk:
    """One file system at `folder`. `free` may be called at any time, also when nothing was mounted."""

    def __init__(self, folder: Path, megabytes: int = MEGABYTES) -> None:
        self._folder, self._megabytes = folder, megabytes
        self._mounted = False

    @property
    def _ballast(self) -> Path:
        return self._folder / "ballast"

    def mount(self) -> None:
        """Make it. CalledProcessError when the system refuses."""
        self._folder.mkdir(parents=True, exist_ok=True)
        options = f"size={self._megabytes}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._folder)], check=True)
        self._mounted = True

    def fill(self) -> None:
        """Leave no byte."""
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(_CHUNK):
                pass

    def empty(self) -> None:
        """Room again."""
        self._ballast.unlink(missing_ok=True)

    def free(self) -> None:
        """Take it away; what still holds files of it loses its sight of it when it ends."""
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=False)
            self._mounted = False

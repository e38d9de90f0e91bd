"""Power loss and full disks for a journal, without root: what was not fsynced is gone, or there is no room.

`install(images)` in the process that will be killed, before its journal is opened; `lose_power(folder, images)` by
whoever killed it, before it starts again. `fill_disk` and `free_disk` may be called from any process meanwhile. Only
`ops/prove` and tests import this: an intake of production has no way to it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ops.prove.durable_images import Images, Lost
from ops.prove.durable_images import lose_power as lose_power
from ops.prove.sqlite_files import OK, Layer, NotReachableError, library

__all__ = ["FULL_DISK", "NO_SYNC", "Lost", "fill_disk", "free_disk", "install", "installed", "lose_power", "why_not"]

FULL_DISK: Final = "no-room"
"""Growing writes fail with SQLITE_FULL, as ENOSPC makes them."""
NO_SYNC: Final = "no-sync"
"""Every fsync fails with SQLITE_IOERR_FSYNC, as EIO and a late ENOSPC make it."""
_SQLITE_FULL: Final = 13
_SQLITE_IOERR_FSYNC: Final = 10 | 4 << 8
_installed: list[tuple[Layer, Images]] = []
"""SQLite calls into them until the process ends."""


def why_not() -> str:
    """Why the layer cannot be had here, in one line; empty when it can."""
    try:
        library()
    except (NotReachableError, OSError) as error:
        return f"no power-loss layer (fault row 6 unproven): {error}"
    return ""


def install(folder: Path, on_sync: Callable[[Path], object] | None = None) -> None:
    """Keep images of every SQLite file that is opened from now on under `folder`. For the life of the process.

    `on_sync` is called with a file's path when it was written and is about to be synced: the moment to end a process
    whose writes shall be lost. NotReachableError where Python's SQLite cannot be reached.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images = Images(folder.resolve())
    layer = Layer(_Watched(folder.resolve(), images, on_sync), f"unsynced-{len(_installed)}")
    layer.install()
    _installed.append((layer, images))


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The same for a while; what is opened within must be closed within."""
    install(folder)
    layer, images = _installed[-1]
    try:
        yield
    finally:
        layer.remove()
        images.close()


def fill_disk(images: Path, how: str = FULL_DISK) -> None:
    """The disk is full from now on (with `NO_SYNC`: does not sync), for the process that has the layer installed."""
    (images / how).touch()


def free_disk(images: Path) -> None:
    """The disk has room again, and syncs."""
    for how in (FULL_DISK, NO_SYNC):
        (images / how).unlink(missing_ok=True)


class _Watched:
    """Tells the images of everything, and refuses what a full disk refuses."""

    def __init__(self, folder: Path, images: Images, on_sync: Callable[[Path], object] | None) -> None:
        self._images, self._on_sync = images, on_sync
        self._full, self._no_sync = folder / FULL_DISK, folder / NO_SYNC
        self._sizes: dict[Path, int] = {}
        self._lock = threading.Lock()

    def opened(self, path: Path, *, existed: bool) -> None:
        with self._lock:
            self._sizes[path] = path.stat().st_size
        self._images.opened(path, existed=existed)

    def writing(self, path: Path, at: int, data: bytes) -> int:
        end = at + len(data)
        with self._lock:
            grows = end > self._sizes[path]
        if grows and self._full.exists():
            return _SQLITE_FULL
        self._images.wrote(path, at, data)
        with self._lock:
            self._sizes[path] = max(self._sizes[path], end)
        return OK

    def cutting(self, path: Path, size: int) -> int:
        self._images.cut(path, size)
        with self._lock:
            self._sizes[path] = size
        return OK

    def syncing(self, path: Path) -> int:
        if self._on_sync is not None:
            self._on_sync(path)
        return _SQLITE_IOERR_FSYNC if self._no_sync.exists() else OK

    def synced(self, path: Path, *, folder_too: bool) -> None:
        self._images.synced(path, folder_too=folder_too)

    def deleted(self, path: Path, *, durable: bool) -> None:
        self._images.deleted(path, durable=durable)

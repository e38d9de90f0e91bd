"""Images of files as they were at their last fsync, kept while a process writes, so that a test can take the rest away.

For each file `<images>/<its absolute path>` is the image, there once the file was synced, and `.unsynced` beside it is
the log of what came since. Both are ordinary files: they survive the process, which is killed; the machine goes on.
"""

import os
import random
import shutil
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

_RECORD: Final = struct.Struct("<cQQ")
_WRITE, _CUT, _NEW, _GONE = b"w", b"c", b"n", b"g"
_LOG: Final = ".unsynced"
_SECTOR: Final = 512
_NOT_DURABLE: Final = "-shm"
"""The WAL-index: memory that happens to be a file; SQLite makes it anew after a crash."""


class Change(NamedTuple):
    """One change that no fsync followed: a write at `at`, a cut to the size `at`, a new file, a deletion."""

    kind: bytes
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """What a power loss took away. Nothing lost (`writes` 0) proves nothing about whoever wrote."""

    files: int
    writes: int
    bytes: int


class Images:
    """The images of every file that this process opens through the layer. Any thread may call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._logs: dict[Path, int] = {}

    def opened(self, path: Path, *, existed: bool) -> None:
        """Called once a file is open; `existed`: it was there before. What was there without a log was durable."""
        with self._lock:
            image, log = _places(self._folder, path)
            image.parent.mkdir(parents=True, exist_ok=True)
            if existed and not log.exists():
                shutil.copyfile(path, image)
            self._note(path, b"" if existed else _packed(Change(_NEW, 0, b"")))

    def wrote(self, path: Path, at: int, data: bytes) -> None:
        """Called before bytes are written."""
        with self._lock:
            self._note(path, _packed(Change(_WRITE, at, data)))

    def cut(self, path: Path, size: int) -> None:
        """Called before a file is truncated."""
        with self._lock:
            self._note(path, _packed(Change(_CUT, size, b"")))

    def deleted(self, path: Path, *, durable: bool) -> None:
        """Called after a file was deleted; `durable`: its folder was synced too."""
        with self._lock:
            if path in self._logs:
                os.close(self._logs.pop(path))
            if _places(self._folder, path)[1].exists():
                self._note(path, _packed(Change(_GONE, 0, b"")))
                if durable:
                    self._folder_synced(path.parent)

    def synced(self, path: Path, *, folder_too: bool) -> None:
        """Called after an fsync came back; `folder_too`: SQLite syncs the folder with the first one of such a file."""
        with self._lock:
            image, log = _places(self._folder, path)
            changes = _changes(log)
            if folder_too and any(one.kind == _NEW for one in changes):
                self._folder_synced(path.parent)
            _apply(image, changes)
            os.truncate(log, 0)

    def close(self) -> None:
        """Give the files back."""
        with self._lock:
            for handle in self._logs.values():
                os.close(handle)
            self._logs.clear()

    def _note(self, path: Path, record: bytes) -> None:
        if path not in self._logs:
            log = _places(self._folder, path)[1]
            self._logs[path] = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if record:
            os.write(self._logs[path], record)

    def _folder_synced(self, folder: Path) -> None:
        """Deletions in the folder are durable: what was deleted does not come back."""
        for log in _places(self._folder, folder / "x")[0].parent.glob(f"*{_LOG}"):
            changes = _changes(log)
            gone = max((at for at, one in enumerate(changes) if one.kind == _GONE), default=None)
            if gone is not None:
                log.with_name(log.name.removesuffix(_LOG)).unlink(missing_ok=True)
                _rewrite(log, changes[gone + 1 :])


def lose_power(folder: Path, images: Path, some: random.Random | None = None) -> Lost:
    """Put the images in the place of a folder's files; call it when nobody has them open.

    Everything unsynced is gone; with `some` a part of it stays, sector by sector and in no order, as a disk may do it.
    """
    files = writes = size = 0
    for log in sorted(_places(images, folder.resolve() / "x")[0].parent.glob(f"*{_LOG}")):
        image = log.with_name(log.name.removesuffix(_LOG))
        changes = _changes(log)
        lost = [one for one in changes if one.kind == _WRITE]
        if some is not None and image.exists() and not any(one.kind in {_NEW, _GONE} for one in changes):
            kept = list(_sectors_kept(lost, some))
            _apply(image, kept)
            size -= sum(len(one.data) for one in kept)
        files += bool(changes)
        writes += len(lost)
        size += sum(len(one.data) for one in lost)
        os.truncate(log, 0)
        live = folder / image.name
        if image.exists():
            shutil.copyfile(image, live)
        else:
            live.unlink(missing_ok=True)
    for index in folder.glob(f"*{_NOT_DURABLE}"):
        index.unlink()
    return Lost(files, writes, size)


def _sectors_kept(writes: list[Change], some: random.Random) -> Iterator[Change]:
    for one in writes:
        for start in range(0, len(one.data), _SECTOR):
            if some.random() < 0.5:
                yield Change(_WRITE, one.at + start, one.data[start : start + _SECTOR])


def _places(images: Path, path: Path) -> tuple[Path, Path]:
    image = images.joinpath(*path.parts[1:])
    return image, image.with_name(image.name + _LOG)


def _packed(change: Change) -> bytes:
    return _RECORD.pack(change.kind, change.at, len(change.data)) + change.data


def _changes(log: Path) -> list[Change]:
    """The log's records; the last one may be half, for the process was killed."""
    told = log.read_bytes() if log.exists() else b""
    found: list[Change] = []
    at = 0
    while at + _RECORD.size <= len(told):
        kind, position, size = _RECORD.unpack_from(told, at)
        at += _RECORD.size + size
        if at <= len(told):
            found.append(Change(kind, position, told[at - size : at]))
    return found


def _rewrite(log: Path, changes: list[Change]) -> None:
    """In place, for whoever appends to it has it open."""
    with log.open("r+b") as file:
        file.truncate()
        file.write(b"".join(_packed(one) for one in changes))
        file.truncate()


def _apply(image: Path, changes: list[Change]) -> None:
    handle = os.open(image, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for kind, at, data in changes:
            if kind == _WRITE:
                os.pwrite(handle, data, at)
            elif kind in {_CUT, _NEW}:
                os.ftruncate(handle, at)
    finally:
        os.close(handle)

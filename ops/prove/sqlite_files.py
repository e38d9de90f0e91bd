"""Stands between SQLite and its files, on the very library that Python's `sqlite3` uses. No compiler is needed.

SQLite reaches files through a table of functions (its VFS, sqlite3.h). We register a copy of the default one whose
`xOpen` and `xDelete` are ours; `xOpen` lets the original open the file and then gives the file a copy of its method
table in which `xWrite`, `xTruncate`, `xSync` and `xClose` are ours. Everything else stays SQLite's own.
"""

import _sqlite3
import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

OK: Final = 0
IO_ERROR: Final = 10
_JOURNAL_KINDS: Final = 0x00000800 | 0x00004000 | 0x00080000
"""SQLITE_OPEN_MAIN_JOURNAL, SUPER_JOURNAL, WAL: their folder is synced with their first sync."""
_KEPT_KINDS: Final = _JOURNAL_KINDS | 0x00000100
"""And SQLITE_OPEN_MAIN_DB. Temporary files are left alone."""

_INT, _I64, _POINTER, _TEXT = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p
_OPEN: Final = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _POINTER, _INT, ctypes.POINTER(_INT))
_DELETE: Final = ctypes.CFUNCTYPE(_INT, _POINTER, _TEXT, _INT)
_CLOSE: Final = ctypes.CFUNCTYPE(_INT, _POINTER)
_WRITE: Final = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT, _I64)
_CUT: Final = ctypes.CFUNCTYPE(_INT, _POINTER, _I64)
_SYNC: Final = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)


class _Vfs(ctypes.Structure):
    """`struct sqlite3_vfs`, up to version 3."""

    _fields_ = (
        ("iVersion", _INT),
        ("szOsFile", _INT),
        ("mxPathname", _INT),
        ("pNext", _POINTER),
        ("zName", _TEXT),
        ("pAppData", _POINTER),
        ("xOpen", _POINTER),
        ("xDelete", _POINTER),
        ("others", _POINTER * 13),
    )


class _Methods(ctypes.Structure):
    """`struct sqlite3_io_methods`, up to version 3."""

    _fields_ = (
        ("iVersion", _INT),
        ("xClose", _POINTER),
        ("xRead", _POINTER),
        ("xWrite", _POINTER),
        ("xTruncate", _POINTER),
        ("xSync", _POINTER),
        ("others", _POINTER * 13),
    )


class _File(ctypes.Structure):
    """`struct sqlite3_file`: what every open file of a VFS begins with."""

    _fields_ = (("pMethods", ctypes.POINTER(_Methods)),)


class Watcher(Protocol):
    """Who is told of what happens to files. An answer other than OK is SQLite's error code and the thing is not done.

    What it raises becomes an I/O error of that file.
    """

    def opened(self, path: Path, *, existed: bool) -> None:
        """A file is open."""

    def writing(self, path: Path, at: int, data: bytes) -> int:
        """Bytes are about to be written."""

    def cutting(self, path: Path, size: int) -> int:
        """A file is about to be truncated."""

    def syncing(self, path: Path) -> int:
        """A file is about to be synced."""

    def synced(self, path: Path, *, folder_too: bool) -> None:
        """An fsync came back; with the folder's too where SQLite does that."""

    def deleted(self, path: Path, *, durable: bool) -> None:
        """A file was deleted; `durable`: and its folder synced."""


class NotReachableError(Exception):
    """The SQLite that Python uses cannot be reached here; says why."""


def library() -> Any:
    """The SQLite library that Python's `sqlite3` module uses. NotReachableError says why it cannot be had."""
    file = getattr(_sqlite3, "__file__", None)
    if file is None:
        raise NotReachableError("Python's sqlite3 module is built into the interpreter, without a library of its own")
    found = ctypes.CDLL(file)
    try:
        found.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        found.sqlite3_vfs_register.argtypes = (ctypes.POINTER(_Vfs), _INT)
        found.sqlite3_vfs_unregister.argtypes = (ctypes.POINTER(_Vfs),)
    except AttributeError:
        raise NotReachableError(f"{file} hides the functions of its SQLite") from None
    return found


class Layer:
    """Our VFS over the default one. While installed, every connection opened goes through it and tells the watcher.

    To be kept for as long as the process lives: SQLite calls into it.
    """

    def __init__(self, watcher: Watcher, name: str) -> None:
        self._library = library()
        self._watcher = watcher
        self._beneath = self._library.sqlite3_vfs_find(None)
        below = self._beneath.contents
        self._open_beneath, self._delete_beneath = _OPEN(below.xOpen), _DELETE(below.xDelete)
        self._ours = _Vfs.from_buffer_copy(below)
        self._name = name.encode()
        self._callbacks: list[Any] = [_OPEN(self._guarded(self._open)), _DELETE(self._guarded(self._delete))]
        self._ours.zName, self._ours.pNext = self._name, None
        self._ours.xOpen, self._ours.xDelete = (_address(one) for one in self._callbacks)
        self._methods: dict[int, _Methods] = {}
        """Our method table for each of the original ones, by its address."""
        self._files: dict[int, tuple[Path, bool]] = {}
        """Each open file's path, and whether its folder is synced with it; by the file's address."""

    def install(self) -> None:
        """Become the default for connections opened from now on."""
        self._library.sqlite3_vfs_register(ctypes.byref(self._ours), 1)

    def remove(self) -> None:
        """Make the VFS beneath the default again; connections that are open stay with us."""
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._ours))
        self._library.sqlite3_vfs_register(self._beneath, 1)

    def _guarded(self, ours: Callable[..., int]) -> Callable[..., int]:
        """An exception must not reach SQLite, which would take it for success."""

        def call(*values: Any) -> int:
            try:
                return ours(*values)
            except Exception:  # noqa: BLE001 - whatever it is: the file did not do what was asked
                return IO_ERROR

        return call

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, given: Any) -> int:
        path = Path(ctypes.string_at(name).decode()) if name and flags & _KEPT_KINDS else None
        existed = path is not None and path.exists()
        beneath = ctypes.cast(self._beneath, _POINTER)
        answer: int = self._open_beneath(beneath, name, file, flags, given)
        if answer == OK and path is not None:
            self._watcher.opened(path, existed=existed)
            self._files[file] = path, bool(flags & _JOURNAL_KINDS)
            opened = _File.from_address(file)
            opened.pMethods = ctypes.pointer(self._watched(opened.pMethods))
        return answer

    def _delete(self, _vfs: int, name: bytes, durable: int) -> int:
        answer: int = self._delete_beneath(ctypes.cast(self._beneath, _POINTER), name, durable)
        if answer == OK:
            self._watcher.deleted(Path(name.decode()), durable=bool(durable))
        return answer

    def _watched(self, methods: Any) -> _Methods:
        """The original's method table with our four functions in it; one for each original."""
        at = _address(methods)
        if at not in self._methods:
            original = methods.contents
            ours = _Methods.from_buffer_copy(original)
            made = (
                _CLOSE(self._guarded(self._closing(_CLOSE(original.xClose)))),
                _WRITE(self._guarded(self._writing(_WRITE(original.xWrite)))),
                _CUT(self._guarded(self._cutting(_CUT(original.xTruncate)))),
                _SYNC(self._guarded(self._syncing(_SYNC(original.xSync)))),
            )
            self._callbacks += made
            ours.xClose, ours.xWrite, ours.xTruncate, ours.xSync = (_address(one) for one in made)
            self._methods[at] = ours
        return self._methods[at]

    def _closing(self, beneath: Callable[..., int]) -> Callable[..., int]:
        def close(file: int) -> int:
            self._files.pop(file, None)
            return beneath(file)

        return close

    def _writing(self, beneath: Callable[..., int]) -> Callable[..., int]:
        def write(file: int, data: int, size: int, at: int) -> int:
            return self._watcher.writing(self._files[file][0], at, ctypes.string_at(data, size)) or beneath(
                file, data, size, at
            )

        return write

    def _cutting(self, beneath: Callable[..., int]) -> Callable[..., int]:
        def cut(file: int, size: int) -> int:
            return self._watcher.cutting(self._files[file][0], size) or beneath(file, size)

        return cut

    def _syncing(self, beneath: Callable[..., int]) -> Callable[..., int]:
        def sync(file: int, flags: int) -> int:
            path, folder_too = self._files[file]
            answer = self._watcher.syncing(path) or beneath(file, flags)
            if answer == OK:
                self._watcher.synced(path, folder_too=folder_too)
            return answer

        return sync


def _address(of: Any) -> int:
    return ctypes.cast(of, _POINTER).value or 0

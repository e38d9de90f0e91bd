"""Reads a file row by row, remembers how far, and waits for more at its end."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from connectors.contract import Batch, Document
from connectors.file.mapping import Mapping, load
from connectors.file.rows import Flaw, Limits, Row, rows
from connectors.file.settings import FileSettings
from connectors.file.translate import header_of
from schemas.errors import Code, Denied, Misconfigured, Unavailable

T = TypeVar("T")

BEGINNING: Final = "0:"


class FileSource:
    """One file as a source.

    A cursor is `<rows read>:<digest of them>`: a file that still begins with those rows is read on from there, any
    other from its beginning, where the rows' identities make a repeat harmless. With `follow` false, `read` gives an
    empty batch at the end of the file instead of waiting for more.
    """

    def __init__(self, settings: FileSettings, *, follow: bool = True) -> None:
        self._settings, self._follow = settings, follow
        self._mapping = load(settings.mapping)
        self._reader: _Reader | None = None
        self.at_end = False
        """Whether the last row of the file, as it is now, has been handed over."""

    async def connect(self) -> None:
        """Look whether the file is there and has the mapping's columns.

        Unavailable: no such file yet. Denied: it may not be read. Misconfigured: a column is missing.
        """
        await self.close()
        (await self._threaded(_Reader, self._settings, self._mapping)).close()

    async def read(self, cursor: str | None) -> Batch:
        """The next rows after `cursor`; at the end of the file it waits until the file has changed."""
        wanted = cursor or BEGINNING
        while True:
            reader, self._reader = self._reader, None
            if reader is None or reader.cursor != wanted:
                self.at_end = False
                if reader is not None:
                    reader.close()
                reader = await self._threaded(_resumed, self._settings, self._mapping, wanted)
            documents = await self._threaded(reader.take, self._settings.rows_at_once, owner=reader)
            self._reader, self.at_end = reader, reader.ended
            if documents or not self._follow:
                return Batch(documents, documents[-1].cursor if documents else cursor)
            while await asyncio.to_thread(_state, self._settings.path) == reader.state:  # noqa: ASYNC110 - a file
                await asyncio.sleep(self._settings.look_again_seconds)
            await self.close()

    async def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @staticmethod
    async def _threaded(call: Callable[..., T], *arguments: Any, owner: "_Reader | None" = None) -> T:
        """Run in a thread; where we are cancelled meanwhile, what it holds open is closed when it has ended."""
        future = asyncio.get_running_loop().run_in_executor(None, call, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            future.add_done_callback(lambda done: _close(owner or (None if done.exception() else done.result())))
            raise


def _close(held: object) -> None:
    if isinstance(held, _Reader):
        held.close()


class _Reader:
    """The open file, how far it was read, and how often each row came."""

    def __init__(self, settings: FileSettings, mapping: Mapping) -> None:
        self._mapping = mapping
        self._file = _opened(settings.path)
        self.state = _state(settings.path)
        limits = Limits(settings.max_bytes, settings.most_unpacked_bytes, settings.most_unpacked_ratio)
        self._rows: Iterator[Row] = rows(self._file, limits, mapping.delimiter if mapping.format == "csv" else None)
        self._digest = hashlib.blake2b(digest_size=12)
        self._count = 0
        self._seen: set[int] = set()
        self._again: dict[int, int] = {}
        try:
            self._context = self._header() if mapping.format == "csv" else {}
            self._ahead = next(self._rows, None)
        except BaseException:
            self.close()
            raise

    @property
    def ended(self) -> bool:
        return self._ahead is None

    @property
    def cursor(self) -> str:
        return f"{self._count}:{self._digest.hexdigest()}" if self._count else BEGINNING

    def take(self, count: int) -> tuple[Document, ...]:
        """The next rows, at most `count`; none at the end."""
        taken: list[Document] = []
        while self._ahead is not None and len(taken) < count:
            taken.append(self._document(self._ahead))
            self._ahead = next(self._rows, None)
        return tuple(taken)

    def close(self) -> None:
        self._file.close()

    def _document(self, row: Row) -> Document:
        self._digest.update(len(row.body).to_bytes(4, "big") + row.body)
        self._count += 1
        context = self._context if row.flaw is None else {**self._context, "flaw": row.flaw.value}
        return Document(
            row.body,
            content_type="text/csv" if self._mapping.format == "csv" else "application/x-ndjson",
            occurrence=self._occurrence(row.body) if self._mapping.id is None else "",
            cursor=self.cursor,
            context=context,
        )

    def _occurrence(self, body: bytes) -> str:
        """The how-manieth row with these bytes it is. Equal digests of other bytes would only raise the number."""
        key = int.from_bytes(hashlib.blake2b(body, digest_size=8).digest(), "big")
        if key not in self._seen:
            self._seen.add(key)
            return "1"
        self._again[key] = self._again.get(key, 1) + 1
        return str(self._again[key])

    def _header(self) -> dict[str, str]:
        first = next(self._rows, Row(b"", Flaw.CUT))
        if first.flaw is not None:
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, "the file is empty or has no readable first line")
        try:
            line = first.body.decode(self._mapping.encoding)
        except UnicodeDecodeError:
            raise Misconfigured(Code.CONFIGURATION_INVALID, f"the header is not {self._mapping.encoding}") from None
        names = header_of(line, self._mapping.delimiter)
        if missing := sorted(self._mapping.columns - set(names)):
            raise Misconfigured(
                Code.CONFIGURATION_INVALID,
                f"mapping {self._mapping.name} names columns that the file has not: {', '.join(missing)}; "
                f"it has {', '.join(names) or 'no usable header'}",
            )
        self._digest.update(first.body)
        return {"header": line}


def _resumed(settings: FileSettings, mapping: Mapping, cursor: str) -> _Reader:
    """A reader that stands after `cursor`, or at the beginning where the file no longer begins like that."""
    reader = _Reader(settings, mapping)
    count = int(cursor.partition(":")[0]) if cursor.partition(":")[0].isdecimal() else 0
    while count > 0 and not reader.ended:
        count -= len(reader.take(min(count, 10_000)))
    if count == 0 and reader.cursor == cursor:
        return reader
    reader.close()
    return _Reader(settings, mapping)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except PermissionError:
        raise Denied(Code.FORBIDDEN, "the file may not be read") from None
    except OSError as error:
        raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"the file cannot be opened ({type(error).__name__})") from None


def _state(path: Path) -> tuple[int, ...]:
    """What changes when the file does."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)

"""The rows of a file as untouched bytes, whatever it does: gzip or plain, broken quotes, rows without end, bombs."""

import csv
import io
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final

BOM_UTF8: Final = b"\xef\xbb\xbf"
GZIP_MAGIC: Final = b"\x1f\x8b"
CHUNK_BYTES: Final = 1 << 18
MOST_LINES: Final = 64
"""A quoted value over more lines than these is taken for a quote that was never closed."""


class Flaw(StrEnum):
    """What is wrong with a row before anybody reads it."""

    CUT = "cut"
    """Longer than the source's limit: only its beginning is kept."""
    BROKEN = "broken"
    """The compressed stream ends or breaks here; what was unpacked of this row is kept."""
    BOMB = "bomb"
    """More comes out than the source's limits allow: reading ended here."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row without its line end."""

    body: bytes
    flaw: Flaw | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one file."""

    row_bytes: int
    unpacked_bytes: int
    ratio: int
    ratio_free_bytes: int = 16 << 20
    """So much may come out before the ratio counts: a short file of equal rows is no bomb."""


class _Stopped(Exception):
    def __init__(self, flaw: Flaw) -> None:
        super().__init__(flaw)
        self.flaw = flaw


def rows(file: BinaryIO, limits: Limits, delimiter: str | None) -> Iterator[Row]:
    """Every row of the open file, blank ones left out, bounded in memory by the row limit.

    `delimiter` set: CSV (RFC 4180), where a quoted value may hold line ends; None: one row a line. A quote that is
    never closed, or closed where the row then has other columns than the first, costs its own line only. A flaw of
    the whole file is its last row.
    """
    lines = _Lines(file, limits, delimiter)
    mark = BOM_UTF8
    while (row := lines.next()) is not None:
        line, mark = Row(row.body.removeprefix(mark), row.flaw), b""
        whole = lines.joined(line) if line.flaw is None else line
        if whole.flaw or whole.body.strip():
            yield Row(whole.body.rstrip(b"\r\n"), whole.flaw)


def cells(text: str, delimiter: str) -> list[str] | None:
    """The values of one CSV row; None when its quotes are wrong."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else None


class _Lines:
    """The lines of a file, with some pushed back when a quoted value turned out to have no end."""

    def __init__(self, file: BinaryIO, limits: Limits, delimiter: str | None) -> None:
        self._limits = limits
        self._delimiter = delimiter
        self._columns: int | None = None
        self._fresh = _lines(file, limits)
        self._again: deque[Row] = deque()

    def next(self) -> Row | None:
        return self._again.popleft() if self._again else next(self._fresh, None)

    def joined(self, first: Row) -> Row:
        """The row that begins with the line `first`: itself, or with the lines in which its quoted value goes on."""
        if self._delimiter is None:
            return first
        separator = self._delimiter.encode()
        whole = self._closed(first, separator) if _open(first.body, separator, inside=False) else first
        if self._columns is None:
            self._columns = self._width(whole)
        return whole

    def _closed(self, first: Row, separator: bytes) -> Row:
        taken: list[Row] = []
        size = len(first.body)
        while len(taken) < MOST_LINES and size <= self._limits.row_bytes:
            line = self.next()
            if line is None:
                break
            taken.append(line)
            size += len(line.body)
            if line.flaw:
                break
            if not _open(line.body, separator, inside=True):
                whole = Row(first.body + b"".join(one.body for one in taken))
                if size <= self._limits.row_bytes and self._width(whole) == (self._columns or self._width(whole)):
                    return whole
                break
        self._again.extendleft(reversed(taken))
        return first

    def _width(self, row: Row) -> int | None:
        found = cells(row.body.decode("latin-1").rstrip("\r\n"), self._delimiter or ",")
        return None if found is None else len(found)


def _open(line: bytes, delimiter: bytes, *, inside: bool) -> bool:
    """Whether the line ends inside a quoted value; `inside`: it began inside one."""
    if b'"' not in line:
        return inside
    value_begins = not inside
    position, end = 0, len(line)
    while position < end:
        if inside:
            close = line.find(b'"', position)
            if close < 0:
                return True
            doubled = line[close + 1 : close + 2] == b'"'
            position = close + 2 if doubled else close + 1
            inside, value_begins = doubled, False
        elif value_begins and line[position : position + 1] == b'"':
            inside, position = True, position + 1
        else:
            separator = line.find(delimiter, position)
            if separator < 0:
                return False
            position, value_begins = separator + 1, True
    return inside


def _lines(file: BinaryIO, limits: Limits) -> Iterator[Row]:
    """Lines with their ends, each at most the row limit long, then what is wrong with the file, if anything is."""
    held, skipping = b"", False
    flaw: Flaw | None = None
    chunks = _chunks(file, limits)
    while True:
        try:
            chunk = next(chunks, None)
        except _Stopped as stopped:
            flaw, chunk = stopped.flaw, None
        if chunk is None:
            break
        *whole, last = chunk.split(b"\n")
        for line in whole:
            if not skipping:
                yield _bounded(held + line + b"\n", limits)
            held, skipping = b"", False
        if not skipping:
            held += last
        if len(held) > limits.row_bytes:
            yield Row(held[: limits.row_bytes], Flaw.CUT)
            held, skipping = b"", True
    if flaw is not None:
        yield Row(held or flaw.value.encode(), flaw)
    elif held:
        yield _bounded(held, limits)


def _bounded(line: bytes, limits: Limits) -> Row:
    if len(line.rstrip(b"\r\n")) > limits.row_bytes:
        return Row(line[: limits.row_bytes], Flaw.CUT)
    return Row(line)


def _chunks(file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The file's bytes, unpacked where it is gzip."""
    raw = file.read(CHUNK_BYTES)
    if raw.startswith(GZIP_MAGIC):
        yield from _unpacked(raw, file, limits)
        return
    while raw:
        yield raw
        raw = file.read(CHUNK_BYTES)


def _unpacked(raw: bytes, file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """What gzip members one after another hold (RFC 1952, 2.2). Stops at a break, a cut end, or too much."""
    packed = unpacked = 0
    member = zlib.decompressobj(wbits=31)
    while raw:
        if member.eof:
            member = zlib.decompressobj(wbits=31)
        packed += len(raw)
        full = True
        while raw or full:
            try:
                chunk = member.decompress(raw, CHUNK_BYTES)
            except zlib.error:
                raise _Stopped(Flaw.BROKEN) from None
            unpacked += len(chunk)
            if unpacked > min(limits.unpacked_bytes, max(limits.ratio_free_bytes, packed * limits.ratio)):
                raise _Stopped(Flaw.BOMB)
            yield chunk
            raw, full = member.unconsumed_tail, len(chunk) == CHUNK_BYTES and not member.eof
            if member.eof and (raw := member.unused_data.lstrip(b"\0")):
                member = zlib.decompressobj(wbits=31)
        raw = file.read(CHUNK_BYTES)
    if not member.eof:
        raise _Stopped(Flaw.BROKEN)

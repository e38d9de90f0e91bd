"""Reads what is new in the intake journals: rows after the last one seen, and again those that were not settled then.

A journal of this machine is read by its file, whether its node runs or not; another node's over HTTP. A node that
cannot be read makes the verdict unknown, never false.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from connectors.journal_reader import JournalReader
from connectors.journal_rows import Gap
from ops import runtime
from ops.bookkeeping.book import Placed
from ops.bookkeeping.book import placed as of_json
from ops.ledger_rows import GONE, Journal, gaps_of
from ops.ledger_sources import PAGE, Where, nodes, row_of
from schemas.errors import Code, Rejected, Unavailable

ASK_SECONDS: Final = 5.0
NODES_SECONDS: Final = 60.0
SETTLED: Final = frozenset({"published", "quarantined"})


class Numbered(NamedTuple):
    """A row with its number."""

    number: int
    placed: Placed


class Page(NamedTuple):
    """Rows after one, in order, the newest row's number, and of which times the journal knows nothing."""

    rows: list[Numbered]
    last: int
    gaps: tuple[Gap, ...] = ()


Ask = Callable[[int, int], Awaitable[Page]]
"""Rows after this one, at most so many. Unavailable when they cannot be read."""


@dataclass
class Tail:
    """One node's journal: how far it was read, and which rows must be looked at again, by number."""

    node: str
    next_row: int = 0
    since_ms: int = 0
    read_ms: int = 0
    open_rows: dict[int, Placed] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    reached: bool = False
    _found: dict[str, Placed] = field(default_factory=dict)
    """Read, and not yet handed over: whatever breaks a reading off, nothing of it is lost."""
    _handed: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.handed()

    @classmethod
    def of(cls, node: str, kept: Mapping[str, Any]) -> "Tail":
        """What `kept` gave, perhaps by way of JSON."""
        open_rows = {one.number: one for one in map(of_json, kept["open"])}
        return cls(node, kept["next"], kept["since_ms"], 0, open_rows)

    def told(self) -> Journal | None:
        """How it was read, without its rows; None while it cannot be."""
        return Journal((), self.read_ms, self.since_ms, self.gaps) if self.reached else None

    def handed(self) -> dict[str, Placed]:
        """What was read since the last time, by document id; from now on it is the caller's to keep."""
        found, self._found = self._found, {}
        self._handed = {"next": self.next_row, "since_ms": self.since_ms, "open": list(self.open_rows.values())}
        return found

    def kept(self) -> dict[str, Any]:
        """For the store: how far was handed over."""
        return self._handed

    async def read(self, ask: Ask) -> None:
        """Read what is new or was not settled. A node that is away in the middle of it is read on the next time."""
        read_ms = int(time.time() * 1000)
        try:
            await self._again(ask)
            await self._on(ask, read_ms)
        except (Unavailable, Rejected):  # away, or on a page that is damaged: `sztab journal verify` says where
            self.reached = False
            return
        self.read_ms, self.reached = read_ms, True

    async def _again(self, ask: Ask) -> None:
        wanted = sorted(self.open_rows)
        while wanted:
            upto = min(wanted[0] + PAGE - 1, self.next_row)
            page = await ask(wanted[0] - 1, upto - wanted[0] + 1)
            there = dict(page.rows)
            for number in [one for one in wanted if one <= upto]:
                if number in there and _document(there[number]) == _document(self.open_rows[number]):
                    self._take(number, there[number])
                else:
                    self._gone(number)
            wanted = [one for one in wanted if one > upto]

    async def _on(self, ask: Ask, read_ms: int) -> None:
        while True:
            page = await ask(self.next_row, PAGE)
            if page.last < self.next_row:
                self.next_row = 0  # another journal stands there, one without an epoch of its own: read it whole
                for number in list(self.open_rows):
                    self._gone(number)
                continue
            self.gaps = page.gaps
            if not self.next_row and page.rows and page.rows[0].number > 1:
                self.since_ms = page.rows[0].placed.row.received_ms
            if not self.next_row and not page.rows and page.last:
                self.since_ms = read_ms
            for number, placed in page.rows:
                self._take(number, placed)
                self.next_row = number
            if len(page.rows) < PAGE:
                return

    def _take(self, number: int, placed: Placed) -> None:
        if placed.row.state in SETTLED:
            self.open_rows.pop(number, None)
        elif number in self.open_rows:
            return
        else:
            self.open_rows[number] = placed
        self._found[_document(placed)] = placed

    def _gone(self, number: int) -> None:
        """The journal has lost the row since it was read: a disk was lost, and an older copy put back."""
        placed = self.open_rows.pop(number)
        self._found[_document(placed)] = placed._replace(row=placed.row._replace(state=GONE))


def _document(placed: Placed) -> str:
    return placed.row.document_id


class Journals:
    """Every node's. `await read()` again and again; `await close()`."""

    def __init__(self, where: Where, token: str, kept: Mapping[str, Any]) -> None:
        self._where, self._token = where, token
        self.tails: Final = {node: Tail.of(node, told) for node, told in kept.items()}
        self._nodes_at: float | None = None
        self._session: aiohttp.ClientSession | None = None

    def kept(self) -> dict[str, Any]:
        """For the store: how far each was read."""
        return {node: one.kept() for node, one in self.tails.items()}

    async def read(self) -> dict[str, Placed]:
        """What is new or was not settled, by document id. Unavailable when the nodes' names cannot be read."""
        files = runtime.journals(self._where.node, self._where.journal_file)
        known = set(files) - set(self._where.gone)
        asked_at = self._nodes_at
        if asked_at is None or time.monotonic() - asked_at > NODES_SECONDS or not self.tails:
            known |= await nodes(self._where)
            self._nodes_at = time.monotonic()
        for node in known - set(self.tails):
            self.tails[node] = Tail(node)
        for node in set(self.tails) & set(self._where.gone):
            del self.tails[node]
        for node, tail in self.tails.items():
            if node in self._where.others:
                await tail.read(_over_http(self._client(), node, self._where.others[node]))
            elif node in files:
                with closing(_File(node, files[node])) as file:
                    await tail.read(file.ask)
            else:
                tail.reached = False
        found: dict[str, Placed] = {}
        for tail in self.tails.values():
            for document, placed in tail.handed().items():
                if placed.row.state != GONE or document not in found:
                    found[document] = placed
        return found

    def ask_again(self) -> None:
        """Something is in no journal: ask with the next reading which nodes there are, one may have come meanwhile."""
        self._nodes_at = None

    def told(self) -> dict[str, Journal | None]:
        """How each was read the last time."""
        return {node: tail.told() for node, tail in self.tails.items()}

    async def close(self) -> None:
        """Give the client back."""
        if self._session is not None:
            await self._session.close()

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            self._session = aiohttp.ClientSession(timeout=timeout, headers=headers)
        return self._session


class _File:
    """Asks a file of this machine. Held open for one reading: another may stand there the next time."""

    def __init__(self, node: str, path: Path) -> None:
        self._node, self._path = node, path
        self._reader: JournalReader | None = None

    async def ask(self, after: int, limit: int) -> Page:
        """See `Ask`; a long page is read beside the loop."""
        return await asyncio.to_thread(self._page, after, limit)

    def close(self) -> None:
        """Give the file back."""
        if self._reader is not None:
            self._reader.close()

    def _page(self, after: int, limit: int) -> Page:
        if self._reader is None:
            self._reader = JournalReader(self._path)
        found = self._reader.ids(after, limit)
        rows = [
            _numbered(self._node, one.row, one.document_id, one.state.name, one.received_ms, one.reports)
            for one in found
        ]
        return Page(rows, rows[-1].number if len(rows) == limit else self._reader.last_row(), self._reader.gaps())


def _numbered(node: str, number: int, document: str, state: str, received_ms: int, became: Any) -> Numbered:
    return Numbered(number, Placed(node, number, row_of(document, state, received_ms, became)))


def _over_http(client: aiohttp.ClientSession, node: str, url: str) -> Ask:
    async def ask(after: int, limit: int) -> Page:
        query = {"after": str(after), "limit": str(limit)}
        try:
            async with client.get(f"{url.rstrip('/')}/v1/journal/ids", params=query) as answer:
                answer.raise_for_status()
                told = orjson.loads(await answer.read())
                rows = [
                    _numbered(node, *(one[name] for name in ("row", "document_id", "state", "received_ms", "reports")))
                    for one in told["rows"]
                ]
                return Page(rows, int(told["last_row"]), gaps_of(told))
        except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"the journal of {node} cannot be read") from None

    return ask

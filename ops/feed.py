"""`sztab feed`: plays one file as a source, through a journal and a publisher of its own.

The feed is an intake node of its own, `feed-<source>`, whose journal lies beside the intake's: the ledger reads both,
and a feed never stands in the way of calls. It waits for the installation's processors in one case only: a territory
whose clock is `records` gets a tick with the last event time once its rows have been normalised (decision 0103).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry

from connectors.contract import Document, Refused, Translate
from connectors.feeds import Feed
from connectors.file import CONNECTOR
from connectors.file.mapping import Mapping, load
from connectors.file.settings import FileSettings
from connectors.file.source import FileSource
from connectors.identity import Identity
from connectors.journal import Journal
from connectors.journal_store import Limits
from connectors.keys import ThreadKeys
from connectors.runner import Runner
from ops import kafka, runtime
from ops.feed_clock import wind
from ops.feed_summary import Order, Summary
from ops.settings import Settings
from schemas.errors import Code, Misconfigured, Rejected, SztabError, Unavailable
from schemas.privacy import installation_key
from schemas.report import RECORDS, Telling

ROWS_AT_ONCE: Final = 500
ROWS_ON_THE_WAY: Final = 1_400
"""Rows that may wait for the broker while the next ones are read: well inside the publisher's window."""
STUCK_SECONDS: Final = 30.0
"""The broker took nothing for so long: the feed ends, and the journal keeps what it has."""
PACE_SECONDS: Final = 0.05


async def feed(settings: Settings, order: Order, progress: Callable[[Summary], None] = lambda _: None) -> Summary:
    """Play the file into the installation; `progress` is called after each handful of rows.

    Misconfigured, Denied: wrong mapping, file or configuration, nothing was fed. Unavailable: the broker took nothing
    for half a minute; the journal has what was read, and the next feed of the source goes on from there.
    """
    mapping = load(order.mapping)
    if order.speed is not None and mapping.time is None:
        raise Misconfigured(Code.CONFIGURATION_INVALID, "a speed needs a mapping with a time; use max", "/speed")
    name = order.source or mapping.name.replace("_", "-")
    told = FileSettings(
        name=name,
        far_system=mapping.name,
        mode=settings.installation.mode,
        path=order.path,
        mapping=order.mapping,
        rows_at_once=ROWS_AT_ONCE,
    )
    return await _Feeding(settings, order, mapping, told, progress).run()


class _Feeding:
    """One run: journal, runner and publisher from the first row to the last acknowledgement."""

    def __init__(
        self,
        settings: Settings,
        order: Order,
        mapping: Mapping,
        told: FileSettings,
        progress: Callable[[Summary], None],
    ) -> None:
        self._settings, self._order, self._mapping, self._told = settings, order, mapping, told
        self._progress = progress
        self._node = f"feed-{told.name}"
        self._latest: datetime | None = None
        self._source = FileSource(told, follow=False)
        self.summary = Summary(str(order.path), mapping.name, told.name, self._node)

    async def run(self) -> Summary:
        await self._source.connect()
        runtime.prepare(self._settings)
        installation = installation_key(runtime.key_file(self._settings))
        path = runtime.journal_file(self._settings).with_name(f"{self._node}.db")
        kept = self._settings.journal
        limits = Limits(kept.max_bytes, kept.alarm_share, keep_seconds=kept.keep_hours * 3600.0)
        self._journal = Journal(path, installation, limits)
        await self._journal.start()
        keys = ThreadKeys(path, installation)
        try:
            await self._through(Identity(installation, self._node, keys, self._settings.installation.mode))
            if self.summary.complete:
                await self._set_clock()
        finally:
            await self._source.close()
            keys.close()
            await self._journal.close()
        return self.summary

    async def _through(self, identity: Identity) -> None:
        """Every row into the journal and to the broker."""
        cluster = kafka.cluster(self._settings)
        self._runner = Runner(
            node=self._node,
            journal=self._journal,
            identity=identity,
            make_producer=cluster.producer,
            prefix=cluster.prefix,
            registry=CollectorRegistry(),
        )
        # Not pulled by the runner: a feed has an end, a pace, and counts what became of each row.
        made = replace(CONNECTOR, source=None, push=True, translate_for=self._noting)
        self._runner.add(made, self._told)
        await self._runner.start()
        started = time.monotonic()
        try:
            whole = await self._rows(self._runner.feeds[self._told.name])
            await self._acknowledged(0)
            self.summary.complete = whole
        finally:
            self.summary.seconds = round(time.monotonic() - started, 3)
            self.summary.waiting = self._runner.publisher.backlog
            await self._runner.stop()

    async def _rows(self, feed: Feed) -> bool:
        """Read, keep, hand on. False where the file broke before its end."""
        latest = await self._journal.cursor(self._mark("latest"))
        self._latest = datetime.fromisoformat(latest) if latest else None
        cursor = None if self._order.again else await self._journal.cursor(self._told.name)
        whole = True
        async for documents in self._paced(cursor, feed.translate):
            if not self.summary.rows:
                self.summary.before = _number(documents[0].cursor) - 1
            await self._take(feed, documents)
            whole = whole and not any(one.context.get("flaw") in {"broken", "bomb"} for one in documents)
            self._progress(self.summary)
        if not self.summary.rows:
            self.summary.before = _number(cursor)
        return whole

    async def _take(self, feed: Feed, documents: Sequence[Document]) -> None:
        answers = await self._runner.append(feed, documents)
        for document, stored in zip(documents, answers, strict=True):
            if isinstance(stored, SztabError):
                raise stored
            settled = await self._runner.settle(feed, document, stored, 0.0)
            self.summary.rows += 1
            if stored.repeated:
                self.summary.repeated += 1
            elif isinstance(settled, Refused):
                self.summary.quarantined += 1
            else:
                self.summary.accepted += 1
        if self._latest is not None:
            await self._journal.note((self._mark("latest"), self._latest.isoformat()))
        await self._acknowledged(ROWS_ON_THE_WAY)

    async def _acknowledged(self, rows: int) -> None:
        """Wait until at most so many rows are on their way; not for ever, when the broker takes none of them."""
        publisher = self._runner.publisher
        while publisher.backlog > rows:
            before = publisher.backlog
            try:
                await asyncio.wait_for(publisher.calm(rows), STUCK_SECONDS)
            except TimeoutError:
                if publisher.backlog >= before:
                    raise Unavailable(
                        Code.BROKER_UNAVAILABLE,
                        f"the broker takes nothing; {publisher.backlog} rows are safe in the journal of {self._node}, "
                        "and the next feed of this source sends them and goes on",
                    ) from None

    async def _paced(self, cursor: str | None, translate: Translate) -> AsyncIterator[Sequence[Document]]:
        """The rows from the cursor to the end, each not before its event time has come at the speed asked for."""
        first_event: float | None = None
        begun = time.monotonic()
        while (batch := await self._source.read(cursor)).documents:
            cursor = batch.cursor
            if self._order.speed is None:
                yield batch.documents
                continue
            due: list[Document] = []
            for document in batch.documents:
                event = _event(translate, document)
                first_event = event if first_event is None else first_event
                wait = 0.0
                if event is not None and first_event is not None:
                    wait = begun + (event - first_event) / self._order.speed - time.monotonic()
                if wait > PACE_SECONDS:
                    if due:
                        yield due
                        due = []
                    await asyncio.sleep(wait)
                due.append(document)
            yield due

    async def _set_clock(self) -> None:
        """Let the time of a `records` territory come to the last event, once all its rows are there."""
        unit, latest = self._mapping.unit, self._latest
        if self._mapping.clock != RECORDS or unit is None or latest is None:
            return
        done = await self._journal.cursor(self._mark("ticked"))
        self.summary.clock = latest.isoformat()
        if done == latest.isoformat():
            return
        wound = await wind(
            kafka.cluster(self._settings),
            f"intake.{CONNECTOR.lane}",
            unit,
            latest,
            self._node,
            self._order.wait_seconds,
        )
        if wound is not None:
            self.summary.ticked, self.summary.clock = False, wound
            return
        await self._journal.note((self._mark("ticked"), latest.isoformat()))

    def _mark(self, what: str) -> str:
        """Name under which the journal keeps a mark of this feed, beside the source's cursor."""
        return f"{self._told.name}~{what}"

    def _noting(self, settings: FileSettings) -> Translate:
        """The file's translation, noting the latest event time."""
        assert CONNECTOR.translate_for is not None
        translate = CONNECTOR.translate_for(settings)

        def noting(document: Document) -> Any:
            done = translate(document)
            for one in done.events:
                at = one.payload.event_at if isinstance(one.payload, Telling) else None
                if at is not None and (self._latest is None or at > self._latest):
                    self._latest = at
            return done

        return noting


def _event(translate: Translate, document: Document) -> float | None:
    """Event time of a row, seconds; None where it has none."""
    try:
        payloads = [one.payload for one in translate(document).events]
    except Rejected:
        return None
    times = [one.event_at.astimezone(UTC) for one in payloads if isinstance(one, Telling) and one.event_at]
    return times[0].timestamp() if times else None


def _number(cursor: str | None) -> int:
    """How many rows a cursor of the file source has behind it."""
    return int((cursor or "0:").partition(":")[0] or 0)

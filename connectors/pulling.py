"""The loop of one pulled source: connect, read, make durable, settle in order, go on; and what an outage is."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from connectors.contract import Batch, Document, Refused, Source
from connectors.crash_points import BEFORE_REPLY
from connectors.feeds import Feed
from connectors.journal_rows import Stored
from schemas.errors import Code, Denied, SztabError, Unavailable
from schemas.feed import FeedState

if TYPE_CHECKING:
    from connectors.runner import Runner

log = structlog.get_logger()

ANSWER_SECONDS: Final = 1.0
CALM_ROWS: Final = 500
"""A pulled source that is no emergency one, and that nobody waits behind, is not read further while more rows than this
wait for the broker."""
QUIET_SECONDS: Final = 2.0
"""A read that waits so long without failing shows that the source is up again."""


class Pulling:
    """Drives one source: one call at a time, cursor after the row, one word when it goes and one when it comes back."""

    def __init__(self, feed: Feed, runner: "Runner", back_off_seconds: Sequence[float]) -> None:
        self._feed, self._runner, self._back_off = feed, runner, back_off_seconds
        self._cursor: str | None = None
        self._answers = True
        """Whether somebody waits for what is read; taken for granted until a batch shows otherwise."""

    async def run(self) -> None:
        """Until cancelled, or until the far side denies us: then a person is needed."""
        feed, attempt = self._feed, 0
        assert feed.connector.source is not None
        source: Source = feed.connector.source(feed.settings)
        try:
            while True:
                try:
                    feed.attempts += 1
                    await self._resume()
                    await source.connect()
                    if feed.state is FeedState.STOPPED:
                        await self._runner.become(feed, FeedState.UP)
                    while True:
                        await self._calm()
                        batch = await self._read(source)
                        self._answers = batch.settle is not None
                        await self._take(batch)
                        await self._runner.become(feed, FeedState.UP)
                        attempt = 0
                except Denied as error:
                    await self._runner.become(feed, FeedState.DENIED, error.code)
                    return
                except SztabError as error:
                    await self._runner.become(feed, FeedState.DOWN, error.code)
                except Exception as error:  # noqa: BLE001 - a source must not raise this: ours to mend, go on trying
                    if await self._went_down():
                        # Without the error's text, which may quote a document.
                        log.error("source_bug", source=feed.name, error=type(error).__name__)  # noqa: TRY400
                await source.close()
                await asyncio.sleep(self._back_off[min(attempt, len(self._back_off) - 1)])
                attempt += 1
        finally:
            await source.close()

    async def _went_down(self) -> bool:
        was = self._feed.state
        await self._runner.become(self._feed, FeedState.DOWN, Code.FAR_SIDE_UNAVAILABLE)
        return was is not FeedState.DOWN

    async def _resume(self) -> None:
        """Where the journal says that the source was."""
        self._cursor = await self._runner.journal.cursor(self._feed.name)

    async def _calm(self) -> None:
        """Let the broker catch up before more is read. Never with a caller waiting: the journal holds its word."""
        if not (self._feed.settings.emergency or self._answers):
            await self._runner.publisher.calm(CALM_ROWS)

    async def _read(self, source: Source) -> Batch:
        """One read; a quiet one counts as up after a while. Cancelled cleanly with us."""
        reading = asyncio.ensure_future(source.read(self._cursor))
        try:
            if self._feed.state is not FeedState.UP:
                await asyncio.wait({reading}, timeout=QUIET_SECONDS)
                if not reading.done():
                    await self._runner.become(self._feed, FeedState.UP)
            return await reading
        finally:
            if not reading.done():
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def _take(self, batch: Batch) -> None:
        """Make a batch durable, hand it on, answer each of its documents in order; Unavailable when one had no room."""
        documents = list(batch.documents)
        if batch.cursor is not None and documents and documents[-1].cursor is None:
            documents[-1] = replace(documents[-1], cursor=batch.cursor)
        if not documents:
            self._feed.lived()
            if batch.cursor is not None:
                await self._runner.journal.note((self._feed.name, batch.cursor))
                self._cursor = batch.cursor
            return
        answers = await self._runner.append(self._feed, documents)
        # One wait for the whole batch: while the broker is away, many callers do not wait one behind the other.
        until = time.monotonic() + (ANSWER_SECONDS if batch.settle else 0.0)
        for document, answer in zip(documents, answers, strict=True):
            await self._settle(batch, document, answer, max(0.0, until - time.monotonic()))

    async def _settle(self, batch: Batch, document: Document, answer: Stored | SztabError, seconds: float) -> None:
        if isinstance(answer, SztabError):
            if batch.settle:
                await batch.settle(document, Refused(answer.code, answer.detail, answer.at))
            raise answer if isinstance(answer, Unavailable) else Unavailable(answer.code, answer.detail)
        settled = await self._runner.settle(self._feed, document, answer, seconds)
        self._cursor = document.cursor or self._cursor
        if batch.settle:
            self._runner.passes(BEFORE_REPLY)
            await batch.settle(document, settled)

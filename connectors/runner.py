"""Runs the sources of one intake node: journal, translate, hand to the publisher, answer. In that order, always.

It owns what no source should have to know: order, repeats, back-pressure, outages and their wording, feed status and
metrics.
"""

import asyncio
import time
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from connectors.contract import Accepted, Connector, Document, Held, Refused, Settled, SourceSettings, Translation
from connectors.crash_points import BEFORE_JOURNAL, BEFORE_REPLY, Hook
from connectors.ending import ended
from connectors.feeds import Feed
from connectors.holding import Holding
from connectors.identity import Identity
from connectors.intake_metrics import IntakeMetrics
from connectors.journal import Journal
from connectors.journal_rows import RowState, Stored, Verdict
from connectors.kits.kafka import Producer
from connectors.prepared import Prepared
from connectors.publisher import Publisher
from connectors.pulling import Pulling
from connectors.rereading import Rereading
from schemas import topics
from schemas.errors import Code, Misconfigured, Rejected, SztabError, Unavailable
from schemas.feed import FeedState, said_of

log = structlog.get_logger()

BROKER_SECONDS: Final = 1.0
"""How long an answer waits for the broker after the journal."""
STATUS_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.25
WAITING: Final = 4_000
"""Callers that may wait at once; beyond it others than emergency sources are told to come later."""
LONGEST_SECONDS: Final = 1.5
"""So are they when somebody has waited so long: more than a broker that is away explains, and an emergency call that
comes now would wait behind them."""


class Runner:
    """The sources of one node over one journal. `add` them, `await start()`, hand in documents, `await stop()`.

    `hook` and `answer_before_journal` are for tests and the fault harness alone (see `crash_points`): the second is a
    build without our first promise, which the harness must convict.
    """

    def __init__(
        self,
        *,
        node: str,
        journal: Journal,
        identity: Identity,
        make_producer: Callable[[], Producer],
        prefix: str,
        registry: CollectorRegistry,
        back_off_seconds: Sequence[float] = (1.0, 2.0, 5.0, 10.0, 30.0),
        hook: Hook | None = None,
        answer_before_journal: bool = False,
    ) -> None:
        self.node, self.journal = node, journal
        self.identity = identity
        self.feeds: dict[str, Feed] = {}
        self._metrics = IntakeMetrics(registry)
        again = Rereading(self.feeds, identity, self._metrics, self.translated)
        self.publisher = Publisher(journal, again.prepare, again.aside, make_producer, prefix, hook=hook)
        self.holding = Holding(journal, self.publisher)
        self._metrics.watch(
            lambda: journal.fill,
            lambda: self.publisher.backlog,
            lambda: self.publisher.oldest_received_ms,
            lambda: self.publisher.connected,
        )
        self._back_off = tuple(back_off_seconds)
        self._pulling: list[Pulling] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._unsaid: dict[str, Feed] = {}
        self._waiting: dict[object, float] = {}
        self._hook, self._answer_first = hook, answer_before_journal
        self._behind: set[asyncio.Task[Settled]] = set()

    def add(self, connector: Connector, settings: SourceSettings) -> None:
        """Take a source instance in, before `start`. Misconfigured when its name is taken."""
        if settings.name in self.feeds:
            raise Misconfigured(Code.CONFIGURATION_INVALID, f"two sources are called {settings.name}", "/sources")
        self.feeds[settings.name] = Feed(connector, settings)

    async def start(self) -> None:
        """Take up what the journal still has to publish, and start every source."""
        self._metrics.start(self.feeds)
        await self.publisher.start()
        for feed in self.feeds.values():
            if feed.connector.source is not None:
                self._pulling.append(Pulling(feed, self, self._back_off))
                self._tasks.append(asyncio.create_task(self._pulling[-1].run(), name=f"source {feed.name}"))
            else:
                await self.become(feed, FeedState.UP)
        self._tasks.append(asyncio.create_task(self._say_often(), name="feed status"))

    async def failed(self) -> None:
        """Wait until something of ours ends that never should; raises it, and the process must end."""
        watched = [asyncio.create_task(part.failed()) for part in (self.publisher, self.journal)]
        try:
            done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await ended(watched)

    async def stop(self, seconds: float = 5.0) -> None:
        """Stop sources, say so, publish what can be within the time. What is left is published at the next start."""
        await ended([*self._tasks, *self._behind])
        self._tasks = []
        for feed in self.feeds.values():
            await self.become(feed, FeedState.STOPPED)
        await self.publisher.stop(seconds)

    async def accept(self, source: str, document: Document, not_read: Rejected | None = None) -> Settled:
        """Take one document of a push source, and answer: kept (and by whom), or kept in quarantine and why.

        `not_read`: the listener could not even read it (wrong type, broken compression); it is kept and set aside.
        Unavailable: not kept. Rejected(`source-unknown`) for a name that is not configured.
        """
        feed = self.feeds.get(source)
        if feed is None:
            raise Rejected(Code.SOURCE_UNKNOWN, "no source of this name")
        if self._crowded() and not feed.settings.emergency:
            self._metrics.document(source, "unavailable")
            raise Unavailable(Code.OVERLOADED, "too many documents wait for an answer")
        caller, started = object(), time.monotonic()
        self._waiting[caller] = started
        try:
            settled = await self._taken(feed, document, not_read)
        finally:
            del self._waiting[caller]
        self.passes(BEFORE_REPLY)
        held = settled.held.value if isinstance(settled, Accepted) else "quarantine"
        self._metrics.answered(held, time.monotonic() - started)
        return settled

    def _crowded(self) -> bool:
        longest = next(iter(self._waiting.values()), None)
        return len(self._waiting) >= WAITING or (longest is not None and time.monotonic() - longest > LONGEST_SECONDS)

    async def _taken(self, feed: Feed, document: Document, not_read: Rejected | None) -> Settled:
        keeping = self._kept(feed, document, not_read)
        return self._promised(feed, document, keeping) if self._answer_first else await keeping

    async def _kept(self, feed: Feed, document: Document, not_read: Rejected | None) -> Settled:
        answer = (await self._append(feed, (document,)))[0]
        if isinstance(answer, SztabError):
            raise answer
        return await self.settle(feed, document, answer, BROKER_SECONDS, not_read)

    def _promised(self, feed: Feed, document: Document, keeping: Coroutine[object, object, Settled]) -> Settled:
        """The lie of `answer_before_journal`: yes at once, with the ids that it will have; then the journal."""
        entry = feed.entry(document.body, document.content_type, document.occurrence, None, document.context)
        named, digest, _ = self.journal.named(entry)
        stored = Stored(0, named, digest.hex(), round(time.time() * 1000), RowState.RECEIVED, None, repeated=False)
        prepared, _, _ = self.translated(feed, stored, document, None)
        task = asyncio.ensure_future(keeping)
        self._behind.add(task)
        task.add_done_callback(self._let_go)
        return Accepted(named, Held.JOURNAL, prepared.report_ids, prepared.findings, repeated=False)

    def _let_go(self, task: "asyncio.Task[Settled]") -> None:
        self._behind.discard(task)
        if not task.cancelled():
            task.exception()

    def passes(self, point: str) -> None:
        """Tell the hook of a test, if there is one, that this moment has come."""
        if self._hook is not None:
            self._hook(point)

    async def publish_again(self, document_id: str) -> None:
        """Bring a document to the broker once more. Rejected(`unknown-here`) without it or its bytes."""
        row = await self.journal.document(document_id)
        if row is None or row.body is None:
            raise Rejected(Code.UNKNOWN_HERE, "this node has no such document, or its bytes no more")
        self.publisher.again([row.stored.row])

    async def append(self, feed: Feed, documents: Sequence[Document]) -> list[Stored | SztabError]:
        """Make documents of a pulled source durable, in order; after the first refused one all are."""
        return await self._append(feed, documents)

    async def settle(
        self, feed: Feed, document: Document, stored: Stored, seconds: float, not_read: Rejected | None = None
    ) -> Settled:
        """What became of a durable document: translate it, hand it on, wait so long for the broker.

        Everything up to the hand-over happens without a pause, so that rows are handed over in their order.
        """
        if stored.repeated:
            stored = await self.holding.sent_again(stored)
        known = stored.verdict or (Verdict.of(not_read) if not_read else None)
        prepared, verdict, translation = self.translated(feed, stored, document, known)
        if not stored.repeated:
            self.publisher.offer(prepared)
            feed.took(stored, translation)
        outcome = "repeated" if stored.repeated else "rejected" if verdict else "accepted"
        self._metrics.document(feed.name, outcome)
        if verdict is not None:
            if not stored.repeated:
                await self.journal.set_aside(stored.row, verdict)
            return Refused(verdict.code, verdict.detail, verdict.at, stored.document_id)
        published = stored.state is RowState.PUBLISHED or await self.publisher.wait(stored.row, seconds)
        held = Held.BROKER if published else Held.JOURNAL
        return Accepted(stored.document_id, held, prepared.report_ids, prepared.findings, stored.repeated)

    async def become(self, feed: Feed, state: FeedState, code: Code | None = None) -> None:
        """Change a source's state and say so at once, where somebody can hear it."""
        changed = feed.become(state, code)
        self._metrics.up(feed.name, up=state is FeedState.UP)
        if changed:
            await self._say(feed)

    async def _append(self, feed: Feed, documents: Sequence[Document]) -> list[Stored | SztabError]:
        entries = [feed.entry(one.body, one.content_type, one.occurrence, one.cursor, one.context) for one in documents]
        self.passes(BEFORE_JOURNAL)
        try:
            answers = await self.journal.append_all(entries)
        except Unavailable as error:
            answers = [error] * len(documents)
        for answer in answers:
            if isinstance(answer, SztabError):
                self._metrics.document(feed.name, "unavailable")
        return answers

    def translated(
        self, feed: Feed, stored: Stored, document: Document, known: Verdict | None
    ) -> tuple[Prepared, Verdict | None, Translation | None]:
        """The records of a row: its reports, or its quarantine record. Never raises but for our own journal."""
        verdict = known
        try:
            if verdict is None:
                translation = feed.translate(document)
                prepared = self.identity.prepare(
                    feed.origin, stored, document.occurrence, document.context, translation
                )
                return prepared, None, translation
        except Rejected as error:
            verdict = Verdict.of(error)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a translation must not raise this; the document is kept all the same
            # Without the error's text, which may quote the document.
            log.error("translation_bug", source=feed.name, document=stored.document_id, where=_where(error))  # noqa: TRY400
            verdict = Verdict(Code.TRANSLATION_BUG, f"our translation failed: {type(error).__name__}")
        assert verdict is not None
        aside = self.identity.quarantined(feed.name, stored, verdict, document.context, feed.origin.far_system)
        return aside, verdict, None

    async def _say(self, feed: Feed) -> None:
        value, headers = feed.status(self.node)
        if await self.publisher.say(topics.FEEDS, said_of(feed.name, self.node), value, headers):
            self._unsaid.pop(feed.name, None)
        else:
            self._unsaid[feed.name] = feed

    async def _say_often(self) -> None:
        """Every source's status, again and again, so that a silent node is noticed. Also tells of a filling journal.

        What could not be said for want of a broker is said as soon as there is one.
        """
        alarmed, said_at = False, time.monotonic()
        while True:
            if time.monotonic() - said_at >= STATUS_SECONDS:
                self._unsaid |= self.feeds
                said_at = time.monotonic()
            if self.publisher.connected:
                for feed in list(self._unsaid.values()):
                    await self._say(feed)
            if self.journal.alarm is not alarmed:
                alarmed = self.journal.alarm
                if alarmed:
                    log.error("journal_filling", fill=round(self.journal.fill, 3))
                else:
                    log.info("journal_room_again", fill=round(self.journal.fill, 3))
            await asyncio.sleep(_LOOK_SECONDS)


def push_feeds(feeds: Mapping[str, Feed]) -> dict[str, Feed]:
    """Those whose documents come through the HTTP listener."""
    return {name: feed for name, feed in feeds.items() if feed.connector.push}


def _where(error: BaseException) -> str:
    """Kind and place of a failure in our code; never its text, which may quote the document."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return f"{type(error).__name__} in {last.name} line {last.lineno}" if last else type(error).__name__

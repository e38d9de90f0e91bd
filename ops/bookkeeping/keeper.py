"""Keeps the ledger: reads on, settles what is whole, judges the rest, saves. One task of the role `ledger`.

    Keeper.turn()     one look at journals and topics; about once a second
    Keeper.judge()    the verdict; every few seconds

Everything waits for the one before, as in `ops.ledger_sources`: journals, then how far the incidents stage has worked,
then facts to their end, then how far route has, and so on.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from ops.bookkeeping import judging
from ops.bookkeeping.book import Book, Part
from ops.bookkeeping.following import BehindError, Deadline, Offsets, Taken, Topics
from ops.bookkeeping.horizons import Horizons
from ops.bookkeeping.journals import Journals
from ops.bookkeeping.judging import Read, Verdict
from ops.bookkeeping.store import Saving, Store, offsets_of
from ops.ledger import NOT_IN_JOURNAL
from ops.ledger_rows import DELIVER, INCIDENTS, ROUTE
from ops.ledger_sources import Where
from schemas.ledger import ReconcilerActed
from schemas.topic import HOUR_MS
from schemas.topics import ACTS, DECISIONS, FACTS, QUARANTINE, RECEIPTS

FLUSH_SECONDS: Final = 5.0
PRUNE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.2
STUCK_MS: Final = 60_000
"""A row that its publisher has not brought to the broker in so long, while a broker answers, is told."""

log: Final = structlog.get_logger("ops.bookkeeping")


@dataclass(frozen=True)
class Keeping:
    """How much is kept: settled components of so many hours, and at most so many."""

    hours: float = 14 * 24
    settled: int = 500_000


@dataclass
class Keeper:
    """One installation's ledger. `await open()` first, `await close()` at the end; `counts` are of this process."""

    where: Where
    store: Store
    token: str = ""
    keeping: Keeping = field(default_factory=Keeping)
    book: Book = field(default_factory=Book)
    counts: Counter[str] = field(default_factory=Counter)
    """Records read by source, and under `rebuilt` how often everything was built anew."""

    def __post_init__(self) -> None:
        self.horizons = Horizons(self.where.cluster)
        self.acts: dict[str, ReconcilerActed] = {}
        """What the reconciler did, by the id of the act."""
        self._topics: Topics | None = None
        self._forget()

    def _forget(self) -> None:
        self.book = Book()
        self.since_ms = int(time.time() * 1000)
        self._totals: Counter[str] = Counter()
        self._offsets: Offsets = {}
        self._firsts: Offsets = {}
        self._kept: dict[str, Any] = {}
        self._journals = Journals(self.where, self.token, {})
        self._settled: list[Part] = []
        self._waiting: dict[str, Part] = {}
        self._aside: dict[str, Any] = {}
        self._acts: dict[str, Any] = {}
        self._beside: dict[str, Any] = {}
        self._saved_at = self._pruned_at = time.monotonic()

    async def open(self) -> None:
        """Take up what was saved; what is not there, or does not fit the topics, is built anew. Unavailable: later."""
        if self._topics is not None:
            return
        told = self.store.told()
        self._forget()
        if not self.store.empty:
            self._offsets, self._firsts = offsets_of(told), offsets_of({"offsets": told["firsts"]})
            self._totals, self.since_ms = Counter(told["totals"]), told["since_ms"]
            self._journals = Journals(self.where, self.token, told["journals"])
            self.store.load(self.book, _now_ms())
            self.acts = {one["act_id"]: ReconcilerActed.model_validate(one) for one in self.store.acts()}
        topics = Topics(self.where.cluster, self._offsets, self._firsts)
        try:
            await topics.start()
        except BehindError as error:
            await topics.stop()
            log.warning("ledger_does_not_fit", topic=str(error))
            self.rebuild()
            await self.open()
            return
        except BaseException:
            await topics.stop()
            raise
        self._topics = topics
        if self.store.empty:
            self.counts["rebuilt"] += 1
            log.info("ledger_built_anew")

    def rebuild(self) -> None:
        """Forget everything; the next `open` begins with the topics' first records."""
        self.store.clear()
        self._forget()

    async def pause(self) -> None:
        """Give the clients back; what was read stays, and `open` goes on after it is saved."""
        if self._topics is not None:
            self.save()
        topics, self._topics = self._topics, None
        if topics is not None:
            await topics.stop()
        await self.horizons.close()
        await self._journals.close()

    async def close(self) -> None:
        """Save, give everything back. Also twice."""
        await self.pause()
        self.store.close()

    async def turn(self, seconds: float = 0.0) -> None:
        """Look once at everything, settle what is whole, save now and then. Unavailable without a broker."""
        await self._read_journals()
        self._take(await self._reader().look(seconds))
        self.settle()
        now = time.monotonic()
        if now - self._saved_at >= FLUSH_SECONDS:
            self.save()
        if now - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = now
            self.store.prune(_now_ms() - int(self.keeping.hours * HOUR_MS), self.keeping.settled)

    async def judge(self) -> Verdict:
        """The verdict on everything. Unavailable: there is none, because a broker is away."""
        began_ms = _now_ms()
        await self._read_journals()
        horizons = await self.horizons.of([INCIDENTS])
        facts_ms = _now_ms()
        await self._to_end([FACTS])
        horizons |= await self.horizons.of([ROUTE])
        decisions_ms = _now_ms()
        await self._to_end([DECISIONS])
        who = {one for told in self.book.decisions.values() for one in told.deliveries}
        horizons |= await self.horizons.of(sorted(DELIVER + one for one in who))
        await self._to_end([RECEIPTS, QUARANTINE, ACTS])
        await self._read_journals()  # what was marked meanwhile
        self.settle()
        read = Read(
            now_ms=_now_ms(),
            fresh_ms=began_ms,
            journals=self._journals.told(),
            since=self.since(),
            horizons=horizons,
            facts_ms=facts_ms,
            decisions_ms=decisions_ms,
        )
        verdict = judging.judge(self.book.components(), self.book.aside, read, self._totals, STUCK_MS)
        if NOT_IN_JOURNAL in verdict.ledger.missing:
            self._journals.ask_again()
        return verdict

    def nodes(self) -> list[str]:
        """The intake nodes that are known."""
        return sorted(self._journals.tails)

    def acted(self, act: ReconcilerActed) -> None:
        """The reconciler did this: it counts at once, not only when its record is read."""
        self.acts[act.act_id] = act

    def remember(self, **told: Any) -> None:
        """Keep something beside the account, with the next transaction."""
        self._beside |= told

    def since(self) -> judging.Since:
        """From when on each topic is whole."""
        names = (("facts_since_ms", FACTS), ("decisions_since_ms", DECISIONS), ("aside_since_ms", QUARANTINE))
        return {name: self._reader().since_ms(topic) for name, topic in names}

    def settle(self) -> None:
        """Let what is whole leave the book. Only what was heard of since the last time is looked at."""
        journals, since = self._journals.told(), self.since()
        fresh = list(self.book.fresh)
        self.book.fresh.clear()
        for part in self.book.components(fresh):
            ledger = judging.account(part, self.book.aside, journals, since)
            if judging.settled(ledger):
                self.book.remove(part)
                self._totals.update(judging.numbers(ledger))
                self._settled.append(part)
                self._waiting.update(dict.fromkeys(part.names(), part))

    def save(self) -> None:
        """Everything in one transaction. Unavailable when the disk fails: the role ends, and begins where it was."""
        topics = self._reader()
        offsets, firsts = _by_topic(topics.offsets), _by_topic(topics.firsts_ms)
        told = {
            "offsets": offsets,
            "firsts": firsts,
            "journals": self._journals.kept(),
            "totals": dict(self._totals),
            "since_ms": self.since_ms,
            **self._beside,
        }
        self.store.save(self.book, Saving(told, self._settled, self._aside, self._acts), _now_ms())
        self.book.touched.clear()
        self._settled, self._waiting, self._aside, self._acts = [], {}, {}, {}
        self._saved_at = time.monotonic()

    def _reader(self) -> Topics:
        assert self._topics is not None, "open comes first"
        return self._topics

    async def _read_journals(self) -> None:
        found = await self._journals.read()
        self.counts["journal"] += len(found)
        if found:
            self._add(Part(rows=found))

    async def _to_end(self, topics: Collection[str]) -> None:
        ends = await self.horizons.ends(topics)
        deadline = Deadline()
        while await self._reader().behind(ends):
            taken = await self._reader().look(LOOK_SECONDS)
            deadline.news(came=bool(taken.counts))
            self._take(taken)

    def _take(self, taken: Taken) -> None:
        self.counts.update(taken.counts)
        for item, (_, row) in taken.aside.items():
            self.book.set_aside(item, row)
        self._aside |= taken.aside
        self._acts |= taken.acts
        self.acts |= {act: ReconcilerActed.model_validate(told) for act, (_, _, told) in taken.acts.items()}
        if taken.facts or taken.decisions or taken.receipts:
            self._add(taken)

    def _add(self, part: Part) -> None:
        """Take in what was read, and what it belongs to, if that was settled already."""
        again = self._settled_with(name for name in set(part.names()) if name not in self.book)
        now_ms = _now_ms()
        for one in again:
            counted = judging.account(one, self.book.aside, self._journals.told(), self.since())
            self._totals.subtract(judging.numbers(counted))
            self.book.add(one, now_ms)
        self.book.add(part, now_ms)

    def _settled_with(self, names: Iterable[str]) -> list[Part]:
        found: list[Part] = []
        unknown: list[str] = []
        for name in names:
            part = self._waiting.get(name)
            if part is None:
                unknown.append(name)
            elif not any(part is one for one in found):
                found.append(part)
        for part in found:
            self._settled = [one for one in self._settled if one is not part]
            for name in part.names():
                self._waiting.pop(name, None)
        return found + (self.store.settled_with(unknown) if unknown else [])


def _now_ms() -> int:
    return int(time.time() * 1000)


def _by_topic(places: Offsets) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (topic, part), at in places.items():
        found.setdefault(topic, {})[str(part)] = at
    return found

"""The ledger that keeps itself up to date says what the one that reads everything says, in whatever order it reads."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.bookkeeping import judging
from ops.bookkeeping.book import NEVER, Part, Placed
from ops.bookkeeping.journals import Numbered, Page, Tail
from ops.bookkeeping.judging import Read
from ops.bookkeeping.keeper import Keeper
from ops.bookkeeping.store import Saving, Store
from ops.ledger import Ledger, balance
from ops.ledger_rows import DELIVER, GONE, INCIDENTS, ROUTE, DecisionRow, FactRow, Journal, Row, Sources
from ops.ledger_sources import PAGE, Where
from ops.reading import Cluster
from schemas.errors import Code, Unavailable
from tests.ops.test_ledger import sources

EVERY = {INCIDENTS: NEVER, ROUTE: NEVER, DELIVER + "dispatch": NEVER, DELIVER + "fire": NEVER}
WHOLE = {"facts_since_ms": 0, "decisions_since_ms": 0, "aside_since_ms": 0}


class Kept(Keeper):
    """A ledger whose topics are handed to it: whole from the beginning, one journal."""

    def since(self) -> judging.Since:
        """Nothing was deleted."""
        return WHOLE

    def verdict(self) -> Ledger:
        """As if every stage had worked on everything."""
        self.settle()
        journals = {"intake-1": Journal((), 10_000)}
        read = Read(1_000_000, NEVER, journals, WHOLE, EVERY, 10_000, 10_000)
        return judging.judge(self.book.components(), self.book.aside, read, self._totals, NEVER).ledger

    def keep(self) -> None:
        """Save what was settled."""
        self.store.save(self.book, Saving({}, self._settled), 0)
        self.book.touched.clear()
        self._settled, self._waiting = [], {}


def kept(folder: Path) -> Kept:
    """An empty ledger."""
    one = Kept(Where(Cluster("nowhere:9092"), "intake-1", folder / "journal.db", {}), Store(folder / "ledger.db", "x"))
    one._journals.tails["intake-1"] = Tail("intake-1", read_ms=10_000, reached=True)
    return one


def pieces(told: Sources) -> Iterator[Part]:
    """Everything of the sources, one by one."""
    for journal in told.journals.values():
        assert journal is not None
        yield from (Part(rows={row.document_id: Placed("intake-1", n, row)}) for n, row in enumerate(journal.rows))
    yield from (Part(facts={name: fact}) for name, fact in told.facts.items())
    yield from (Part(decisions={name: one}) for name, one in told.decisions.items())
    yield from (Part(receipts={name: one}) for name, one in told.receipts.items())


def more() -> Sources:
    """The ledger's sample, with a delivery asked for again and a report that came in two documents."""
    whole = sources()
    journal = whole.journals["intake-1"]
    assert journal is not None
    rows = (*journal.rows, Row("doc-7", "published", 90, ("r1",)), Row("doc-8", "published", 90, (), ("c2",)))
    facts = {
        **whole.facts,
        "f5": FactRow("ReportRepeated", "r1", "r1", 140, "doc-7"),
        "f6": FactRow("DeliveryRequested", None, "c2", 150),
    }
    decisions = {
        **whole.decisions,
        "f5": DecisionRow("ReportRepeated", "r1", ("repeated",), {}, None, 141),
        "f6": DecisionRow("DeliveryRequested", None, ("delivery-again",), {"dispatch": "d2"}, None, 151),
    }
    return replace(whole, journals={"intake-1": replace(journal, rows=rows)}, facts=facts, decisions=decisions)


PIECES = len(list(pieces(more())))


@settings(max_examples=150, deadline=None)
@given(st.permutations(range(PIECES)), st.sets(st.integers(0, PIECES - 1), max_size=3), st.data())
def test_whatever_the_order_it_says_the_same(order: list[int], lost: set[int], data: st.DataObject) -> None:
    """Pieces come in any order, some twice, some never; it settles and saves in between: the account is the same."""
    told = more()
    every = list(pieces(told))
    with TemporaryDirectory() as folder:
        one = kept(Path(folder))
        try:
            for n, row in enumerate(told.aside):
                one.book.set_aside(str(n), row)
            twice = data.draw(st.lists(st.sampled_from(order), max_size=4))
            for number in [*order, *twice]:
                if number in lost:
                    continue
                one._add(every[number])
                if data.draw(st.booleans()):
                    one.settle()
                if data.draw(st.booleans()):
                    one.keep()
            found = one.verdict()
        finally:
            one.store.close()
    whole = Part()
    rows = []
    for number in set(range(PIECES)) - lost:
        rows += [placed.row for placed in every[number].rows.values()]
        whole.facts.update(every[number].facts)
        whole.decisions.update(every[number].decisions)
        whole.receipts.update(every[number].receipts)
    expected = balance(
        replace(
            told,
            journals={"intake-1": Journal(rows, 10_000)},
            facts=whole.facts,
            decisions=whole.decisions,
            receipts=whole.receipts,
        )
    )
    assert found == expected


def test_what_is_whole_leaves_memory_and_comes_back(tmp_path: Path) -> None:
    """Everything balances: only what a restart needs is on disk, and a later word on it finds it there."""
    one = kept(tmp_path)
    for n, row in enumerate(sources().aside):
        one.book.set_aside(str(n), row)
    for piece in pieces(sources()):
        one._add(piece)
    assert one.verdict() == balance(sources())
    assert not one.book.news
    assert not one.book._by
    one.keep()
    one._add(Part(receipts={"d1": (frozenset({"superseded"}), 200)}))
    assert "r1" in one.book
    assert one.book.receipts["d1"][0] == {"delivered", "superseded"}
    assert one.verdict() == balance(sources())
    one.store.close()


def test_the_file_is_bounded(tmp_path: Path) -> None:
    """What is settled leaves by age and by number; its names go with it."""
    store = Store(tmp_path / "ledger.db", "x")
    book = kept(tmp_path / "other").book
    for n in range(10):
        store.save(book, Saving({}, [Part(facts={f"f{n}": FactRow("StateChanged", None, f"c{n}", n)})]), n)
    assert store.prune(before_ms=0, keep=100) == 0
    assert store.prune(before_ms=3, keep=100) == 3
    assert store.prune(before_ms=0, keep=2) == 5
    assert [part.facts.keys() for part in store.settled_with(f"f{n}" for n in range(10))] == [{"f8"}, {"f9"}]
    store.close()


async def test_a_journal_that_begins_anew_is_read_anew() -> None:
    """After a restore the rows begin again: nothing of the new journal is passed over."""
    rows = {1: "old-1", 2: "old-2", 3: "old-3"}

    async def ask(after: int, limit: int) -> Page:
        found = [Numbered(n, Placed("n", n, Row(name, "published", 5, ()))) for n, name in rows.items() if n > after]
        return Page(found[:limit], max(rows, default=0))

    tail = Tail("n")
    await tail.read(ask)
    assert set(tail.handed()) == {"old-1", "old-2", "old-3"}
    rows.clear()
    rows[1] = "new-1"
    await tail.read(ask)
    assert set(tail.handed()) == {"new-1"}
    await tail.read(ask)
    assert tail.handed() == {}

    async def away(_after: int, _limit: int) -> Page:
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, "away")

    await tail.read(away)
    assert tail.handed() == {}
    assert tail.told() is None


@pytest.mark.parametrize("epoch", [10**9 + 1, 3])
async def test_a_row_that_its_journal_lost_is_gone(epoch: int) -> None:
    """Read before it was published, and the disk lost: whatever stands in the journal now, it is no longer waited for.

    With an epoch of its own, or begun from nothing under the same numbers.
    """
    rows = {1: Row("kept", "received", 5, ()), 2: Row("lost", "received", 6, ()), 3: Row("done", "published", 7, ())}
    gaps: tuple[tuple[int, int], ...] = ()

    async def ask(after: int, limit: int) -> Page:
        found = [Numbered(n, Placed("n", n, row)) for n, row in sorted(rows.items()) if n > after]
        return Page(found[:limit], max(rows), gaps)

    tail = Tail("n")
    await tail.read(ask)
    assert set(tail.handed()) == {"kept", "lost", "done"}
    del rows[2], rows[3]
    rows[1] = Row("kept", "quarantined", 5, ())
    rows[epoch] = Row("new", "published", 90, ())
    if epoch == 3:
        rows[2] = Row("other", "published", 89, ())
    gaps = ((5, 80),)
    again = Tail.of("n", orjson.loads(orjson.dumps(tail.kept(), default=list)))
    await again.read(ask)
    found = again.handed()
    assert found["lost"] == Placed("n", 2, Row("lost", GONE, 6, ()))
    assert found["kept"].row.state == "quarantined"
    assert again.open_rows == {}
    told = again.told()
    assert told is not None
    assert told.gaps == gaps


def test_what_another_node_still_has_is_not_gone(tmp_path: Path) -> None:
    """A partner told both nodes: the loss of one journal takes nothing from the other's."""
    told = kept(tmp_path)
    has = Placed("b", 7, Row("doc", "published", 5, ("r",)))
    told.book.add(Part({"doc": has}), 0)
    told.book.add(Part({"doc": Placed("a", 3, Row("doc", GONE, 5, ()))}), 0)
    assert told.book.rows == {"doc": has}
    told.store.close()


async def test_a_journal_that_goes_away_in_the_middle_is_read_on() -> None:
    """Under overload a node answers one page and not the next: what it told counts, and is kept only once handed over.

    Rows that were read and forgotten would never be asked for again, and their reports stand in no journal for ever.
    """
    rows = [Numbered(n, Placed("n", n, Row(f"d{n}", "published", 5, (f"r{n}",)))) for n in range(1, 2 * PAGE + 1)]
    asked: list[int] = []

    async def ask(after: int, limit: int) -> Page:
        asked.append(after)
        if len(asked) == 2:
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, "too slow")
        return Page(rows[after : after + limit], len(rows))

    tail = Tail("n")
    await tail.read(ask)
    assert tail.told() is None
    assert tail.kept()["next"] == 0, "a process that ends now reads it all again"
    found = dict(tail.handed())
    assert tail.kept()["next"] == PAGE
    await tail.read(ask)
    assert tail.told() is not None
    found |= tail.handed()
    assert set(found) == {f"d{n}" for n in range(1, 2 * PAGE + 1)}
    assert asked[2] == PAGE, "no page twice"


async def test_a_reading_that_is_cancelled_loses_nothing() -> None:
    """The role is asked to end while a second node is read: what the first one told is read again after the start."""
    rows = [Numbered(1, Placed("n", 1, Row("d1", "published", 5, ("r1",))))]

    async def ask(after: int, limit: int) -> Page:
        return Page(rows[after : after + limit], 1)

    tail = Tail("n")
    await tail.read(ask)
    again = Tail.of("n", tail.kept())
    await again.read(ask)
    assert set(again.handed()) == {"d1"}

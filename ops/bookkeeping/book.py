"""What the ledger knows and has not settled, and which of it belongs together. Pure.

A component is everything that must be judged at once: a document, the reports and commands that it became, the facts
that told of them, their decisions and deliveries with their receipts. What is settled leaves the book; what speaks of
it later brings it back (`Book.add`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ops.ledger import REPORT_KINDS
from ops.ledger_rows import AsideRow, DecisionRow, FactRow, Journal, Row, Sources

NEVER: Final = 2**62


class Placed(NamedTuple):
    """A journal row and where it stands."""

    node: str
    number: int
    row: Row


Receipt = tuple[frozenset[str], int]
"""Every outcome of a delivery, and when the first came (epoch ms)."""


@dataclass
class Part:
    """Some of the book: one component, or everything that is open. By id."""

    rows: dict[str, Placed] = field(default_factory=dict)
    facts: dict[str, FactRow] = field(default_factory=dict)
    decisions: dict[str, DecisionRow] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    news_ms: int = 0
    """When the last of it was learnt, by our clock."""

    def names(self) -> Iterator[str]:
        """Every id by which something later may speak of it."""
        for document, placed in self.rows.items():
            yield document
            yield from placed.row.reports
            yield from placed.row.commands
        for fact_id, fact in self.facts.items():
            yield fact_id
            if fact.report_id is not None and fact.kind in REPORT_KINDS:
                yield fact.report_id
            elif fact.cause_id is not None:
                yield fact.cause_id
        for fact_id, decision in self.decisions.items():
            yield fact_id
            yield from decision.deliveries.values()
        yield from self.receipts

    def data(self) -> list[Any]:
        """For JSON; `Part.of` reads it."""
        receipts = {name: (sorted(kinds), at_ms) for name, (kinds, at_ms) in self.receipts.items()}
        return [self.rows, self.facts, self.decisions, receipts]

    @classmethod
    def of(cls, data: list[Any], news_ms: int = 0) -> "Part":
        """What `data` gave."""
        rows, facts, decisions, receipts = data
        return cls(
            {name: placed(one) for name, one in rows.items()},
            {name: FactRow(*one) for name, one in facts.items()},
            {name: decision(one) for name, one in decisions.items()},
            {name: (frozenset(kinds), at_ms) for name, (kinds, at_ms) in receipts.items()},
            news_ms,
        )


def placed(data: list[Any]) -> Placed:
    """A placed row from its JSON."""
    node, number, (document, state, received_ms, reports, commands) = data
    return Placed(node, number, Row(document, state, received_ms, tuple(reports), tuple(commands)))


def decision(data: list[Any]) -> DecisionRow:
    """A decision from its JSON."""
    kind, report, rules, *rest = data
    return DecisionRow(kind, report, tuple(rules), *rest)


class Aside:
    """What stands in quarantine, by every id that it names."""

    def __init__(self) -> None:
        self._by: defaultdict[str, dict[str, AsideRow]] = defaultdict(dict)

    def add(self, item: str, row: AsideRow) -> None:
        """A record of `quarantine`; the same again changes nothing."""
        for name in row[1:]:
            if name:
                self._by[name][item] = row

    def about(self, names: Iterable[str]) -> list[AsideRow]:
        """Those that name one of the ids."""
        found = {item: row for name in names if name in self._by for item, row in self._by[name].items()}
        return list(found.values())


class Book(Part):
    """Everything that is open. `add` takes what was read; `touched` are ids to be looked at and saved."""

    def __init__(self) -> None:
        super().__init__()
        self.aside: Final = Aside()
        self.known: Final[set[str]] = set()
        """The names of everything open."""
        self.news: Final[dict[str, int]] = {}
        self.touched: Final[set[str]] = set()

    def add(self, part: Part, now_ms: int) -> None:
        """Take in what was read, at this time."""
        for fact_id in part.facts.keys() & self.facts.keys():
            part.facts[fact_id] = self.facts[fact_id]  # a repeat tells nothing new; the first time counts
        for delivery, (kinds, at_ms) in part.receipts.items():
            before, first_ms = self.receipts.get(delivery, (frozenset[str](), at_ms))
            part.receipts[delivery] = (kinds | before, min(at_ms, first_ms))
        self.rows.update(part.rows)
        self.facts.update(part.facts)
        self.decisions.update(part.decisions)
        self.receipts.update(part.receipts)
        self.known.update(part.names())
        ids = {*part.rows, *part.facts, *part.decisions, *part.receipts}
        self.touched.update(ids)
        self.news.update(dict.fromkeys(ids, now_ms))

    def remove(self, part: Part) -> None:
        """A settled component leaves."""
        for mine, its in (
            (self.rows, part.rows),
            (self.facts, part.facts),
            (self.decisions, part.decisions),
            (self.receipts, part.receipts),
        ):
            for name in its:
                mine.pop(name, None)
                self.news.pop(name, None)
                self.touched.discard(name)
        self.known.difference_update(part.names())


def components(book: Book) -> list[Part]:
    """Everything open, taken apart into what must be judged together."""
    ties = _Ties()
    for document, one in book.rows.items():
        ties.tie(document, *one.row.reports, *one.row.commands)
    accepted = {report for one in book.rows.values() for report in one.row.reports}
    commands = {command for one in book.rows.values() for command in one.row.commands}
    for fact_id, fact in book.facts.items():
        if fact.report_id is not None and fact.kind in REPORT_KINDS:
            ties.tie(fact.report_id, fact_id)
            if fact.report_id not in accepted and fact.document_id in book.rows:
                ties.tie(fact.document_id, fact_id)  # its row is not marked yet
        elif fact.cause_id in commands:
            ties.tie(fact.cause_id, fact_id)
    for fact_id, told in book.decisions.items():
        ties.tie(fact_id, *told.deliveries.values())
    found: defaultdict[str, Part] = defaultdict(Part)
    for name, row in book.rows.items():
        found[ties.root(name)].rows[name] = row
    for name, fact in book.facts.items():
        found[ties.root(name)].facts[name] = fact
    for name, told in book.decisions.items():
        found[ties.root(name)].decisions[name] = told
    for name, receipt in book.receipts.items():
        found[ties.root(name)].receipts[name] = receipt
    for name, at_ms in book.news.items():
        part = found[ties.root(name)]
        part.news_ms = max(part.news_ms, at_ms)
    return list(found.values())


class _Ties:
    """Sets of names that grow together (union and find)."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def root(self, name: str) -> str:
        above = self._above
        while (up := above.get(name, name)) != name:
            above[name] = above.get(up, up)
            name = up
        return name

    def tie(self, first: str, *others: str) -> None:
        root = self.root(first)
        for one in others:
            self._above[self.root(one)] = root


def sources(parts: Iterable[Part], aside: Aside, journals: Mapping[str, Journal | None], **times: Any) -> Sources:
    """What `ops.ledger.balance` compares, of these parts. `journals` tell how each node's was read, without rows."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    whole = Part()
    names: set[str] = set()
    for part in parts:
        for one in part.rows.values():
            rows[one.node].append(one.row)
        whole.facts.update(part.facts)
        whole.decisions.update(part.decisions)
        whole.receipts.update(part.receipts)
        names.update(part.names())
    read: dict[str, Journal | None] = {
        name: one and Journal((), one.read_ms, one.since_ms) for name, one in journals.items()
    }
    for node, its in rows.items():
        how = journals.get(node)
        # What was read of a node that cannot be reached now counts all the same.
        read[node if how else f"{node} (as it was)"] = Journal(
            its, how.read_ms if how else 0, how.since_ms if how else 0
        )
    return Sources(read, whole.facts, whole.decisions, whole.receipts, aside.about(names), **times)

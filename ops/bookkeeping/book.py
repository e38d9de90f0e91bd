"""What the ledger knows and has not settled, and which of it belongs together. Pure.

A component is everything that must be judged at once: a document, the reports and commands that it became, the facts
that told of them, their decisions and deliveries with their receipts. What is settled leaves the book; what speaks of
it later brings it back (`Book.add`).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from ops.ledger import REPORT_KINDS
from ops.ledger_rows import GONE, AsideRow, DecisionRow, FactRow, Journal, Row, Sources

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
        for one in {*self.rows, *self.facts, *self.decisions, *self.receipts}:
            yield from self.names_of(one)

    def names_of(self, one: str) -> Iterator[str]:
        """The ids that a document, fact or delivery names: what names one of them, too, belongs to it."""
        yield one
        if one in self.rows:
            row = self.rows[one].row
            yield from row.reports
            yield from row.commands
        if one in self.facts:
            fact = self.facts[one]
            told = fact.report_id if fact.kind in REPORT_KINDS else None
            yield from (name for name in (told or fact.cause_id, fact.document_id) if name)
        if one in self.decisions:
            yield from self.decisions[one].deliveries.values()

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
    """Everything that is open. `add` takes what was read; `touched` is to be saved, `fresh` to be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.aside: Final = Aside()
        self.news: Final[dict[str, int]] = {}
        """When the last was learnt of each document, fact and delivery (epoch ms)."""
        self.touched: Final[set[str]] = set()
        self.fresh: Final[set[str]] = set()
        self._by: Final[dict[str, set[str]]] = {}

    def __contains__(self, name: str) -> bool:
        """Whether something open names it."""
        return name in self._by

    def add(self, part: Part, now_ms: int) -> None:
        """Take in what was read, at this time."""
        for fact_id in part.facts.keys() & self.facts.keys():
            part.facts[fact_id] = self.facts[fact_id]  # a repeat tells nothing new; the first time counts
        for delivery, (kinds, at_ms) in part.receipts.items():
            before, first_ms = self.receipts.get(delivery, (frozenset[str](), at_ms))
            part.receipts[delivery] = (kinds | before, min(at_ms, first_ms))
        for document, placed in part.rows.items():
            known = self.rows.get(document)
            if known and placed.row.state == GONE and known.node != placed.node:
                part.rows[document] = known  # its partner told two nodes: the other one's journal has it still
        for mine, its in self._with(part):
            mine.update(its)
        for one in {*part.rows, *part.facts, *part.decisions, *part.receipts}:
            self.news[one] = now_ms
            self.touched.add(one)
            self.fresh.add(one)
            for name in self.names_of(one):
                self._by.setdefault(name, set()).add(one)

    def remove(self, part: Part) -> None:
        """A settled component leaves."""
        for one in {*part.rows, *part.facts, *part.decisions, *part.receipts}:
            for name in self.names_of(one):
                naming = self._by.get(name, set())
                naming.discard(one)
                if not naming:
                    self._by.pop(name, None)
            self.news.pop(one, None)
            self.touched.discard(one)
            self.fresh.discard(one)
        for mine, its in self._with(part):
            for name in its:
                mine.pop(name, None)

    def set_aside(self, item: str, row: AsideRow) -> None:
        """A record of `quarantine`: what it names is to be looked at again."""
        self.aside.add(item, row)
        for name in row[1:]:
            self.fresh.update(self._by.get(name, ()) if name else ())

    def component(self, one: str) -> Part:
        """Everything that belongs to a document, fact or delivery."""
        part, queue, seen = Part(), [one], {one}
        while queue:
            one = queue.pop()
            part.news_ms = max(part.news_ms, self.news.get(one, 0))
            for mine, its in self._with(part):
                if one in mine:
                    its[one] = mine[one]
            for name in self.names_of(one):
                more = self._by[name] - seen
                seen |= more
                queue += more
        return part

    def naming(self, name: str) -> Part:
        """The component that names an id. KeyError when nothing open does."""
        return self.component(next(iter(self._by[name])))

    def components(self, ones: Iterable[str] | None = None) -> Iterator[Part]:
        """Everything open, or what belongs to these, taken apart into what must be judged together."""
        seen: set[str] = set()
        for one in list(self.news if ones is None else ones):
            if one not in seen and one in self.news:
                part = self.component(one)
                seen.update(part.rows, part.facts, part.decisions, part.receipts)
                yield part

    def _with(self, part: Part) -> tuple[tuple[dict[str, Any], dict[str, Any]], ...]:
        return (
            (self.rows, part.rows),
            (self.facts, part.facts),
            (self.decisions, part.decisions),
            (self.receipts, part.receipts),
        )


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
    read: dict[str, Journal | None] = {name: one and replace(one, rows=()) for name, one in journals.items()}
    for node, its in rows.items():
        how = journals.get(node)
        # What was read of a node that cannot be reached now counts all the same.
        read[node if how else f"{node} (as it was)"] = replace(how, rows=its) if how else Journal(its, 0)
    return Sources(read, whole.facts, whole.decisions, whole.receipts, aside.about(names), **times)

"""What the ledger compares: the rows of its sources, as plain values. `ops/ledger_sources.py` reads them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connectors.journal_rows import Gap

PUBLISH, INCIDENTS, ROUTE, DELIVER = "publish", "incidents", "route", "deliver:"
"""Stages that can still be moving; the last with a recipient's name."""


GONE: Final = "gone"
"""State of a row that was read before it was published, and that its journal has lost since."""


class Row(NamedTuple):
    """A journal row: its state by name (`received`, `published`, `quarantine-pending`, `quarantined`), or `GONE`."""

    document_id: str
    state: str
    received_ms: int
    reports: tuple[str, ...]
    commands: tuple[str, ...] = ()


class FactRow(NamedTuple):
    """A record of `incident.facts`. The last three are what a command about it must name."""

    kind: str
    report_id: str | None
    cause_id: str | None
    at_ms: int
    document_id: str | None = None
    incident_id: str | None = None
    unit: str | None = None
    mode: str | None = None


class DecisionRow(NamedTuple):
    """A record of `routing.decisions`. `deliveries`: recipient -> delivery id."""

    kind: str
    report_id: str | None
    rules: tuple[str, ...]
    deliveries: Mapping[str, str]
    deadline_ms: int | None
    at_ms: int


class AsideRow(NamedTuple):
    """A record of `quarantine`; `cause_id` is the id of the record that was set aside."""

    stage: str
    document_id: str | None = None
    report_id: str | None = None
    delivery_id: str | None = None
    cause_id: str | None = None


@dataclass(frozen=True)
class Journal:
    """One intake node's rows, read at `read_ms`. `since_ms`: older rows may have been trimmed; 0: none was.

    `gaps`: the times of which it knows nothing, because its disk was lost and a backup put back.
    """

    rows: Collection[Row]
    read_ms: int
    since_ms: int = 0
    gaps: Collection[Gap] = ()


@dataclass(frozen=True)
class Sources:
    """What was read, in this order: journals, facts, decisions, receipts and quarantine.

    `journals`: None for a node that could not be reached. Facts and decisions by fact id, receipts by delivery id
    with every outcome and the time of the first. `moving`: stages that had something to read left when the stage
    before them had been read. `facts_ms`, `decisions_ms`: when their reading began;
    `facts_since_ms`, `decisions_since_ms`, `aside_since_ms`: older ones may be gone by retention; 0: none is.
    """

    journals: Mapping[str, Journal | None]
    facts: Mapping[str, FactRow]
    decisions: Mapping[str, DecisionRow]
    receipts: Mapping[str, tuple[frozenset[str], int]]
    aside: Collection[AsideRow]
    moving: Collection[str] = ()
    facts_ms: int = 2**62
    decisions_ms: int = 2**62
    facts_since_ms: int = 0
    decisions_since_ms: int = 0
    aside_since_ms: int = 0
    now_ms: int = 0


def gaps_of(told: Mapping[str, Any]) -> tuple[Gap, ...]:
    """The gaps in what an intake answered."""
    return tuple((int(begin_ms), int(end_ms)) for begin_ms, end_ms in told.get("gaps", ()))

"""Collects the evidence of a run: what recipients got, what stands on the topics, what the journals hold."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from connectors.journal_reader import JournalReader
from ops import runtime
from ops.ledger_cli import account
from ops.prove.system.configured import RECIPIENTS
from ops.prove.system.field import NODES, Field
from ops.prove.system.history import AsideRow, Effect, FactRow, Operation, row
from ops.reading import Reading
from schemas.delivery import Outcome
from schemas.envelope import legible
from schemas.errors import Unavailable
from schemas.topics import FACTS, QUARANTINE, RECEIPTS

PAGE: Final = 5_000
_IDS: Final = ("factid", "kind", "incidentid", "unit", "reportid", "causeid")
AGAIN_SECONDS: Final = 1.0
TRIES: Final = 20


class Tail:
    """Reads what is appended to a file of effects; a line that is not whole yet is left for the next time."""

    def __init__(self, file: Path) -> None:
        self._file, self._at = file, 0

    def more(self) -> list[Effect]:
        """Effects since the last call."""
        with self._file.open("rb") as opened:
            opened.seek(self._at)
            whole = opened.read().rpartition(b"\n")[0]
        self._at += len(whole) + 1 if whole else 0
        return [one for line in whole.splitlines() if isinstance(one := row(orjson.loads(line)), Effect)]


class Gathering:
    """Goes on where it was: each run sees what came since the one before."""

    def __init__(self, field: Field) -> None:
        self._field = field
        cluster = field.cluster()
        self._readings: Final = {name: Reading(cluster, [name]) for name in (FACTS, QUARANTINE, RECEIPTS)}
        self._tails: Final = {name: Tail(field.effects_file(name)) for name in RECIPIENTS}
        self._effects: list[Effect] = []
        self.dispatched: Final[set[str]] = set()
        """Reports that dispatch has had, as of the last look."""
        self.opened: Final[dict[str, None]] = {}
        """Incidents that dispatch was told of since the run began."""
        self._rows: Final = dict.fromkeys(NODES, 0)
        self._documents: Final[dict[str, tuple[str, ...]]] = {}

    def look(self) -> None:
        """Read what recipients wrote down since the last look."""
        for name, tail in self._tails.items():
            for one in tail.more():
                self._effects.append(one)
                if name == "dispatch" and one.applied:
                    self.dispatched.update(one.report_ids)
                    if one.kind == "IncidentOpened":
                        self.opened[one.subject_id] = None

    def effects(self) -> list[Effect]:
        """What recipients got since the last call, by time."""
        self.look()
        found, self._effects = sorted(self._effects, key=lambda one: one.at), []
        self.opened.clear()
        return found

    async def facts(self) -> list[FactRow]:
        """Facts since the last call."""
        return [_fact(one) for one in await self._new(FACTS)]

    async def aside(self) -> list[AsideRow]:
        """What was set aside since the last call."""
        return [_aside(orjson.loads(one.value)) for one in await self._new(QUARANTINE)]

    async def superseded(self) -> frozenset[str]:
        """Deliveries whose receipt of late says that a newer one was there."""
        receipts = [orjson.loads(one.value) for one in await self._new(RECEIPTS)]
        return frozenset(one["delivery_id"] for one in receipts if one["outcome"] == Outcome.SUPERSEDED.value)

    async def ledger(self, wait_seconds: float) -> Mapping[str, Any]:
        """What `sztab ledger` says, from both nodes' journals."""
        others = {f"intake-{node}": url for node, url in zip(NODES, self._field.intakes(), strict=False) if node != 1}
        return await account(self._field.settings(), wait_seconds, others)

    def with_reports(self, operations: Sequence[Operation]) -> list[Operation]:
        """Operations with what their documents became, by the journals, where no answer told it."""
        for node in NODES:
            self._rows[node] = self._read_rows(node, self._rows[node])
        return [
            one
            if one.report_ids or one.document_id is None
            else replace(one, report_ids=self._documents.get(one.document_id, ()))
            for one in operations
        ]

    def _read_rows(self, node: int, after: int) -> int:
        reader = JournalReader(runtime.journal_file(self._field.settings(node)))
        try:
            while page := reader.ids(after, PAGE):
                for row in page:
                    reports = tuple(report for report, kind in row.reports if kind == "Report")
                    self._documents[row.document_id] = reports or self._documents.get(row.document_id, ())
                after = page[-1].row
        finally:
            reader.close()
        return after

    async def _new(self, topic: str) -> list[Any]:
        found: list[Any] = []
        for attempt in range(TRIES):
            try:
                async for _, records in self._readings[topic].on():
                    found += records
            except Unavailable:
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return found
        return found


def _fact(one: Any) -> FactRow:
    told = {
        name: legible(one.headers, name) for name in ("factid", "kind", "incidentid", "unit", "reportid", "causeid")
    }
    value = orjson.loads(one.value)
    report = (value["change"].get("report") or {}).get("report") or {}
    identity = f"{report['source']}|{report.get('far_id', '')}|{report.get('far_revision', '')}" if report else None
    return FactRow(
        fact_id=told["factid"] or "",
        kind=told["kind"] or "",
        incident_id=told["incidentid"],
        unit=told["unit"] or "",
        sequence=(value.get("summary") or {}).get("sequence"),
        report_id=told["reportid"],
        cause_id=told["causeid"],
        partition=one.partition,
        offset=one.offset,
        at_ms=one.timestamp,
        identity=identity,
    )


def _aside(value: Mapping[str, Any]) -> AsideRow:
    names = ("document_id", "report_id", "delivery_id")
    return AsideRow(value["item_id"], value["stage"], value["code"], *(value.get(name) for name in names))

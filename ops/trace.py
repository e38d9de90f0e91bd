"""The way of one document, report, incident, fact, command or delivery, read from journal and topics."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from connectors.journal_reader import JournalReader, RowIds
from ops import kafka, runtime
from ops.reading import Cluster, Reading
from ops.settings import Settings
from ops.trail import Family, Trail, ids
from schemas.errors import Unavailable
from schemas.topics import ACTS, DECISIONS, FACTS, INTAKE, LANES, LOG, QUARANTINE, RECEIPTS, outbox

PAGE: Final = 5_000
EARLIER_MS: Final = 60_000
"""Topics are read from so long before the document came, where the journal knows when that was."""


async def traced(settings: Settings, id: str) -> dict[str, Any] | None:
    """Everything known of an id, without personal data; None when nothing is. Unavailable without a broker.

    A document whose journal is on another machine is shown by its topics alone.
    """
    cluster, files = kafka.cluster(settings), runtime.journals(settings.node, runtime.journal_file(settings))
    family = Family(id)
    async for _, records in Reading(cluster, [QUARANTINE]).on():
        for one in records:
            family.take(one)
    related = family.of({id, *family.items}) - {id}
    rows = await asyncio.to_thread(_rows, files, {id, *related})
    since_ms = min((row.received_ms for _, row in rows), default=0) - EARLIER_MS
    trail = Trail(id, related)
    for _, row in rows:
        trail.documents.add(row.document_id)
        trail.reports.update(name for name, kind in row.reports if kind == "Report")
    outboxes = [outbox(one.name, lane) for one in settings.recipients for lane in LANES]
    since = since_ms if rows else None
    await _taken(trail, cluster, [FACTS], since)
    if not trail.facts and not rows:
        await _from_delivery(trail, cluster, outboxes)
    before = family.of(trail.documents) - trail.documents
    trail.documents |= before
    for topics in ([DECISIONS], [*outboxes, RECEIPTS, ACTS], [QUARANTINE], [*INTAKE, LOG]):
        # What was corrected came before its correction, however long.
        await _taken(trail, cluster, topics, None if topics == [QUARANTINE] else since)
    if not rows or before:
        rows = await asyncio.to_thread(_rows, files, trail.documents | trail.reports | trail.causes)
    return trail.told([_shown(row, node) for node, row in rows])


async def _taken(trail: Trail, cluster: Cluster, topics: Iterable[str], since_ms: int | None) -> None:
    async for topic, records in Reading(cluster, list(topics), since_ms).on():
        for one in records:
            trail.take(topic, one)


async def _from_delivery(trail: Trail, cluster: Cluster, outboxes: Iterable[str]) -> None:
    """Perhaps the id is a delivery's: its outbox record or receipt names the fact that it came from."""
    async for _, records in Reading(cluster, [*outboxes, RECEIPTS]).on():
        for one in records:
            told = ids(one.headers)
            if told.get("deliveryid") == trail.sought and "factid" in told:
                trail.facts.add(told["factid"])
                trail.only = trail.sought
    if trail.facts:
        await _taken(trail, cluster, [FACTS], None)


def _rows(files: Mapping[str, Path], wanted: set[str]) -> list[tuple[str, RowIds]]:
    """Node and journal row of documents, or of what they became. Empty where there is no journal here."""
    return [(node, row) for node, file in files.items() for row in _rows_of(file, wanted)]


def _rows_of(file: Path, wanted: set[str]) -> list[RowIds]:
    try:
        reader = JournalReader(file)
    except Unavailable:
        return []
    found: list[RowIds] = []
    try:
        after = 0
        while page := reader.ids(after, PAGE):
            found += [
                row for row in page if row.document_id in wanted or any(name in wanted for name, _ in row.reports)
            ]
            after = page[-1].row
    finally:
        reader.close()
    return found


def _shown(row: RowIds, node: str) -> dict[str, Any]:
    return {
        "document_id": row.document_id,
        "node": node,
        "row": row.row,
        "state": row.state.name.lower().replace("_", "-"),
        "source": row.source,
        "received_at": datetime.fromtimestamp(row.received_ms / 1000, UTC).isoformat(),
        "reports": [name for name, kind in row.reports if kind == "Report"],
        "commands": [name for name, kind in row.reports if kind == "Command"],
    }

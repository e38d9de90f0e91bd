"""Rows read back from the journal, made ready for the broker anew: after a start, a gap, or a person's decision."""

from collections.abc import Callable, Mapping

import structlog

from connectors.contract import Document, Translation
from connectors.feeds import Feed
from connectors.identity import Identity
from connectors.intake_metrics import IntakeMetrics
from connectors.journal_rows import JournalRow, Mark, RowState, Stored, Verdict
from connectors.prepared import Prepared
from schemas.errors import Code

log = structlog.get_logger()

Translated = Callable[[Feed, Stored, Document, Verdict | None], tuple[Prepared, Verdict | None, Translation | None]]


class Rereading:
    """Makes the records of a row. One that is damaged goes to quarantine: told in the log, counted, never passed by."""

    def __init__(
        self, feeds: Mapping[str, Feed], identity: Identity, metrics: IntakeMetrics, translated: Translated
    ) -> None:
        self._feeds, self._identity, self._metrics, self._translated = feeds, identity, metrics, translated

    def prepare(self, row: JournalRow) -> Prepared:
        """The records of a row: its reports, or its quarantine record."""
        feed, verdict = self._feeds.get(row.source), row.stored.verdict
        if row.body is None:
            verdict = self._damaged(row)
        if verdict is None and feed is not None:
            return self._translated(feed, row.stored, row.document(), None)[0]
        return self.aside(
            row, verdict or Verdict(Code.SOURCE_UNKNOWN, "its source is no longer configured on this node")
        )

    def aside(self, row: JournalRow, verdict: Verdict) -> Prepared:
        """The quarantine record of a row; none where nothing tells any more what document it was."""
        if row.stored.document_id:
            return self._identity.quarantined(row.source, row.stored, verdict, row.context, row.far_system)
        mark = Mark(row.stored.row, RowState.QUARANTINED, verdict=verdict)
        return Prepared(row.stored.row, row.stored.received_ms, row.source, "", (), (), mark)

    def _damaged(self, row: JournalRow) -> Verdict:
        """A row that still has to leave always has its bytes, unless they cannot be read."""
        log.error(
            "journal_row_damaged",
            code=Code.RECORD_INVALID.value,
            row=row.stored.row,
            document_id=row.stored.document_id or None,
            source=row.source or None,
        )
        self._metrics.damaged()
        return row.stored.verdict or Verdict(Code.RECORD_INVALID, "the document's bytes are damaged")

"""What was set aside at intake, tried again: today's translation, the same journal, the one publisher."""

from connectors.contract import Accepted, Document, Held, Refused, Settled
from connectors.journal_rows import JournalRow, Mark, RowState, Verdict
from connectors.runner import BROKER_SECONDS, Runner
from schemas.errors import Code, Rejected, Unavailable


class Replaying:
    """The quarantine of one intake node, over its runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def would(self, source: str, document: Document) -> Verdict | None:
        """Why a document of that source would not be understood; None: it would. Nothing is kept.

        Rejected(`source-unknown`) for a name that is not configured.
        """
        feed = self._runner.feeds.get(source)
        if feed is None:
            raise _unknown()
        try:
            feed.translate(document)
        except Rejected as error:
            return Verdict.of(error)
        except Exception as error:  # noqa: BLE001 - as in `Runner.translated`
            return Verdict(Code.TRANSLATION_BUG, f"our translation failed: {type(error).__name__}")
        return None

    async def kept(self, document_id: str) -> JournalRow | None:
        """The document as this node's journal keeps it; None: another's, or none."""
        return await self._runner.journal.document(document_id)

    async def correct(self, source: str, document: Document) -> Settled:
        """Take a correction in as a new document of the source. As `Runner.accept`."""
        return await self._runner.accept(source, document)

    def limits(self, source: str) -> tuple[int, str]:
        """Largest document of the source in bytes, and its usual media type. Rejected(`source-unknown`)."""
        feed = self._runner.feeds.get(source)
        if feed is None:
            raise _unknown()
        return feed.settings.max_bytes, next(iter(feed.connector.content_types), "application/octet-stream")

    async def would_again(self, document_id: str) -> Verdict | None:
        """Why today's translation would not take a document of this quarantine; None: it would. As `again`."""
        row = await self._row(document_id)
        return self.would(row.source, row.document())

    async def again(self, document_id: str) -> Settled:
        """Translate a document of this node's quarantine once more, as it is, with today's translation; publish it.

        Refused: it stays in quarantine. One that is already on its way is accepted and nothing is done.
        Rejected(`unknown-here`, `source-unknown`, `record-invalid` for bytes that are gone): it cannot be tried here.
        Unavailable: later.
        """
        runner, row = self._runner, await self._row(document_id)
        stored = row.stored
        if stored.state in (RowState.RECEIVED, RowState.PUBLISHED):
            held = Held.BROKER if runner.publisher.has(stored.row) else Held.JOURNAL
            return Accepted(document_id, held, tuple(one for one, _ in row.reports), repeated=True)
        prepared, verdict, _ = runner.translated(runner.feeds[row.source], stored, row.document(), None)
        if verdict is not None:
            return Refused(verdict.code, verdict.detail, verdict.at, document_id)
        if stored.state is not RowState.QUARANTINED:
            raise Unavailable(Code.OVERLOADED, "it is still on its way into quarantine")
        await runner.journal.note(Mark(stored.row, RowState.RECEIVED))
        runner.publisher.again([stored.row])
        held = Held.BROKER if await runner.publisher.wait(stored.row, BROKER_SECONDS) else Held.JOURNAL
        return Accepted(document_id, held, prepared.report_ids, prepared.findings)

    async def _row(self, document_id: str) -> JournalRow:
        row = await self.kept(document_id)
        if row is None:
            raise Rejected(Code.UNKNOWN_HERE, "this node's journal has no such document")
        if row.source not in self._runner.feeds:
            raise _unknown()
        return row


def _unknown() -> Rejected:
    return Rejected(Code.SOURCE_UNKNOWN, "its source is not configured on this node")

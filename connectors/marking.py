"""Saves what became of rows, also beside rows whose page is damaged."""

from collections.abc import Sequence

import structlog

from connectors.journal import Journal
from connectors.journal_rows import Mark, StoredKey
from schemas.errors import Rejected, Unavailable

log = structlog.get_logger()

Marks = list[Mark | StoredKey]


async def kept_marks(journal: Journal, marks: Sequence[Mark | StoredKey]) -> Marks:
    """Write marks to the journal; those that are to be written again later, because the disk failed.

    A mark whose row is on a damaged page is let go, with a line in the log: its row is published once more at the next
    start, and its neighbours' marks are written all the same.
    """
    try:
        await journal.note(*marks)
    except Unavailable:
        return list(marks)
    except Rejected as error:
        if len(marks) > 1:
            half = len(marks) // 2
            return [*await kept_marks(journal, marks[:half]), *await kept_marks(journal, marks[half:])]
        row = marks[0].row if isinstance(marks[0], Mark) else None
        log.error("journal_mark_not_kept", code=error.code.value, row=row)  # noqa: TRY400 - the code says it all
    return []

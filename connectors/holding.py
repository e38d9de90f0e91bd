"""Rows that a restore left for a person: shown, let go with their own ids, or discarded for a reason that is kept."""

import time
from collections.abc import Sequence
from typing import Final

import structlog

from connectors.journal import Journal
from connectors.journal_reader import HeldRow
from connectors.journal_rows import HELD_CODE, Decision, RowState, Stored
from connectors.publisher import Publisher
from schemas.errors import Code, Rejected

log = structlog.get_logger()

FAR_SIDE: Final = "far side"
"""Who let a row go that was sent again: the same document after the restore is a report of now."""
_ON_TIME: Final = 500
"""Rows decided in one transaction of the journal."""


class Holding:
    """The held rows of a running intake."""

    def __init__(self, journal: Journal, publisher: Publisher) -> None:
        self._journal, self._publisher = journal, publisher

    async def rows(self) -> list[HeldRow]:
        """What waits for a person, in row order."""
        return await self._journal.held()

    async def decide(self, rows: Sequence[int] | None, *, released: bool, by: str, reason: str) -> list[int]:
        """Let rows go or discard them (None: all that are held); the rows decided on, in order.

        Rejected(`unknown-here`) when one is not held, `reason-missing` when something is discarded or everything is let
        go without one: then nothing was decided. Unavailable when the journal cannot be written.
        """
        chosen = chosen_of(await self.rows(), rows, released=released, reason=reason)
        for start in range(0, len(chosen), _ON_TIME):
            await self._decide(chosen[start : start + _ON_TIME], released=released, by=by, reason=reason)
        log.warning("held_rows_decided", rows=len(chosen), released=released, by=by)
        return chosen

    async def sent_again(self, stored: Stored) -> Stored:
        """The row of a document that its far side sent again: let go when it is held, for it was said anew."""
        waits = stored.state in (RowState.HELD, RowState.QUARANTINE_PENDING)
        if not waits or stored.verdict is None or stored.verdict.code is not HELD_CODE:
            return stored
        await self._decide([stored.row], released=True, by=FAR_SIDE, reason="the document was sent again")
        now = await self._journal.row(stored.row)
        return stored if now is None else now.stored

    async def _decide(self, rows: Sequence[int], *, released: bool, by: str, reason: str) -> None:
        at_ms = round(time.time() * 1000)
        await self._journal.note(*(Decision(row, released, by, reason, at_ms) for row in rows))
        if released:
            self._publisher.again(rows)


def chosen_of(held: Sequence[HeldRow], rows: Sequence[int] | None, *, released: bool, reason: str) -> list[int]:
    """The rows that a decision is about, checked against those that are held. Raises as `Holding.decide`."""
    if not reason.strip() and (rows is None or not released):
        raise Rejected(Code.REASON_MISSING, "to discard rows, or to let all go at once, needs a reason", "/reason")
    known = {one.row for one in held}
    chosen = sorted(known if rows is None else set(rows))
    unknown = [row for row in chosen if row not in known]
    if unknown:
        raise Rejected(Code.UNKNOWN_HERE, f"not held: {', '.join(map(str, unknown[:20]))}", "/rows")
    return chosen

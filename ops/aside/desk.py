"""What a person may do with something set aside: look, correct, replay, discard. Each act is written down first.

The audit record comes before the act, and the act's own record on `quarantine` says who, when and why, for every
machine. Nothing here runs by itself.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from connectors.contract import Document, Refused
from connectors.identity import CORRECTS
from connectors.prepared import traceparent
from ops.aside.records import SOURCE, audited, handled
from ops.aside.reentry import DELIVER, Reentry
from ops.aside.shelf import INTAKE, Item, State
from ops.aside.topic import Pen, Shelved, pen
from ops.delivering.messages import SET_ASIDE, alarm
from schemas.audit import Act
from schemas.delivery import Handling
from schemas.errors import Code, Rejected

REPLAYABLE: Final = frozenset({State.OPEN, State.DISCARDED})
"""A discarded item may be taken up again; one that re-entered or was corrected may not, unless it comes back."""
BYTES: Final = ("document",)


@dataclass(frozen=True)
class Correction:
    """A corrected copy: its bytes, and the media type where it is not the source's usual one."""

    body: bytes
    content_type: str | None = None


@dataclass(frozen=True)
class Desk:
    """The quarantine of an installation, as one intake node serves it."""

    shelved: Shelved
    reentry: Reentry
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def item(self, id: str) -> Item:
        """The item of that id or beginning of one. Rejected(`unknown-here`) when there is none or not only one."""
        found = (await self.shelved.fresh()).find(id)
        if found is None:
            raise Rejected(Code.UNKNOWN_HERE, "nothing is set aside under this id")
        return found

    async def look(self, item: Item, actor: str, purpose: str) -> bytes | None:
        """The bytes of an item, after the audit record that says who looks and why; None when they are not kept."""
        if item.stage == INTAKE:
            self.reentry.here(item)
        async with pen(self.reentry.cluster()) as writing:
            await writing.write(audited(item, Act.CONSULTATION, actor, purpose, self.clock(), BYTES))
        if item.stage != INTAKE:
            return (await self.reentry.record(item)).record
        row = await self.reentry.replaying.kept(str(item.told["document_id"]))
        return row.body if row is not None else None

    async def replay(self, item: Item, actor: str, reason: str, job: str | None = None) -> dict[str, Any]:
        """Let an item re-enter at its stage as it is.

        Rejected(`state-forbids`): it may not. Rejected with any other code: it was refused again and stays open.
        """
        async with pen(self.reentry.cluster()) as writing:
            return await self.replay_with(writing, item, actor, reason, job)

    async def replay_with(
        self, writing: Pen, item: Item, actor: str, reason: str, job: str | None = None
    ) -> dict[str, Any]:
        """As `replay`, for whoever does many."""
        if item.state not in REPLAYABLE:
            raise _forbidden(item)
        self.reentry.check(item)
        handling_id = str(uuid.uuid4())
        at = self.clock()
        await writing.write(
            audited(item, Act.ALTERATION, actor, f"quarantine replay: {reason}", at, ()),
            handled(item, Handling.REPLAYING, handling_id, actor, reason, at, job=job),
        )
        try:
            told = await self.reentry.enter(item, writing, actor, reason, handling_id)
        except Rejected as error:
            again = Handling.REFUSED
            at = self.clock()
            await writing.write(handled(item, again, handling_id, actor, reason, at, code=error.code, job=job))
            raise
        await writing.write(handled(item, Handling.REPLAYED, handling_id, actor, reason, self.clock(), job=job))
        await self._alarm(writing, item)
        return {"item_id": item.item_id, "handling": Handling.REPLAYED.value, "handling_id": handling_id, **told}

    async def correct(self, item: Item, actor: str, reason: str, correction: Correction) -> dict[str, Any]:
        """Let a corrected copy take the item's place: a new document of the same source, which says what it corrects.

        Rejected with the translation's own code: it would not be understood either, and nothing was done.
        """
        if item.state not in REPLAYABLE:
            raise _forbidden(item)
        source, document = await self._corrected(item, correction)
        verdict = self.reentry.replaying.would(source, document)
        if verdict is not None:
            raise Rejected(verdict.code, verdict.detail, verdict.at)
        async with pen(self.reentry.cluster()) as writing:
            purpose = f"quarantine correction: {reason}"
            await writing.write(audited(item, Act.ALTERATION, actor, purpose, self.clock(), BYTES))
            settled = await self.reentry.replaying.correct(source, document)
            if isinstance(settled, Refused):
                raise Rejected(settled.code, settled.detail, settled.at)
            corrected, handling_id = settled.document_id, str(uuid.uuid4())
            act, at = Handling.CORRECTED, self.clock()
            await writing.write(handled(item, act, handling_id, actor, reason, at, corrected_by=corrected))
        told = {"item_id": item.item_id, "handling": act.value, "handling_id": handling_id, "document_id": corrected}
        return {**told, "reports": list(settled.report_ids), "held": settled.held.value, "repeated": settled.repeated}

    async def _corrected(self, item: Item, correction: Correction) -> tuple[str, Document]:
        """Source and document of a correction. Equal corrections of one document are one document."""
        source, original = item.told.get("source"), item.told.get("document_id")
        if item.stage != INTAKE or not source or not original:
            detail = "only a document can be corrected; what was set aside later is replayed once our part is mended"
            raise Rejected(Code.STATE_FORBIDS, detail)
        self.reentry.here(item)
        most, usual = self.reentry.replaying.limits(source)
        if len(correction.body) > most:
            raise Rejected(Code.TOO_LARGE, f"more than {most} bytes")
        row = await self.reentry.replaying.kept(original)
        came = dict(row.context) if row is not None else {}
        came.pop("content-encoding", None)
        context = {**came, "traceparent": traceparent(original, came), CORRECTS: original}
        kind = correction.content_type or usual
        return source, Document(correction.body, kind, f"{CORRECTS} {original}", context=context)

    async def discard(self, item: Item, actor: str, reason: str) -> dict[str, Any]:
        """Note that an item is nothing, and why. Its bytes stay as long as any others."""
        if item.state is not State.OPEN:
            raise _forbidden(item)
        handling_id, at = str(uuid.uuid4()), self.clock()
        async with pen(self.reentry.cluster()) as writing:
            await writing.write(
                audited(item, Act.ALTERATION, actor, f"quarantine discard: {reason}", at, ()),
                handled(item, Handling.DISCARDED, handling_id, actor, reason, at),
            )
            await self._alarm(writing, item)
        return {"item_id": item.item_id, "handling": Handling.DISCARDED.value, "handling_id": handling_id}

    async def _alarm(self, writing: Pen, item: Item) -> None:
        """The recipient's alarm ends with its last open delivery. One that fails meanwhile raises it again.

        It is looked after the end is written: what came before is seen, what comes after writes its own alarm.
        """
        if item.stage != DELIVER or item.recipient is None or await self._waits(item.recipient):
            return
        at, detail = self.clock(), "no delivery to it is set aside any more"
        ends = alarm(SET_ASIDE, item.recipient, at, detail, active=False, source=SOURCE)
        await writing.write(ends)
        if await self._waits(item.recipient):
            at, detail = self.clock(), "a delivery was set aside"
            await writing.write(alarm(SET_ASIDE, item.recipient, at, detail, active=True, source=SOURCE))

    async def _waits(self, recipient: str) -> bool:
        """Whether a delivery to the recipient waits for a person."""
        items = (await self.shelved.fresh()).items.values()
        return any(one.state is State.OPEN and one.stage == DELIVER and one.recipient == recipient for one in items)


def _forbidden(item: Item) -> Rejected:
    return Rejected(Code.STATE_FORBIDS, f"it is {item.state.value} already")

"""What a recipient has: the last sequence of each subject, and which deliveries before the commit have their receipt.

Rebuilt from `delivery.receipts` at each start and whenever partitions change hands, not from a file of its own: the
receipts are the truth, they are there on every machine, and a projection could be older than a receipt. Only receipts
younger than what an outbox can still hold are read (outbox retention 7 days, and a day), by their headers.
"""

import asyncio
from collections import OrderedDict
from typing import Final

from schemas.delivery import Outcome
from schemas.envelope import Received, attribute
from schemas.errors import Code, Rejected
from schemas.topic import DAY_MS
from schemas.wire import derived_id

HORIZON_MS: Final = 8 * DAY_MS
Place = tuple[str, int, int]
"""Lane, partition and offset of a delivery's record."""


class Memory:
    """One recipient's, shared by its lanes. Bounded by the subjects and unfinished offsets of the horizon."""

    def __init__(self, recipient: str) -> None:
        self._recipient = recipient
        self._last: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._receipted: dict[tuple[str, int], dict[int, str]] = {}
        self._unsure: dict[str, tuple[int, asyncio.Event]] = {}

    def note(self, subject: str, sequence: int, at_ms: int) -> None:
        """The recipient has this sequence of the subject. An older note changes nothing."""
        last, _ = self._last.get(subject, (-1, 0))
        self._last[subject] = (max(sequence, last), at_ms)
        self._last.move_to_end(subject)

    def superseded(self, subject: str, sequence: int) -> bool:
        """Whether the recipient has a newer one. An equal sequence is not newer: two changes may share it."""
        return sequence < self._last.get(subject, (-1, 0))[0]

    def unsure(self, subject: str, sequence: int) -> None:
        """The recipient may have this one: a try had no answer, or it was in the outbox before this owner; and no
        receipt tells its end.
        """
        before = self._unsure.get(subject)
        if before is None or before[0] < sequence:
            self._unsure[subject] = (sequence, before[1] if before else asyncio.Event())

    async def sure(self, subject: str, sequence: int) -> None:
        """Wait until no newer one of the subject is unsure: an older one sent meanwhile might come behind it."""
        while not self.is_sure(subject, sequence):
            await self._unsure[subject][1].wait()

    def is_sure(self, subject: str, sequence: int) -> bool:
        """Whether no newer one of the subject is unsure."""
        known = self._unsure.get(subject)
        return known is None or sequence >= known[0]

    def settled(self, subject: str, sequence: int) -> None:
        """A delivery of the subject has its end."""
        known = self._unsure.get(subject)
        if known is not None and sequence >= known[0]:
            del self._unsure[subject]
            known[1].set()

    def receipted(self, place: Place, delivery_id: str) -> bool:
        """Whether this very record's delivery had its end before; asked once per record, then forgotten."""
        lane, partition, offset = place
        return self._receipted.get((lane, partition), {}).pop(offset, None) == delivery_id

    def learn(self, headers: Received, at_ms: int) -> None:
        """Take in one record of `delivery.receipts`. Those of other recipients are passed over.

        Rejected(`record-invalid`) for what is no receipt of ours.
        """
        headers = tuple(headers)
        if attribute(headers, "recipient") != self._recipient:
            return
        try:
            self._learn(headers, at_ms)
        except ValueError:
            raise Rejected(Code.RECORD_INVALID, "the sequence or place of a receipt is no number") from None

    def _learn(self, headers: Received, at_ms: int) -> None:
        subject, sequence = attribute(headers, "subject"), attribute(headers, "sequence")
        if attribute(headers, "kind") == Outcome.DELIVERED and subject and sequence:
            self.note(subject, int(sequence), at_ms)
        if subject and sequence:
            self.settled(subject, int(sequence))
        lane, place = attribute(headers, "lane"), attribute(headers, "place")
        if lane and place:
            partition, _, offset = place.partition("-")
            known = self._receipted.setdefault((lane, int(partition)), {})
            known[int(offset)] = attribute(headers, "deliveryid") or ""

    def starts_at(self, lane: str, partition: int, offset: int) -> None:
        """A lane owns a partition from this offset on: receipts of earlier records need not be remembered."""
        known = self._receipted.get((lane, partition), {})
        self._receipted[lane, partition] = {at: mark for at, mark in known.items() if at >= offset}

    def forget(self, now_ms: int) -> None:
        """Drop subjects without a delivery for the horizon."""
        while self._last and next(iter(self._last.values()))[1] < now_ms - HORIZON_MS:
            self._last.popitem(last=False)

    def __len__(self) -> int:
        return len(self._last)


def audit_id(delivery_id: str) -> str:
    """The id of a delivery's one audit record."""
    return derived_id("audit", delivery_id)

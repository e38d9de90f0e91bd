"""Reads what came since the last time: four topics by their headers, and the journals' rows.

One consumer without a group; offsets are the keeper's, saved with what was made of the records. Only decisions,
quarantine and the reconciler's own acts are opened. A broker collects what it has for up to a second, so that many
records come with one answer.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ops.bookkeeping.book import Part, Receipt
from ops.bookkeeping.horizons import given_back
from ops.ledger_rows import AsideRow, FactRow
from ops.ledger_sources import decision_row
from ops.reading import STALL_SECONDS, Cluster
from schemas.envelope import Received, text
from schemas.errors import Code, Rejected, Unavailable
from schemas.topics import ACTS, DECISIONS, FACTS, QUARANTINE, RECEIPTS, catalogue
from streams.clients import begin

TOPICS: Final = (FACTS, DECISIONS, RECEIPTS, QUARANTINE, ACTS)
UNREAD: Final = -1
POLLED: Final = 20_000
"""Records taken at once; more are taken with the next look."""
_READ: Final = {
    f"ce_{name}": name
    for name in (
        *("id", "factid", "kind", "reportid", "causeid", "documentid", "deliveryid", "incidentid", "unit", "mode"),
    )
}

Offsets = dict[tuple[str, int], int]
"""Logical topic and partition -> next offset."""


@dataclass
class Taken(Part):
    """What one look gave."""

    aside: dict[str, tuple[int, AsideRow]] = field(default_factory=dict)
    acts: dict[str, tuple[int, str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


class BehindError(Exception):
    """Records that were never read are gone, or the topics are other ones: the ledger must be built anew."""


class Topics:
    """The five topics from given offsets on. `await start()`, then `look` and `to_end`; `await stop()`."""

    def __init__(self, cluster: Cluster, offsets: Offsets, firsts_ms: Offsets) -> None:
        self._cluster = cluster
        self.offsets: Final = dict(offsets)
        self.firsts_ms: Final = dict(firsts_ms)
        """When the first record was written that a partition had when it was read first; 0 where that was its very
        first, UNREAD until it is read."""
        self._reader: AIOKafkaConsumer | None = None
        self._parts: dict[str, list[TopicPartition]] = {}

    async def start(self) -> None:
        """Begin where the offsets say. Unavailable without a broker or topic; BehindError when they do not fit."""
        known = await self._cluster.partitions(TOPICS)
        if missing := sorted(set(TOPICS) - set(known)):
            detail = f"no such topic: {', '.join(missing)}; provision first"
            raise Unavailable(Code.BROKER_UNAVAILABLE, detail)
        self._parts = {name: [TopicPartition(self._cluster.prefix + name, at) for at in known[name]] for name in known}
        everything = [part for parts in self._parts.values() for part in parts]
        reader = self._cluster.reader(fetch_max_wait_ms=1000, fetch_min_bytes=256 * 1024)
        try:
            await begin(reader)
            self._reader = reader
            begins, ends = await reader.beginning_offsets(everything), await reader.end_offsets(everything)
            self._check(begins, ends)
            reader.assign(everything)
            for part in everything:
                self._take_over(self._place(part), begins[part], ends[part])
                reader.seek(part, self.offsets[self._place(part)])
        except (KafkaError, OSError) as error:
            raise Unavailable(Code.BROKER_UNAVAILABLE, f"reading failed ({type(error).__name__})") from None

    async def stop(self) -> None:
        """Give the reader back. Also twice."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await given_back(reader)

    async def look(self, seconds: float = 0.0) -> Taken:
        """What has come, waiting so long for the first of it."""
        assert self._reader is not None
        try:
            found = await self._reader.getmany(timeout_ms=int(seconds * 1000), max_records=POLLED)
        except (KafkaError, OSError) as error:
            raise Unavailable(Code.BROKER_UNAVAILABLE, f"reading failed ({type(error).__name__})") from None
        taken = Taken()
        for part, records in found.items():
            topic, _ = place = self._place(part)
            if self.firsts_ms[place] == UNREAD:
                self.firsts_ms[place] = records[0].timestamp
            _TAKERS[topic](taken, records)
            taken.counts[topic] = taken.counts.get(topic, 0) + len(records)
            self.offsets[place] = records[-1].offset + 1
        return taken

    async def behind(self, ends: Offsets) -> bool:
        """Whether something before these ends is still unread; markers and gaps count as read."""
        assert self._reader is not None
        for (topic, at), end in ends.items():
            if self.offsets[topic, at] < end:
                part = TopicPartition(self._cluster.prefix + topic, at)
                self.offsets[topic, at] = max(self.offsets[topic, at], await self._reader.position(part))
        return any(self.offsets[place] < end for place, end in ends.items())

    def since_ms(self, topic: str) -> int:
        """Older records may be gone; 0 when every partition begins with its first (`ops.ledger_sources`)."""
        kept = catalogue()[topic].retention
        assert kept is not None, "a topic that never deletes is whole"
        first = max((at for (name, _), at in self.firsts_ms.items() if name == topic), default=0)
        return min(first, _now_ms() - kept.minimum_ms)

    def _take_over(self, place: tuple[str, int], first: int, end: int) -> None:
        if place not in self.offsets:
            self.offsets[place] = first
            self.firsts_ms[place] = 0 if not first else _now_ms() if first == end else UNREAD

    def _check(self, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        for part, first in begins.items():
            ours = self.offsets.get(self._place(part))
            if ours is not None and not first <= ours <= ends[part]:
                raise BehindError(part.topic)

    def _place(self, part: TopicPartition) -> tuple[str, int]:
        return part.topic.removeprefix(self._cluster.prefix), part.partition


class Deadline:
    """Raises Unavailable when nothing came for so long."""

    def __init__(self, seconds: float = STALL_SECONDS) -> None:
        self._seconds, self._last = seconds, time.monotonic()

    def news(self, *, came: bool) -> None:
        """Tell whether something came."""
        now = time.monotonic()
        if came:
            self._last = now
        elif now - self._last > self._seconds:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "a topic could not be read to its end")


def _now_ms() -> int:
    return int(time.time() * 1000)


def _told(headers: Received) -> dict[str, str]:
    """Those attributes that the ledger reads. None of a record where one is no text: it proves nothing."""
    try:
        return {_READ[name]: text(raw) for name, raw in headers if name in _READ}
    except Rejected:
        return {}


def _facts(taken: Taken, records: list[Any]) -> None:
    for one in records:
        told = _told(one.headers)
        if "factid" in told:
            get = told.get
            taken.facts.setdefault(
                told["factid"],
                FactRow(
                    get("kind", ""),
                    get("reportid"),
                    get("causeid"),
                    one.timestamp,
                    get("documentid"),
                    get("incidentid"),
                    get("unit"),
                    get("mode"),
                ),
            )


def _decisions(taken: Taken, records: list[Any]) -> None:
    for one in records:
        told = _told(one.headers)
        if "factid" in told:
            taken.decisions[told["factid"]] = decision_row(told, one.value, one.timestamp)


def _receipts(taken: Taken, records: list[Any]) -> None:
    for one in records:
        told = _told(one.headers)
        if "deliveryid" in told:
            before: Receipt = taken.receipts.get(told["deliveryid"], (frozenset(), one.timestamp))
            taken.receipts[told["deliveryid"]] = (before[0] | {told.get("kind", "")}, min(before[1], one.timestamp))


def _aside(taken: Taken, records: list[Any]) -> None:
    for one in records:
        told, body = _told(one.headers), orjson.loads(one.value)
        row = AsideRow(
            body.get("stage", ""),
            body.get("document_id"),
            body.get("report_id"),
            body.get("delivery_id"),
            told.get("causeid"),
        )
        taken.aside[f"{one.partition}-{one.offset}"] = (one.timestamp, row)


def _acts(taken: Taken, records: list[Any]) -> None:
    for one in records:
        body = orjson.loads(one.value)
        taken.acts[body["act_id"]] = (one.timestamp, body["subject_id"], body)


_TAKERS: Final = {FACTS: _facts, DECISIONS: _decisions, RECEIPTS: _receipts, QUARANTINE: _aside, ACTS: _acts}

"""The state of a partition in memory and in its changelog topic.

A changelog batch begins with the marker (topic id, last applied offset), followed by the changed keys. Kafka appends
a batch whole or not at all, so after any crash the state stands exactly at an input offset: inputs at or below it are
skipped, and what is repeated meets the same state and gives the same bytes.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

MARKER_KEY: Final = b"\x00applied"
"""Key of the marker. A state key never begins with NUL."""
NOTHING_APPLIED: Final = -1
_MARKER: Final = struct.Struct(">16sq")

Entry = tuple[object, bytes | None]
"""A changed value and its bytes; (None, None) is a deletion. A new tuple for each change: its identity names it."""
Changes = dict[str, Entry]


class Marker(NamedTuple):
    """What a state stands for: every record of the topic's partition up to `applied`."""

    topic_id: bytes
    applied: int

    def encode(self) -> bytes:
        """The marker's value in the changelog: 16 bytes of topic id, 8 of offset, big endian."""
        return _MARKER.pack(self.topic_id, self.applied)


def decode_marker(value: bytes | None) -> Marker:
    """The marker in a changelog record. ValueError for other bytes."""
    if value is None or len(value) != _MARKER.size:
        msg = "not a marker"
        raise ValueError(msg)
    return Marker(*_MARKER.unpack(value))


class PartitionState:
    """What the changelog holds, overlaid by what is stepped and not yet saved. Steps see it as `State`."""

    __slots__ = ("_durable", "dirty")

    def __init__(self, durable: dict[str, object] | None = None) -> None:
        self._durable: dict[str, object] = {} if durable is None else durable
        self.dirty: Changes = {}

    def get(self, key: str, /) -> Any:
        """The value under the key, None when absent."""
        entry = self.dirty.get(key)
        return self._durable.get(key) if entry is None else entry[0]

    def saved(self, changes: Changes) -> None:
        """These changes are acknowledged; a later change of the same key stays in the overlay."""
        for key, entry in changes.items():
            if entry[1] is None:
                self._durable.pop(key, None)
            else:
                self._durable[key] = entry[0]
            if self.dirty.get(key) is entry:
                del self.dirty[key]

    def snapshot(self) -> dict[str, object]:
        """A copy of the saved values, without the overlay. For tests and figures, not for steps."""
        return dict(self._durable)

    def __len__(self) -> int:
        return len(self._durable)


@dataclass(slots=True)
class Fold:
    """Replays one changelog partition in log order.

    A marker that goes back opens a stale batch: the late write of a process that no longer owned the partition. Its
    records are not applied, but their keys are kept in `repair`, for compaction would keep exactly the stale values;
    the owner writes the right ones again. An equal marker is no step back: same inputs, same values.
    """

    skip_stale: bool = True
    marker: Marker | None = None
    values: dict[bytes, bytes] = field(default_factory=dict)
    repair: set[bytes] = field(default_factory=set)
    stale: bool = False
    stale_batches: int = 0

    def take(self, key: bytes, value: bytes | None) -> None:
        """The next record of the changelog."""
        if key == MARKER_KEY:
            self._mark(decode_marker(value))
        elif self.stale:
            self.repair.add(key)
        else:
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value
            if self.repair:
                self.repair.discard(key)

    def take_all(self, records: Iterable[Any]) -> None:
        """The next records (anything with `key` and `value`) of the changelog."""
        for record in records:
            self.take(record.key, record.value)

    def _mark(self, new: Marker) -> None:
        old = self.marker
        self.stale = self.skip_stale and old is not None and old.topic_id == new.topic_id and new.applied < old.applied
        if self.stale:
            self.stale_batches += 1
        else:
            self.marker = new

    @property
    def applied(self) -> int:
        """Offset of the last input record that the state contains; -1: none."""
        return NOTHING_APPLIED if self.marker is None else self.marker.applied


def batch(create: Callable[[], Any], marker: Marker | None, changes: Mapping[str, Entry], now_ms: int) -> Any:
    """One prepared record batch: the marker, then the changed keys. The unit that is appended whole or not at all."""
    builder = create()
    append = builder.append
    if marker is not None:
        append(timestamp=now_ms, key=MARKER_KEY, value=marker.encode())
    for key, entry in changes.items():
        append(timestamp=now_ms, key=key.encode(), value=entry[1])
    builder.close()
    return builder


def repairs(fold: Fold, limit: int) -> list[Changes]:
    """The right values of every key a stale batch touched, in portions that fit into a batch of `limit` bytes."""
    portions: list[Changes] = [{}]
    room = limit
    for raw in sorted(fold.repair):
        value = fold.values.get(raw)
        size = len(raw) + len(value or b"") + 32
        if size > room and portions[-1]:
            portions.append({})
            room = limit
        portions[-1][raw.decode()] = (None, value)
        room -= size
    return portions

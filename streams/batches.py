"""The outputs of a round as prepared record batches, one after the other per (topic, partition)."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from streams.contract import Output
from streams.murmur import positive_hash

RECORD_OVERHEAD: Final = 40
"""Bytes of a record beside key, value and headers (an upper bound: seven varints)."""
HEADER_OVERHEAD: Final = 10


def size_of(output: Output) -> int:
    """Upper bound of the output's bytes inside a record batch; a header name counts four bytes per character.

    TypeError for an output that no batch would take.
    """
    _, key, value, headers = output
    size = len(key) + RECORD_OVERHEAD
    if type(key) is not bytes:
        raise TypeError("the key of an output is bytes")
    if value is not None:
        size += len(value)
        if type(value) is not bytes:
            raise TypeError("the value of an output is bytes or None")
    for name, text in headers:
        size += 4 * len(name) + len(text) + HEADER_OVERHEAD
        if type(name) is not str or type(text) is not bytes:
            raise TypeError("a header of an output is a str and bytes")
    return size


class _Open:
    __slots__ = ("append", "builder", "room")

    def __init__(self, builder: Any, room: int) -> None:
        self.builder, self.append, self.room = builder, builder.append, room


class Batches:
    """Collects the outputs of one round. A batch is closed when the next record would pass its limit."""

    def __init__(
        self,
        create: Callable[[], Any],
        topics: Mapping[str, tuple[str, int, int]],
        now_ms: int,
    ) -> None:
        """`topics` gives by logical name: name on the cluster, number of partitions, bytes of a batch."""
        self._create = create
        self._topics = topics
        self._now_ms = now_ms
        self._open: dict[tuple[str, int], _Open] = {}
        self._ready: dict[tuple[str, int], list[Any]] = {}
        self.records = 0

    def add(self, output: Output, size: int) -> None:
        """Put one output of that size (`size_of`) into its partition's batch. Order per (topic, partition) is kept."""
        name, key, value, headers = output
        topic, partitions, limit = self._topics[name]
        place = (topic, positive_hash(key) % partitions)
        batch = self._open.get(place)
        if batch is None or size > batch.room:
            builder = self._create()
            batch = self._open[place] = _Open(builder, limit)
            self._ready.setdefault(place, []).append(builder)
        batch.room -= size
        if headers:
            batch.append(timestamp=self._now_ms, key=key, value=value, headers=list(headers))
        else:
            batch.append(timestamp=self._now_ms, key=key, value=value)
        self.records += 1

    def ready(self) -> dict[tuple[str, int], list[Any]]:
        """The batches by (topic on the cluster, partition), to be sent in this order; nothing is added afterwards."""
        for builders in self._ready.values():
            for builder in builders:
                builder.close()
        return self._ready

"""Steps the gathered records of one partition: synchronously, record by record, without a trace of what failed."""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from schemas.errors import Code, Rejected
from schemas.topics import QUARANTINE
from streams.batches import Batches, size_of
from streams.changelog import NOTHING_APPLIED, Changes, Entry, PartitionState
from streams.contract import Observer, Output, Processor, Record
from streams.leaving import whereabouts
from streams.quarantine import quarantined
from streams.shell_settings import BATCH_OVERHEAD, ShellSettings

log: Final = structlog.get_logger("streams.shell")
MINUTE: Final = 60.0
CHANGE_OVERHEAD: Final = 32
"""Bytes of a changelog record beside key and value (an upper bound)."""
LOOK_EVERY: Final = 64
"""Records between two looks at the clock."""


@dataclass(slots=True, eq=False)
class Part:
    """One held input partition, for one ownership: an ownership change makes new ones.

    `next` is the offset that must come next, `settled` the offset the group may commit, `end` where the next
    changelog batch must land. `ready`: recovered and not being given up.
    """

    tp: Any
    partition: int
    state: PartitionState = field(default_factory=PartitionState)
    ready: bool = False
    next: int | None = None
    applied: int = NOTHING_APPLIED
    settled: int | None = None
    committed: int | None = None
    end: int = 0
    buffer: deque[Any] = field(default_factory=deque)
    gap_at: int | None = None
    seeks: int = 0


@dataclass(slots=True, eq=False)
class Unit:
    """What a round did in one partition: consecutive records up to `last`, and the state changes they made."""

    part: Part
    last: int
    changes: Changes = field(default_factory=dict)
    size: int = 0
    records: int = 0
    bug: bool = False
    """A record of it was set aside for a bug of the step: its marker is written even where nothing changed."""


class Stepper:
    """Turns gathered records into units. One per shell."""

    def __init__(
        self,
        processor: Processor,
        settings: ShellSettings,
        observer: Observer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._step, self._encode, self._input = processor.step, processor.encode, processor.input
        self._settings = settings
        self._observer = observer
        self._clock = clock
        self._set_aside = processor.set_aside or quarantined(processor.name)
        self.topics: Final = tuple(dict.fromkeys((*processor.outputs, *(() if processor.set_aside else (QUARANTINE,)))))
        self._limits = {topic: settings.limit(topic) - BATCH_OVERHEAD for topic in self.topics}
        self._changes_limit = settings.limit(processor.changelog) - BATCH_OVERHEAD
        self._bugs: dict[int, deque[float]] = {}
        self.quarantined = 0
        self.tripped: int | None = None
        """The partition whose step failed too often in a minute; nothing of it is stepped any more."""

    def unit(self, part: Part, room: int, batches: Batches, until: float) -> Unit | None:
        """Step at most `room` records of the partition's buffer, or until the clock shows `until`.

        Outputs go into `batches`, changes into the overlay. None when nothing could be taken.
        """
        buffer, applied = part.buffer, part.applied
        unit = Unit(part, NOTHING_APPLIED)
        began = self._clock()
        while buffer and unit.records < room:
            message = buffer[0]
            if message.offset > applied and not self._one(unit, message, batches):
                break
            buffer.popleft()
            unit.last = message.offset
            unit.records += 1
            if unit.records % LOOK_EVERY == 0 and self._clock() > until:
                break
        if not unit.records:
            return None
        self._observer.stepped(part.partition, unit.records, self._clock() - began)
        return unit

    def _one(self, unit: Unit, message: Any, batches: Batches) -> bool:
        """Step one record. False: it does not belong to this unit any more, and left no trace."""
        part = unit.part
        record = Record(
            self._input,
            part.partition,
            message.offset,
            message.key,
            message.value,
            message.headers,
            message.timestamp,
        )
        changes: list[tuple[str, Entry]] = []
        size = 0
        try:
            outputs, puts, deletes = self._step(part.state, record)
            sizes = self._sizes(outputs) if outputs else []
            if puts or deletes:
                changes, size = self._encoded(puts, deletes)
        except Rejected as error:
            outputs, sizes, changes, size = self._aside(record, error)
        except Exception as error:  # noqa: BLE001 - whatever a step raises, its neighbours go on
            if not self._forgiven(part.partition):
                self.tripped = part.partition
                return False
            place = whereabouts(error)
            log.error("step_bug", partition=part.partition, offset=message.offset, where=place)  # noqa: TRY400 - see whereabouts
            outputs, sizes, changes, size = self._aside(record, Rejected(Code.STEP_BUG, place))
            unit.bug = True
        if size and unit.changes and unit.size + size > self._settings.unit_bytes:
            return False
        for output, bytes_ in zip(outputs, sizes, strict=True):
            batches.add(output, bytes_)
        if changes:
            self._apply(unit, changes, size)
        return True

    def _sizes(self, outputs: Sequence[Output]) -> list[int]:
        """Bytes of each output. Rejected(`output-too-large`), or the exception that shows the step's bug."""
        sizes = []
        for output in outputs:
            size = size_of(output)
            if size > self._limits[output.topic]:
                limit = self._limits[output.topic]
                raise Rejected(Code.OUTPUT_TOO_LARGE, f"an output for {output.topic} passes {limit} bytes")
            sizes.append(size)
        return sizes

    def _encoded(self, puts: Mapping[str, object], deletes: Collection[str]) -> tuple[list[tuple[str, Entry]], int]:
        """The changes with their bytes, deletes after puts, and their size in the changelog (an upper bound)."""
        changes: list[tuple[str, Entry]] = []
        size, encode = 0, self._encode
        for key, value in puts.items():
            data = encode(value)
            if value is None or type(data) is not bytes or key[:1] == "\0":
                raise TypeError("a state value is not None, its bytes are bytes, its key does not begin with NUL")
            size += 4 * len(key) + len(data) + CHANGE_OVERHEAD
            changes.append((key, (value, data)))
        for key in deletes:
            size += 4 * len(key) + CHANGE_OVERHEAD
            changes.append((key, (None, None)))
        if size > self._changes_limit:
            raise Rejected(Code.OUTPUT_TOO_LARGE, f"the state changes of one record pass {self._changes_limit} bytes")
        return changes, size

    @staticmethod
    def _apply(unit: Unit, changes: list[tuple[str, Entry]], size: int) -> None:
        """Put the changes of one record into the unit and the overlay; what it replaces in the unit takes no room."""
        dirty, mine = unit.part.state.dirty, unit.changes
        for key, entry in changes:
            before = mine.get(key)
            if before is not None:
                size -= 4 * len(key) + len(before[1] or b"") + CHANGE_OVERHEAD
            mine[key] = dirty[key] = entry
        unit.size += size

    def _forgiven(self, partition: int) -> bool:
        """May one more bug of the step be set aside in this partition?"""
        bugs = self._bugs.setdefault(partition, deque())
        now = self._clock()
        while bugs and bugs[0] < now - MINUTE:
            bugs.popleft()
        if len(bugs) >= self._settings.bugs_per_minute:
            return False
        bugs.append(now)
        return True

    def _aside(
        self, record: Record, error: Rejected
    ) -> tuple[Sequence[Output], list[int], list[tuple[str, Entry]], int]:
        """The outcome that sets a record aside; with less of the record where the whole does not fit or shows a bug."""
        self.quarantined += 1
        self._observer.set_aside(record, error.code)
        for one in _thinner(record):
            try:
                output = self._set_aside(one, error)
                size = size_of(output)
            except Exception as bug:  # noqa: BLE001 - a record that cannot be set aside stops its partition for ever
                log.error("set_aside_bug", partition=record.partition, offset=record.offset, where=whereabouts(bug))  # noqa: TRY400 - see whereabouts
                continue
            if size <= self._limits[output.topic]:
                return [output], [size], [], 0
        msg = "not even its place can be set aside"
        raise ValueError(msg)


def _thinner(record: Record) -> Iterator[Record]:
    """The record, and what may be told of it when that is too much: ever less, at last only where it stands.

    Without its id a record is named by its key and bytes; its place in their stead keeps two such records apart.
    """
    yield record
    yield record._replace(value=None)
    yield record._replace(key=None, headers=())
    yield record._replace(key=b"%d/%d" % (record.partition, record.offset), value=None, headers=())

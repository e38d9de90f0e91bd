"""What a stream processor is: a pure step over one input topic, and what the shell gives it.

A step has no clock, no randomness and no I/O: the same state and record give the same outcome in a test, after a
crash, and in a replay. Reference data is an immutable argument bound into the step when the processor is built.
Topic names here are logical; the shell puts the installation's prefix in front of them.

Records, outputs and outcomes are named tuples: one of each is made per message, and a frozen dataclass costs three
times as much to make. Use `_replace` for a changed copy.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from schemas.errors import Code, Rejected
from schemas.topics import changelog

Headers = tuple[tuple[str, bytes], ...]
ReceivedHeaders = tuple[tuple[str, bytes | None], ...]
"""A header of a record that came may be null or no text: `schemas.envelope` reads it."""

NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class Record(NamedTuple):
    """One record of the input topic. `timestamp_ms` is the append time where the topic keeps append times."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: ReceivedHeaders
    timestamp_ms: int


class Output(NamedTuple):
    """One record to write. A `value` of None is a tombstone; the partition follows from the key (murmur2)."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers = ()


class Outcome(NamedTuple):
    """What one step changes: records to write, state values to put, state keys to delete.

    Deletes are applied after puts. Put values must never be changed afterwards, by anybody.
    """

    outputs: Sequence[Output] = ()
    puts: Mapping[str, object] = NOTHING
    deletes: Collection[str] = ()


class State(Protocol):
    """The state of one input partition as a step sees it. There is no iteration: a step names what it needs."""

    def get(self, key: str, /) -> Any:
        """The value under the key, None when absent. An immutable object: it is shared, never copied."""


Step = Callable[[State, Record], Outcome]
"""Called once per record, in offset order within a partition; called again with the same state after a crash.

`Rejected` sets the record aside (quarantine); any other exception does too, with code `step-bug` and an alarm.
Either way nothing of the record's outcome is kept and its neighbours go on.
"""


@dataclass(frozen=True)
class Processor:
    """A step with everything the shell must know to run it on one input topic.

    `outputs` names every topic the step may write; another one is a bug of the step. `encode` and `decode` turn
    state values into changelog bytes and back: a value is decoded once (replay) and encoded once per put.
    `set_aside` builds the quarantine record; None takes the shell's own (`schemas.delivery.Quarantined`).
    `due` gives the earliest pending deadline of a partition's state, in ms since the epoch, None when nothing is
    pending; `tick(partition, now_ms)` builds the record that lets time pass. Both are for the ticker.
    """

    name: str
    input: str
    outputs: tuple[str, ...]
    step: Step
    encode: Callable[[object], bytes]
    decode: Callable[[bytes], object]
    set_aside: Callable[[Record, Rejected], Output] | None = None
    due: Callable[[State], int | None] | None = None
    tick: Callable[[int, int], Output] | None = None

    def group(self, prefix: str) -> str:
        """The consumer group of an installation."""
        return f"{prefix}{self.name}.{self.input}"

    @property
    def changelog(self) -> str:
        """The logical name of the topic that keeps the state."""
        return changelog(self.name, self.input)


class Observer(Protocol):
    """Told by a shell what happens, for metrics and alarms. Calls come from the loop: quick, and never raising."""

    def stepped(self, partition: int, records: int, seconds: float) -> None:
        """Records of one partition went through the step in this time; those set aside are counted too."""

    def set_aside(self, record: Record, code: Code) -> None:
        """A record goes to quarantine."""

    def settled(self, records: int, outputs: int, seconds: float) -> None:
        """A round's outputs and state are acknowledged, this long after it was stepped."""

    def committed(self, offsets: Mapping[int, int]) -> None:
        """The group's offsets (next offset to read, by partition) stand in Kafka."""

    def held(self, partitions: Collection[int]) -> None:
        """The partitions held from now on; empty while ownership changes."""

    def recovered(self, partition: int, keys: int, seconds: float) -> None:
        """The state of a partition was read from its changelog; `seconds` counts from the start of the recovery."""

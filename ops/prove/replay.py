"""Steps a log without Kafka, in rounds of any size, and tells what would be written: byte for byte.

    python -m ops.prove.replay MODULE:FUNCTION ROUND

FUNCTION gives a processor and its records, `() -> tuple[Processor, Sequence[Record]]`. Prints a digest of what
each input partition writes to each output partition, and of its state. Another process, hash seed or round size
must print the same.
"""

import hashlib
import importlib
import sys
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import structlog

from streams.batches import Batches
from streams.changelog import PartitionState
from streams.contract import Processor, ReceivedHeaders, Record
from streams.observer import Unobserved
from streams.shell_settings import ShellSettings
from streams.stepping import Part, Stepper, Unit

OUTPUT_PARTITIONS: Final = 5
IN_FLIGHT: Final = 2


class Written(NamedTuple):
    """One output as it would stand in a batch."""

    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class _Message(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None
    headers: ReceivedHeaders
    timestamp: int


class _Recorder:
    """A batch builder that keeps what is appended."""

    def __init__(self) -> None:
        self.records: list[Written] = []

    def append(self, *, timestamp: int, key: bytes, value: bytes | None, headers: Sequence[Any] = ()) -> None:  # noqa: ARG002 - the builder's interface
        self.records.append(Written(key, value, tuple(headers)))

    def close(self) -> None:
        """Nothing to close."""


Outputs = dict[tuple[int, str, int], list[Written]]
"""Outputs by input partition, topic, output partition. How input partitions mix on an output is chance, always."""


def replay(
    processor: Processor, records: Sequence[Record], round_size: int
) -> tuple[Outputs, dict[int, PartitionState]]:
    """Step the records in rounds of `round_size` per partition. Outputs, and states by partition."""
    settings = ShellSettings(bootstrap_servers="", unit_records=round_size, round_records=1_000_000)
    stepper = Stepper(processor, settings, Unobserved())
    topics = {topic: (topic, OUTPUT_PARTITIONS, settings.batch_bytes) for topic in stepper.topics}
    parts = {number: Part(None, number) for number in sorted({record.partition for record in records})}
    for record in records:
        message = _Message(record.offset, record.key, record.value, record.headers, record.timestamp_ms)
        parts[record.partition].buffer.append(message)
    outputs: Outputs = defaultdict(list)
    for number, part in parts.items():
        flying: deque[Unit] = deque()
        while part.buffer and stepper.tripped is None:
            batches = Batches(_Recorder, topics, 0)
            unit = stepper.unit(part, round_size, batches, time.monotonic() + 3600)
            for (topic, place), builders in batches.ready().items():
                outputs[number, topic, place] += [written for builder in builders for written in builder.records]
            if unit is not None:
                flying.append(unit)
            # As in the shell, a round is stepped on the changes of the one before it, which are not saved yet.
            if len(flying) == IN_FLIGHT:
                part.state.saved(flying.popleft().changes)
        for unit in flying:
            part.state.saved(unit.changes)
    if stepper.tripped is not None:
        raise RuntimeError("the step fails too often")
    return dict(outputs), {number: part.state for number, part in parts.items()}


def digests(processor: Processor, records: Sequence[Record], round_size: int) -> list[str]:
    """One line per output partition and per state."""
    outputs, states = replay(processor, records, round_size)
    lines = []
    for (number, topic, partition), written in sorted(outputs.items()):
        digest = hashlib.sha256(repr(written).encode()).hexdigest()
        lines.append(f"{number} -> {topic}/{partition} {len(written)} {digest}")
    for number, state in sorted(states.items()):
        content = sorted((key, processor.encode(value)) for key, value in state.snapshot().items())
        lines.append(f"state/{number} {len(content)} {hashlib.sha256(repr(content).encode()).hexdigest()}")
    return lines


def main(place: str, round_size: str) -> None:
    """Print the digests; the log goes to stderr."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    module, _, function = place.partition(":")
    processor, records = getattr(importlib.import_module(module), function)()
    sys.stdout.write("\n".join(digests(processor, records, int(round_size))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The attacked job: a counter per key. Nothing forgives a mistake here.

An output carries the input's id, its key and the counter from the state; the state also holds a running checksum, so
an input that is lost, doubled or out of order shows in every later output of its key. Every 97th input of a key
deletes its state. A value beginning with `poison` is rejected, with `boom` raises, with `|big<n>` makes an output of n
bytes more.
"""

import random
import zlib
from typing import Final

from schemas.errors import Code, Rejected
from streams.contract import Outcome, Output, Processor, Record, State

NAME: Final = "counter"
INPUT: Final = "in"
OUTPUTS: Final = ("a", "b")
ASIDE: Final = "aside"
OUTPUT_PARTITIONS: Final = (5, 3)
DELETED_AT: Final = 97
"""Inputs of a key after which its state is deleted, unless the run says otherwise (0: never)."""


def step(state: State, record: Record, deleted_at: int = DELETED_AT) -> Outcome:
    """Count one input of its key."""
    value = record.value or b""
    key = record.key or b""
    if value.startswith(b"poison"):
        raise Rejected(Code.NOT_UNDERSTOOD, "poison")
    if value.startswith(b"boom"):
        raise RuntimeError("boom")
    ident, _, pad = value.partition(b"|")
    count, crc = state.get(key.decode()) or (0, 0)
    count, crc = count + 1, zlib.crc32(ident, crc)
    out = b"%s|%s|%d|%d" % (ident, key, count, crc)
    if pad.startswith(b"big"):
        out += b"x" * int(pad[3:].split(b"|")[0])
    topic = OUTPUTS[zlib.crc32(ident) & 1]
    outputs = (Output(topic, b"o" + ident, out, (("count", b"%d" % count),)),)
    if deleted_at and count >= deleted_at:
        return Outcome(outputs, deletes=(key.decode(),))
    return Outcome(outputs, {key.decode(): (count, crc)})


def encode(value: object) -> bytes:
    """The state's bytes: `count,checksum`."""
    pair: tuple[int, int] = value  # type: ignore[assignment]
    return b"%d,%d" % pair


def decode(data: bytes) -> tuple[int, int]:
    """The state from its bytes."""
    count, _, crc = data.partition(b",")
    return int(count), int(crc)


def set_aside(record: Record, error: Rejected) -> Output:
    """A short quarantine record that names the input by partition and offset."""
    value = b"%d/%d %s" % (record.partition, record.offset, error.code.value.encode())
    return Output(ASIDE, record.key or b"-", value)


def processor(deleted_at: int = DELETED_AT) -> Processor:
    """The counter as the shell runs it."""
    return Processor(
        name=NAME,
        input=INPUT,
        outputs=(*OUTPUTS, ASIDE),
        step=lambda state, record: step(state, record, deleted_at),
        encode=encode,
        decode=decode,
        set_aside=set_aside,
    )


def sample() -> tuple[Processor, list[Record]]:
    """A seeded log for the replay proof: 4 partitions, poison and bugs of the step included."""
    rng = random.Random(7)
    records = []
    for number in range(6000):
        partition = number % 4
        key = b"k%03d" % (rng.randrange(12) * 4 + partition)
        value = b"i%07d|%s" % (number, b"." * rng.randrange(80))
        if number % 211 == 0:
            value = b"poison %d" % number
        if number in {500, 2500}:
            value = b"boom %d" % number
        records.append(Record(INPUT, partition, number // 4, key, value, (("n", b"%d" % number),), number))
    return processor(), records

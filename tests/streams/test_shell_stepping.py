"""One record at a time: what fails is set aside, leaves no trace, and its neighbours go on."""
# ruff: noqa: D102 - the fakes have the methods of what they stand for

import math
from typing import Any

import pytest
from aiokafka.structs import TopicPartition

from ops.prove import counter
from schemas import wire
from schemas.delivery import Quarantined
from schemas.errors import Code, Rejected
from streams.batches import Batches
from streams.contract import Outcome, Output, Processor, Record
from streams.observer import Unobserved
from streams.shell_settings import ShellSettings
from streams.stepping import Part, Stepper
from tests.streams.shell_fake import Batch, consumed


class Told(Unobserved):
    """Keeps the codes of what was set aside."""

    def __init__(self):
        self.codes = []

    def set_aside(self, record, code):
        self.codes.append(code)


class Bench:
    """A stepper with one partition and a clock that stands still unless it is moved."""

    def __init__(self, processor, **settings):
        self.now = 1000.0
        self.told = Told()
        self.stepper = Stepper(
            processor, ShellSettings(bootstrap_servers="", **settings), self.told, clock=lambda: self.now
        )
        self.part = Part(TopicPartition(processor.input, 0), 0)
        self.topics = {topic: (topic, 1, 100_000) for topic in self.stepper.topics}

    def unit(self, *values, room=1000):
        """Offer values as records; step one unit. Returns it and the outputs' values by topic."""
        start = self.part.buffer[-1].offset + 1 if self.part.buffer else getattr(self, "end", 0)
        for at, value in enumerate(values):
            self.part.buffer.append(consumed("in", 0, start + at, 5, b"k", value, ()))
        self.end = start + len(values)
        batches = Batches(Batch, self.topics, 0)
        unit = self.stepper.unit(self.part, room, batches, math.inf)
        written = {}
        for (topic, _), builders in batches.ready().items():
            written[topic] = [record[2] for one in builders for record in one.records]
        return unit, written


def processor(step, **changes):
    """A processor of one output around a step."""
    told = {"encode": lambda value: str(value).encode(), "decode": bytes.decode, **changes}
    return Processor(name="p", input="in", outputs=("out",), step=step, **told)


def echo(state, record):
    """Writes the value, counts in the state; does what the value says."""
    if record.value == b"reject":
        raise Rejected(Code.NOT_UNDERSTOOD, "no", "/x")
    if record.value == b"raise":
        raise ValueError("text of the input")
    value: Any
    topic = "other" if record.value == b"undeclared" else "out"
    value = "text" if record.value == b"wrong type" else b"x" * 5_000_000 if record.value == b"huge" else record.value
    puts = {"n": (state.get("n") or 0) + 1}
    if record.value == b"huge state":
        puts["big"] = "x" * 5_000_000
    if record.value == b"nul":
        puts["\0n"] = 1
    return Outcome((Output(topic, b"k", value),), puts)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"reject", Code.NOT_UNDERSTOOD),
        (b"raise", Code.STEP_BUG),
        (b"undeclared", Code.STEP_BUG),
        (b"wrong type", Code.STEP_BUG),
        (b"nul", Code.STEP_BUG),
        (b"huge", Code.OUTPUT_TOO_LARGE),
        (b"huge state", Code.OUTPUT_TOO_LARGE),
    ],
)
def test_one_bad_record_is_quarantined_and_its_neighbours_go_on(bad, code):
    """Output and state are those of the neighbours alone; the bad one stands in quarantine with its code."""
    bench = Bench(processor(echo))
    unit, written = bench.unit(b"one", bad, b"two")
    assert written["out"] == [b"one", b"two"]
    [aside] = written["quarantine"]
    payload = wire.parse(Quarantined, aside)
    assert (payload.code, payload.stage, payload.offset) == (code, "p", 1)
    assert "text of the input" not in payload.detail
    assert (bench.told.codes, bench.part.state.get("n"), unit.last) == ([code], 2, 2)


def test_a_record_too_large_for_quarantine_is_set_aside_without_its_bytes():
    """The quarantine record always fits: better without the bytes than not at all."""
    bench = Bench(processor(echo), output_bytes={"quarantine": 3000})
    bench.part.buffer.append(consumed("in", 0, 0, 5, b"k", b"x" * 4000, ()))
    bench.stepper._step = lambda *_: (_ for _ in ()).throw(Rejected(Code.NOT_UNDERSTOOD, "no"))
    _, written = bench.unit()
    payload = wire.parse(Quarantined, written["quarantine"][0])
    assert (payload.record, payload.code) == (None, Code.NOT_UNDERSTOOD)


def _set_aside(*records, **settings):
    """The quarantine's payloads of records that a step rejects."""
    bench = Bench(processor(lambda *_: (_ for _ in ()).throw(Rejected(Code.NOT_UNDERSTOOD, "no"))), **settings)
    bench.part.buffer.extend(records)
    unit, written = bench.unit()
    assert unit.last == records[-1].offset
    return [wire.parse(Quarantined, value) for value in written["quarantine"]]


def test_a_record_with_a_huge_header_is_set_aside_without_its_headers_and_key():
    """The headers travel on in the quarantine record; too large, they give way and the bytes stay."""
    header = ("ce_documentid", b"x" * 5_000_000)
    [payload] = _set_aside(consumed("in", 0, 3, 5, b"k", b"value", (header,)))
    assert (payload.record, payload.document_id, payload.offset) == (b"value", None, 3)


def test_records_of_which_nothing_fits_are_set_aside_by_their_places():
    """Header and bytes are both too large: what stands where is told, and each is an item of its own."""
    header = ("ce_documentid", b"x" * 4000)
    records = [consumed("in", 0, at, 5, b"k", b"v" * 4000, (header,)) for at in (3, 4)]
    payloads = _set_aside(*records, output_bytes={"quarantine": 3000})
    assert [(one.record, one.offset) for one in payloads] == [(None, 3), (None, 4)]
    assert len({one.item_id for one in payloads}) == 2


@pytest.mark.parametrize("stamp", [-(2**63), 2**63 - 1])
def test_any_timestamp_can_be_set_aside(stamp):
    """Kafka takes 64 bits from its senders; a year that no calendar has stops nothing."""
    [payload] = _set_aside(consumed("in", 0, 3, stamp, b"k", b"v", ()))
    assert payload.set_aside_at.year in {1970, 9999}


def test_a_bug_of_the_quarantine_builder_is_met_with_less_of_the_record():
    """Whatever of the record it stumbles over is left out; a builder that never works is an error outside a step."""

    def picky(record, error):
        if record.headers or never:
            raise ValueError("text of the input")
        return Output("out", b"k", b"aside")

    bench = Bench(processor(echo, set_aside=picky))
    never = False
    bench.part.buffer.append(consumed("in", 0, 0, 5, b"k", b"reject", (("h", b"1"),)))
    assert bench.unit()[1]["out"] == [b"aside"]
    never = True
    with pytest.raises(ValueError, match="not even its place"):
        bench.unit(b"reject")


def test_the_same_record_gives_the_same_quarantine_item():
    """A repeat after a crash is the same item, so it is counted once; another record is another item."""
    items = []
    for value in (b"reject", b"reject", b"raise"):
        _, written = Bench(processor(echo)).unit(value)
        items.append(wire.parse(Quarantined, written["quarantine"][0]).item_id)
    assert items[0] == items[1] != items[2]


def test_quarantine_carries_the_ids_of_the_record():
    """What names the document, report and thread travels on, in the payload and the headers."""
    from streams.quarantine import quarantined

    headers = (("ce_id", b"e1"), ("ce_documentid", b"d1"), ("ce_reportid", b"r1"), ("ce_mode", b"real"))
    record = Record("in", 3, 7, b"k", b"v", headers, 1_700_000_000_000)
    output = quarantined("normalise")(record, Rejected(Code.FIELD_MISSING, "no", "/a"))
    payload: Any = wire.payload(output.headers, output.value)
    assert (payload.document_id, payload.report_id, payload.at, output.key) == ("d1", "r1", "/a", b"d1")
    assert payload.record == b"v"
    assert dict(output.headers)["ce_mode"] == b"real"


def test_more_than_five_bugs_a_minute_stop_the_partition():
    """Five are set aside; at the sixth nothing more is stepped. A minute later five more are."""
    bench = Bench(processor(echo))
    unit, written = bench.unit(*[b"raise"] * 8)
    assert (len(written["quarantine"]), unit.last, bench.stepper.tripped) == (5, 4, 0)
    bench.stepper.tripped = None
    bench.now += 61
    unit, _ = bench.unit()
    assert (unit.last, bench.stepper.tripped) == (7, None)


def test_rejections_trip_nothing():
    """Bad input is no bug: any number of rejected records is set aside."""
    bench = Bench(processor(echo))
    _, written = bench.unit(*[b"reject"] * 50)
    assert (len(written["quarantine"]), bench.stepper.tripped) == (50, None)


def test_a_unit_ends_before_its_changelog_batch_is_too_large():
    """A record whose changes do not fit is left for the next unit, and has left no trace in this one."""

    def step(state, record):
        return Outcome((Output("out", b"k", record.value),), {record.value.decode(): "x" * 400})

    bench = Bench(processor(step), unit_bytes=1000)
    unit, written = bench.unit(b"a", b"b", b"c", b"d")
    assert (unit.last, sorted(unit.changes), written["out"]) == (1, ["a", "b"], [b"a", b"b"])
    assert bench.part.state.get("c") is None
    unit, written = bench.unit()
    assert (unit.last, written["out"]) == (3, [b"c", b"d"])


def test_a_value_that_is_replaced_takes_no_room():
    """A hot key is written once per unit, however often it changes: only its last value counts."""

    def step(state, record):
        return Outcome((), {"hot": "x" * 400})

    unit, _ = Bench(processor(step), unit_bytes=1000).unit(*[b"r"] * 100)
    assert (unit.records, len(unit.changes)) == (100, 1)


def test_applied_records_are_skipped_but_count_as_done():
    """What the state already contains is not stepped again; the unit ends behind it all the same."""
    bench = Bench(processor(echo))
    bench.part.applied = 1
    unit, written = bench.unit(b"a", b"b", b"c")
    assert (written["out"], unit.last, bench.part.state.get("n")) == ([b"c"], 2, 1)


def test_deletes_win_over_puts_of_the_same_outcome():
    """Deletes are applied after puts."""
    bench = Bench(processor(lambda *_: Outcome((), {"a": 1, "b": 1}, ("a",))))
    unit, _ = bench.unit(b"x")
    assert (bench.part.state.get("a"), bench.part.state.get("b"), unit.changes["a"][1]) == (None, 1, None)


def test_the_sample_of_the_replay_proof_contains_what_it_should():
    """The log of the determinism test has deletions, rejections and bugs; else the proof says little."""
    told, records = counter.sample()
    states: dict[int, dict[str, object]] = {}
    seen = {"rejected": 0, "raised": 0, "deleted": 0}
    for record in records:
        memory = states.setdefault(record.partition, {})
        try:
            outcome = told.step(type("S", (), {"get": lambda _, key, m=memory: m.get(key)})(), record)
        except Rejected:
            seen["rejected"] += 1
            continue
        except RuntimeError:
            seen["raised"] += 1
            continue
        memory.update(outcome.puts)
        for key in outcome.deletes:
            memory.pop(key)
            seen["deleted"] += 1
    assert all(seen.values()), seen

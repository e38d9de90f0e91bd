"""The verdict: the same step over the input topic says what must stand on the outputs and in the state."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

from ops.prove import counter
from schemas.errors import Rejected
from streams.batches import size_of
from streams.changelog import MARKER_KEY, Fold
from streams.contract import Outcome, Record
from streams.shell_settings import BATCH_OVERHEAD

AFTER_MS: Final = 5000
"""A silence counts as an event's stall when it touches the time from the event to so long after it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run came to. `stall_seconds`: longest silence of any input partition's outputs around each event."""

    attack: str
    seed: int
    off: str
    inputs: int
    outputs: int
    lost: int
    wrong: int
    repeats: int
    differing: int
    unordered: int
    rejected: int
    aside: int
    state_ok: bool
    naive_state_ok: bool
    stale_batches: int
    committed: bool
    drain_seconds: float
    events: int
    exits: dict[str, int]
    stall_median_seconds: float
    stall_max_seconds: float
    keys: int = 0
    """Keys that the state holds in the end, by the simulation."""
    deletions: int = 0
    """State deletions that the simulation made."""
    compacted: int = 0
    """Changelog records that compaction took away."""
    missed: int = 0
    """Strikes that did not come about."""
    not_taken_over: int = 0
    """Partitions that stood still for as long as a worker did, counted for each time that one did."""
    note: str = ""

    @property
    def passed(self) -> bool:
        """Nothing lost, nothing wrong, repeats identical, everything set aside that had to be, state as simulated.

        And the attack took place: every strike was made, and a frozen worker's partitions went on elsewhere.
        """
        exact = not (self.lost or self.wrong or self.differing or self.unordered or self.missed or self.not_taken_over)
        return exact and self.aside == self.rejected and self.state_ok and self.naive_state_ok and self.committed

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"passed": self.passed, **asdict(self)}


class _Memory:
    """A state for the simulation."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def get(self, key: str, /) -> Any:
        return self.values.get(key)

    def apply(self, outcome: Outcome) -> None:
        self.values.update(outcome.puts)
        for key in outcome.deletes:
            self.values.pop(key, None)


@dataclass(slots=True)
class Simulation:
    """What must be: outputs by input id, the input partition of each, state bytes by partition and key."""

    outputs: dict[bytes, tuple[Any, ...]]
    partition: dict[bytes, int]
    aside: set[bytes]
    state: dict[tuple[int, bytes], bytes]
    deletions: int = 0


def simulate(inputs: Sequence[Any], deleted_at: int, limit: int) -> Simulation:
    """Step every input record in order. `limit`: `max.message.bytes` of the outputs, past which inputs go aside."""
    states: dict[int, _Memory] = defaultdict(_Memory)
    result = Simulation({}, {}, set(), {})
    for one in sorted(inputs, key=lambda record: (record.partition, record.offset)):
        record = Record(counter.INPUT, one.partition, one.offset, one.key, one.value, one.headers, one.timestamp)
        try:
            outcome = counter.step(states[one.partition], record, deleted_at)
        except (Rejected, RuntimeError):
            result.aside.add(b"%d/%d" % (one.partition, one.offset))
            continue
        output = outcome.outputs[0]
        if size_of(output) > limit - BATCH_OVERHEAD:
            result.aside.add(b"%d/%d" % (one.partition, one.offset))
            continue
        states[one.partition].apply(outcome)
        result.deletions += len(outcome.deletes)
        ident = ident_of(output.value or b"")
        result.outputs[ident] = (output.topic, output.key, output.value, output.headers)
        result.partition[ident] = one.partition
    for number, memory in states.items():
        result.state.update({(number, key.encode()): counter.encode(value) for key, value in memory.values.items()})
    return result


def ident_of(value: bytes) -> bytes:
    """The input's id, with which an output's value begins."""
    return value.partition(b"|")[0]


@dataclass(frozen=True, slots=True)
class Compared:
    """Outputs and state against the simulation."""

    figures: dict[str, Any]
    times: dict[int, list[int]]


def compare(
    simulation: Simulation,
    outputs: Sequence[Any],
    aside: Sequence[Any],
    changelog: Sequence[Any],
    logical: Callable[[str], str],
    *,
    marked: bool = True,
) -> Compared:
    """Hold what stands on the topics against what must stand there. `marked`: the changelog has markers."""
    got: dict[bytes, set[tuple[Any, ...]]] = defaultdict(set)
    times: dict[int, list[int]] = defaultdict(list)
    for one in outputs:
        ident = ident_of(one.value or b"")
        got[ident].add((logical(one.topic), one.key, one.value, tuple(one.headers)))
        times[simulation.partition.get(ident, -1)].append(one.timestamp)
    naive, folded, stale = _states(changelog, marked=marked)
    figures = {
        "outputs": len(outputs),
        "lost": len(simulation.outputs.keys() - got.keys()),
        "wrong": sum(seen != {simulation.outputs.get(ident)} for ident, seen in got.items()),
        "repeats": len(outputs) - len(got),
        "differing": sum(len(seen) > 1 for seen in got.values()),
        "unordered": _unordered(outputs, simulation),
        "rejected": len(simulation.aside),
        "aside": len({(one.value or b"").split(b" ")[0] for one in aside} & simulation.aside)
        + len({(one.value or b"").split(b" ")[0] for one in aside} - simulation.aside),
        "state_ok": folded == simulation.state,
        "naive_state_ok": naive == simulation.state,
        "stale_batches": stale,
        "keys": len(simulation.state),
        "deletions": simulation.deletions,
        "compacted": _compacted(changelog),
    }
    return Compared(figures, times)


def _states(changelog: Sequence[Any], *, marked: bool) -> tuple[dict[Any, bytes], dict[Any, bytes], int]:
    """The state as compaction would leave it, the state by the fold rule, and the stale batches met."""
    naive: dict[tuple[int, bytes], bytes] = {}
    folds: dict[int, Fold] = defaultdict(lambda: Fold(skip_stale=marked))
    for one in sorted(changelog, key=lambda record: (record.partition, record.offset)):
        folds[one.partition].take(one.key, one.value)
        if one.key == MARKER_KEY:
            continue
        if one.value is None:
            naive.pop((one.partition, one.key), None)
        else:
            naive[one.partition, one.key] = one.value
    folded = {(number, key): value for number, fold in folds.items() for key, value in fold.values.items()}
    return naive, folded, sum(fold.stale_batches for fold in folds.values())


def _compacted(changelog: Sequence[Any]) -> int:
    """Offsets up to the last one of each partition at which no record stands any more."""
    last: dict[int, int] = {}
    for one in changelog:
        last[one.partition] = max(one.offset, last.get(one.partition, -1))
    return sum(offset + 1 for offset in last.values()) - len(changelog)


def _unordered(outputs: Sequence[Any], simulation: Simulation) -> int:
    """First appearances that stand on an output partition before an older input of the same input partition."""
    last: dict[tuple[str, int, int], bytes] = {}
    seen: set[bytes] = set()
    wrong = 0
    for one in sorted(outputs, key=lambda record: (record.topic, record.partition, record.offset)):
        ident = ident_of(one.value or b"")
        if ident in seen or ident not in simulation.partition:
            continue
        seen.add(ident)
        place = (one.topic, one.partition, simulation.partition[ident])
        wrong += last.get(place, b"") > ident
        last[place] = ident
    return wrong


def stalls(times: dict[int, list[int]], events: Sequence[float]) -> list[float]:
    """For each event (ms since the epoch) the longest silence, in seconds, of any input partition around it."""
    gaps = []
    for moments in times.values():
        ordered = sorted(moments)
        gaps += [(later - earlier, earlier) for earlier, later in pairwise(ordered)]
    return [
        max((gap for gap, start in gaps if start + gap >= event and start <= event + AFTER_MS), default=0) / 1000
        for event in events
    ]


def silent(times: Mapping[int, Sequence[int]], frozen: Sequence[tuple[float, float]], session_seconds: float) -> int:
    """Partitions without an output between a session time-out after a worker stopped and its waking, over all stops."""
    return sum(
        not any((began + session_seconds) * 1000 <= moment <= ended * 1000 for moment in moments)
        for began, ended in frozen
        for number, moments in times.items()
        if number >= 0
    )

"""What a run wrote down: what partners told, what recipients got, what stands on the topics. No verdict here.

Kept as JSON lines, one object with the name of its type in each, so that a run that failed can be judged again.
Times are wall-clock seconds since the epoch unless a name says `_ms`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

OK: Final = "ok"
FAIL: Final = "fail"
INFO: Final = "info"
"""Outcomes: done; not done and never will be; unknown. A time-out is unknown, never a failure."""
WHATS: Final = frozenset({"new", "duplicate", "update", "cancellation", "repeat-call", "command", "bad"})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request of an operation, from its first byte to its answer or to the end of patience."""

    t0: float
    t1: float
    outcome: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a partner wants to tell, with all its retries.

    `process`, `counter`: who told it, and the how many-th of that one. `identity` names the report: far system, far
    id, revision or digest; duplicates and retries share it. `subject` is the far id. `recipients`: to whom the
    routing tree sends it. `outcome`: the best that is certain, see `outcome_of`. `held`: where the answer said that
    it is held. `report_ids`: what the answer said that it became.
    """

    id: str
    process: str
    counter: int
    run: str
    what: str
    node: str
    source: str
    identity: str
    subject: str
    emergency: bool
    urgent: bool
    recipients: tuple[str, ...]
    outcome: str
    status: int | None
    code: str | None
    held: str | None
    document_id: str | None
    report_ids: tuple[str, ...]
    command_id: str | None
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """One request that a recipient got.

    `status`: what it answered, 0 when it broke the connection off. `applied`: it never had this delivery id before
    and answered 2xx in the end; a recipient tells repeats by the delivery id.
    """

    recipient: str
    at: float
    delivery_id: str
    subject_id: str
    sequence: int
    kind: str
    urgency: str
    report_ids: tuple[str, ...]
    status: int
    applied: bool


@dataclass(frozen=True, slots=True)
class FactRow:
    """A record of `incident.facts`.

    `identity`: the report's, in the words of `Operation.identity`, where the harness read it from the fact. It tells
    to whom a report belongs whose operation never got an answer.
    """

    fact_id: str
    kind: str
    incident_id: str | None
    unit: str
    sequence: int | None
    report_id: str | None
    cause_id: str | None
    partition: int
    offset: int
    at_ms: int
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class AsideRow:
    """An item of the quarantine. `cause_id`: the id of the record that was set aside, for one that route refused."""

    item_id: str
    stage: str
    code: str
    document_id: str | None = None
    report_id: str | None = None
    delivery_id: str | None = None
    cause_id: str | None = None


@dataclass(frozen=True, slots=True)
class Strike:
    """Something was done to the installation. `what`: kill, stop, heal and so on; `until`: when it ended."""

    at: float
    until: float | None
    fault: str
    what: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Figures at one moment, for the timeline; `backlog` is drawn."""

    at: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known of one run.

    `expected_bad`: how many different things were surely sent that must be set aside before delivery; bad documents
    whose outcome is unknown are not among them. `ledger`: the object of `sztab ledger --json`. `drained`: nothing was
    in flight any more when the records were read. `superseded`: ids of deliveries whose receipt says so.
    """

    run: str
    fault: str
    seed: int
    operations: Sequence[Operation]
    effects: Sequence[Effect]
    facts: Sequence[FactRow]
    aside: Sequence[AsideRow]
    ledger: Mapping[str, Any]
    strikes: Sequence[Strike] = ()
    samples: Sequence[Sample] = ()
    expected_bad: int = 0
    drained: bool = True
    superseded: frozenset[str] = field(default_factory=frozenset)


Row = Operation | Effect | FactRow | AsideRow | Strike | Sample
_ROWS: Final[Mapping[str, type[Row]]] = {
    one.__name__: one for one in (Operation, Effect, FactRow, AsideRow, Strike, Sample)
}
_LISTS: Final = ("operations", "effects", "facts", "aside", "strikes", "samples")


def outcome_of(attempts: Sequence[Attempt]) -> str:
    """The best certain outcome: ok if any attempt was; fail if all were refused; else unknown.

    An unknown attempt before a refusal stays unknown: what it sent may still come to light.
    """
    outcomes = {one.outcome for one in attempts}
    if OK in outcomes:
        return OK
    return FAIL if outcomes == {FAIL} else INFO


class Writer:
    """Appends rows to a file, one line each, written whole by one call: a kill costs the last line at most.

    One writer for a file at a time. A torn last line, left by one that was killed, is cut off when the file is opened.
    """

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        end = file.read_bytes().rfind(b"\n") + 1
        if end < os.fstat(self._handle).st_size:
            os.ftruncate(self._handle, end)

    def append(self, *rows: Row) -> None:
        """Write these rows; they outlive this process, not the machine."""
        rest = memoryview(b"".join(map(_line, rows)))
        while rest:
            rest = rest[os.write(self._handle, rest) :]

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read(file: Path) -> Iterator[Row]:
    """The rows of a file, in order; none where there is no file. A torn last line is passed over.

    ValueError for any other line that is no row: evidence with holes proves nothing.
    """
    for value in lines(file):
        yield row(value)


def lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, without a torn last one; ValueError names another damaged line."""
    try:
        parts = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for number, part in enumerate(parts[:-1], 1):
        try:
            yield orjson.loads(part)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{file}, line {number}: not JSON") from error


def save(evidence: Evidence, file: Path) -> None:
    """Write the whole evidence to a new file."""
    head = {one.name: getattr(evidence, one.name) for one in fields(Evidence) if one.name not in _LISTS}
    head["superseded"] = sorted(evidence.superseded)
    with file.open("xb") as handle:
        handle.write(orjson.dumps({"type": "Evidence", **head}) + b"\n")
        for name in _LISTS:
            handle.writelines(map(_line, getattr(evidence, name)))


def load(file: Path) -> Evidence:
    """The evidence that `save` wrote. ValueError when it is damaged, or was not written to its end."""
    if not file.read_bytes().endswith(b"\n"):
        raise ValueError(f"{file}: torn")
    values = lines(file)
    head = next(values, {})
    if head.pop("type", None) != "Evidence":
        raise ValueError(f"{file}: does not begin with the head of an evidence")
    head["superseded"] = frozenset(head["superseded"])
    return Evidence(**head, **gathered(map(row, values)))


def gathered(rows: Iterable[Row]) -> dict[str, Any]:
    """Rows by the name of the evidence's list that holds them."""
    kinds = dict(zip(_ROWS.values(), _LISTS, strict=True))
    found: dict[str, list[Any]] = {name: [] for name in _LISTS}
    for row in rows:
        found[kinds[type(row)]].append(row)
    return found


def _line(row: Row) -> bytes:
    return orjson.dumps({"type": type(row).__name__, **{one: getattr(row, one) for one in row.__slots__}}) + b"\n"


def row(value: dict[str, Any]) -> Row:
    """The row of an object of `lines`. ValueError for a type that is no row's."""
    told = dict(value)
    kind = _ROWS.get(told.pop("type", ""))
    if kind is None:
        raise ValueError(f"a row of an unknown type: {value.get('type')}")
    for name in ("recipients", "report_ids"):
        if name in told:
            told[name] = tuple(told[name])
    if "attempts" in told:
        told["attempts"] = tuple(Attempt(**one) for one in told["attempts"])
    return kind(**told)

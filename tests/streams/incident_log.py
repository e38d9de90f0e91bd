"""A territory for tests: a log that is played through the pure step, and what it said."""

import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.command import Command, Tick
from schemas.incident import Fact, IncidentSummary
from schemas.model import Message
from schemas.place import Obtained, Place, Position
from schemas.report import DocumentRef, Mode, Reference, Report, ReportNormalised, Revision, Telling, Urgency
from schemas.topics import FACTS, INCIDENTS_NOW, LOG
from schemas.wire import record
from streams.categories import built_in
from streams.contract import Outcome, Output, Processor, Record
from streams.incidents import load, processor

UNIT = "kmp-kalisz"
THERE = "kpp-pleszew"
START = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
MOST_STEPS = 500
"""More than any move between two territories takes."""
KALISZ = (51.7611, 18.0910)


@dataclass
class Memory:
    """State as the shell gives it: by key only."""

    values: dict[str, Any] = field(default_factory=dict)

    def get(self, key: str, /) -> Any:
        """The value, None when absent."""
        return self.values.get(key)

    def apply(self, outcome: Outcome) -> None:
        """What the shell does with an outcome: puts, then deletes."""
        self.values.update(outcome.puts)
        for key in outcome.deletes:
            self.values.pop(key, None)


def reference(**settings: Any):
    """The built-in reference, with some settings changed."""
    return load(built_in(), **settings)


class Territory:
    """One partition: records go in, facts come out."""

    def __init__(self, made: Processor | None = None) -> None:
        self.made = made or processor(reference())
        self.memory = Memory()
        self.outputs: list[Output] = []
        self.deleted: list[str] = []
        self.offset = 0
        self.now = START

    def at(self, seconds: float) -> "Territory":
        """The log's append time from here on, seconds after START."""
        self.now = START + timedelta(seconds=seconds)
        return self

    def put(self, payload: Message, **extensions: str) -> list[Any]:
        """Append the payload to the log and step; the facts that this told."""
        value, headers = record(payload, id=str(self.offset), source="/test", extensions=extensions)
        return self.step(value, headers)

    def step(self, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> list[Any]:
        """Step a record as it came; the facts that this told."""
        one = Record(LOG, 0, self.offset, b"", value, tuple(headers), round(self.now.timestamp() * 1000))
        outcome = self.made.step(self.memory, one)
        self.memory.apply(outcome)
        self.offset += 1
        self.outputs += outcome.outputs
        self.deleted += outcome.deletes
        return list(facts(outcome.outputs))

    def tick(self, seconds: float, unit: str | None = None) -> list[Any]:
        """Let time pass to so many seconds after START."""
        self.at(seconds)
        return self.put(Tick(unit=unit, at=self.now))

    def reload(self) -> None:
        """Crash and recover: every value through its changelog bytes."""
        self.memory.values = {key: self.made.decode(self.made.encode(one)) for key, one in self.memory.values.items()}

    def summary(self, incident_id: str) -> IncidentSummary:
        """The incident as `incident.current` has it."""
        found = [one for one in self.outputs if one.topic == INCIDENTS_NOW and one.key == incident_id.encode()]
        return IncidentSummary.model_validate_json(found[-1].value or b"")

    def due(self) -> int | None:
        """The earliest pending deadline."""
        return self.made.due(self.memory) if self.made.due is not None else None

    def homes(self) -> dict[str, str]:
        """Where each report is, by what the facts say."""
        return homes(facts(self.outputs))


class Country:
    """Several territories in one partition, with what one writes into another's log."""

    def __init__(self) -> None:
        self.territory = Territory()

    def put(self, one: Message, **extensions: str) -> list[Any]:
        """Step the record, and then what it wrote to the log, until nothing is left."""
        return self.territory.put(one, **extensions) + self.play(self.written())

    def play(self, waiting: list[Output]) -> list[Any]:
        """Step these records of the log, and then what they wrote to it."""
        facts: list[Any] = []
        stepped = 0
        while waiting:
            stepped += 1
            assert stepped < MOST_STEPS, "the territories write to each other for ever"
            output = waiting.pop(0)
            facts += self.territory.step(output.value, output.headers)
            waiting += self.written()
        return facts

    def written(self) -> list[Output]:
        """What was written to the log since the last time."""
        found = [one for one in self.territory.outputs if one.topic == LOG]
        self.territory.outputs = [one for one in self.territory.outputs if one.topic != LOG]
        return found


def facts(outputs: Iterable[Output]) -> Iterator[Any]:
    """The facts among the outputs. Their type is open: a test reads the fields of the change that it expects."""
    for one in outputs:
        if one.topic == FACTS:
            yield Fact.model_validate_json(one.value or b"")


def homes(told: Iterable[Any]) -> dict[str, str]:
    """Report id to incident id, by the last fact that says so."""
    where: dict[str, str] = {}
    for fact in told:
        if fact.change.kind == "IncidentOpened":
            where[fact.change.report.report.report_id] = fact.incident_id or ""
        elif fact.change.kind == "ReportLinked":
            where[fact.change.report_id] = fact.incident_id or ""
    return where


def kinds(told: Iterable[Any]) -> list[str]:
    """The kinds of the facts, in order."""
    return [fact.change.kind for fact in told]


def identity(text: str) -> str:
    """A readable word as an id."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, text))


def place(east_m: float = 0, north_m: float = 0, uncertainty_m: float = 20, **parts: Any) -> Place:
    """A place so far from the middle of Kalisz."""
    lat = KALISZ[0] + north_m / 111_195
    lon = KALISZ[1] + east_m / 68_800
    position = Position(lat=lat, lon=lon, uncertainty_m=uncertainty_m, obtained=Obtained.MEASURED)
    return Place(position=position, **parts)


def report(
    name: str,
    *,
    seconds: float = 0,
    at: Place | None = None,
    category: str = "traffic.collision",
    text: str | None = None,
    thread: str | None = None,
    order: int = 0,
    system: str = "cpr",
    urgency: Urgency = Urgency.ORDINARY,
    revision: Revision = Revision.NEW,
    references: tuple[tuple[str, str], ...] = (),
    mode: Any = Mode.REAL,
    unit: str = UNIT,
    content: str = "",
    clock: str = "wall",
    received: float | None = None,
    tokens: tuple[str, ...] = (),
    **told: Any,
) -> ReportNormalised:
    """A report as normalise gives it; `name` makes its ids."""
    when = START + timedelta(seconds=seconds)
    where = place() if at is None else at
    telling = Telling(
        revision=revision,
        event_at=when,
        place=where,
        description=text,
        references=tuple(Reference(system=one, id=other) for one, other in references),
        clock=clock,
        **told,
    )
    digest = hashlib.sha256(f"{name}{content}".encode()).hexdigest()
    return ReportNormalised(
        report=Report(
            report_id=identity(name),
            thread_id=identity(f"thread {thread or name}"),
            far_system=system,
            source=system,
            revision_order=order,
            mode=mode,
            received_at=START + timedelta(seconds=seconds if received is None else received),
            document=DocumentRef(document_id=identity(f"document {name}{content}"), sha256=digest, node="n", row=1),
            told=telling,
            tokens=tokens,
        ),
        unit=unit,
        place=where,
        category=category,
        cap_category=built_in().category(category).cap,
        urgency=urgency,
        urgency_rule="test",
        event_at=when,
    )


def command(name: str, verb: Any, incident_id: str, **rest: Any) -> Command:
    """A command; `name` makes its id."""
    rest = {"unit": UNIT, "actor": "officer-1", "asked_at": START, **rest}
    return Command(command_id=identity(f"command {name}"), verb=verb, incident_id=incident_id, **rest)


def canonical(value: bytes, model: type[Message]) -> bool:
    """Whether the bytes are exactly what the model would write."""
    return model.model_validate_json(value).to_json() == value


def incident_of(told: list[Any]) -> str:
    """The incident of the first fact."""
    return told[0].incident_id or ""


def refusal(told: list[Any]) -> Any:
    """The code of the one fact, which must be a refusal."""
    assert kinds(told) == ["CommandRefused"]
    return told[0].change.code

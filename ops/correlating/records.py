"""Files of real calls as the log of one territory: the connector's own translation, and normalise's own step."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.contract import Document, Told
from connectors.file.mapping import Mapping
from connectors.file.rows import Limits, Row, rows
from connectors.file.translate import header_of, translate
from ops.correlating.memory import Memory
from schemas.envelope import attributes
from schemas.errors import Code, Misconfigured, Rejected
from schemas.report import DocumentRef, Report, ReportNormalised, Telling
from schemas.topics import LOG
from schemas.wire import derived_id, record, type_name
from streams.contract import Processor, Record

LIMITS: Final = Limits(row_bytes=1 << 20, unpacked_bytes=8 << 30, ratio=200)
INTAKE: Final = "intake.emergency"
NORMALISED: Final = type_name(ReportNormalised)


@dataclass(frozen=True, slots=True)
class Heard:
    """One call as its territory's log has it. `key`: the far side's id; `at_ms`: when it happened; `file`: which one of
    those that were read.
    """

    file: int
    key: str
    at_ms: int
    told: ReportNormalised
    value: bytes
    headers: tuple[tuple[str, bytes], ...]

    @property
    def where(self) -> str:
        """Its place in words."""
        place = self.told.place
        return ", ".join(part for part in (place.text, place.street, place.locality) if part)


@dataclass(slots=True)
class Read:
    """What came of a file: the calls in order of time, and how many rows could not be understood."""

    heard: list[Heard]
    refused: int = 0


def read(files: list[tuple[Path, Mapping]], normalise: Processor) -> Read:
    """Every call of the files, in order of time; of equal times the far side's id decides.

    Misconfigured for a file that cannot be read, or whose header lacks a column of its mapping.
    """
    found, memory = Read([]), Memory()
    for file, (path, mapping) in enumerate(files):
        for number, told in enumerate(_told(path, mapping, found)):
            one = _normalised(told, mapping, (file, number), normalise, memory)
            if one is not None:
                found.heard.append(one)
    found.heard.sort(key=lambda one: (one.at_ms, one.key))
    return found


def _told(path: Path, mapping: Mapping, found: Read) -> Iterator[Told]:
    delimiter = mapping.delimiter if mapping.format == "csv" else None
    context: dict[str, str] = {}
    try:
        with path.open("rb") as file:
            for number, row in enumerate(rows(file, LIMITS, delimiter)):
                if number == 0 and delimiter is not None:
                    context = {"header": row.body.decode(mapping.encoding)}
                    _check(path, context["header"], mapping)
                    continue
                yield from _events(row, mapping, context, found)
    except (OSError, UnicodeDecodeError) as error:
        detail = f"{path}: cannot be read ({type(error).__name__})"
        raise Misconfigured(Code.CONFIGURATION_INVALID, detail) from None


def _check(path: Path, header: str, mapping: Mapping) -> None:
    if lacking := sorted(mapping.columns - set(header_of(header, mapping.delimiter))):
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"{path}: no column {', '.join(lacking)}", "/incidents")


def _events(row: Row, mapping: Mapping, context: dict[str, str], found: Read) -> Iterator[Told]:
    flawed = {"flaw": row.flaw.value} if row.flaw else {}
    try:
        yield from translate(Document(row.body, "text/csv", context={**context, **flawed}), mapping).events
    except Rejected:
        found.refused += 1


def _normalised(
    told: Told, mapping: Mapping, row: tuple[int, int], normalise: Processor, memory: Memory
) -> Heard | None:
    """The record of the log; None for a row that tells no time, which has no place in an order of time."""
    telling = told.payload
    assert isinstance(telling, Telling), "a file tells reports"
    at = telling.event_at or telling.registered_at
    if at is None:
        return None
    file, number = row
    key = told.far_id or f"{mapping.name}-{number}"
    names = {name: derived_id(name, mapping.name, key) for name in ("report", "thread", "document")}
    report = Report(
        report_id=names["report"],
        thread_id=names["thread"],
        far_system=mapping.name,
        source=mapping.name,
        far_id=key,
        received_at=at,
        document=DocumentRef(document_id=names["document"], sha256=f"{number:064x}", node="evaluation", row=number),
        told=telling,
    )
    value, headers = record(report, id=report.report_id, source=f"/evaluation/{mapping.name}")
    at_ms = round(at.timestamp() * 1000)
    outcome = normalise.step(memory, Record(INTAKE, 0, number, b"", value, headers, at_ms))
    memory.apply(outcome)
    (logged,) = (one for one in outcome.outputs if one.topic == LOG and attributes(one.headers)["type"] == NORMALISED)
    assert logged.value is not None
    return Heard(
        file, key, at_ms, ReportNormalised.model_validate_json(logged.value), logged.value, tuple(logged.headers)
    )

"""The incidents processor: the state machine of territories over `territory.log`.

Everything that can change a territory's incidents comes through this one log: reports, commands, warnings,
observations of neighbours, other versions of reference data, and time. The same log with the same reference gives the
same bytes, after a crash and in a replay. The parts: `incident_reports`, `incident_commands` with
`lifecycle`, `incident_moves` and `incident_handover`, `incident_notices`, `deadlines`, `correlate`, `incident_memory`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from schemas.command import Command, ReferenceActivated, Tick
from schemas.envelope import attributes
from schemas.errors import Code, Rejected
from schemas.notice import NoticeChanged
from schemas.report import RECORDS, WALL, Mode, ReportNormalised
from schemas.summary import IncidentSummary
from schemas.topics import FACTS, INCIDENTS_NOW, LOG, NOTICES_NOW
from schemas.unit import Observation
from schemas.wire import derived_id, parse, record, type_name
from streams import deadlines, incident_commands, incident_handover, incident_memory, incident_notices, incident_reports
from streams.contract import Outcome, Output, Processor, Record, State
from streams.incident_reference import IncidentsReference
from streams.incident_reference import load as load
from streams.incident_state import Territory, decode, encode
from streams.incident_summary import milliseconds
from streams.incident_turn import Turn, moment, written

NAME: Final = "incidents"
UNITS: Final = "units"

Headers = dict[str, str]
Handler = Callable[[IncidentsReference, State, Record, Headers], Outcome]


def processor(reference: IncidentsReference) -> Processor:
    """The incidents processor with what it decides by."""

    def step(state: State, one: Record) -> Outcome:
        return _step(reference, state, one)

    return Processor(
        name=NAME,
        input=LOG,
        outputs=(FACTS, INCIDENTS_NOW, NOTICES_NOW, LOG),
        step=step,
        encode=encode,
        decode=decode,
        due=due,
        tick=tick,
    )


def due(state: State) -> int | None:
    """The earliest pending deadline of the partition's territories with clock `wall`, ms since the epoch.

    A territory with clock `records` gets its time from its records alone.
    """
    territories: list[Territory | None] = [state.get(f"t|{unit}") for unit in state.get(UNITS) or ()]
    pending = [deadlines.next_due(one) for one in territories if one is not None]
    return min((at for at in pending if at is not None), default=None)


def tick(partition: int, now_ms: int) -> Output:
    """The record that lets time pass in every `wall` territory of a partition.

    Its key only names the partition: the ticker writes it there explicitly.
    """
    at = moment(now_ms)
    tick_id = derived_id("tick", partition, now_ms)
    value, headers = record(Tick(at=at), id=tick_id, source="/sztab/ticker", time=written(at))
    return Output(LOG, f"tick-{partition}".encode(), value, headers)


def _step(reference: IncidentsReference, state: State, one: Record) -> Outcome:
    headers = attributes(one.headers)
    handler = _HANDLERS.get(headers.get("type", ""))
    if handler is None:
        raise Rejected(Code.RECORD_INVALID, "a record of unknown type", "/type")
    return handler(reference, state, one, headers)


def _turn(
    reference: IncidentsReference,
    state: State,
    one: Record,
    headers: Headers,
    unit: str,
    *,
    clock: str = WALL,
    told: datetime | None = None,
) -> Turn:
    """The turn of one territory, with time passed and everything done that became due by it.

    Time: clock `wall` goes by append times, clock `records` by the times that records tell (`told`). A copy of the
    log carries the first append time in the header `firstappended`. A territory's clock is configured, else the one
    of its first report.
    """
    key = f"t|{unit}"
    appended = _appended(one, headers)
    known: Territory | None = state.get(key)
    territory = known or Territory(reference.clocks.get(unit, clock))
    append_ms = max(territory.append_ms, appended)
    now_ms = append_ms
    if territory.clock == RECORDS:
        now_ms = max(territory.now_ms, milliseconds(told)) if told is not None else territory.now_ms
    turn = Turn(state, unit, territory, reference, now_ms, append_ms)
    units = state.get(UNITS) or ()
    if territory.clock == WALL and unit not in units:
        turn.put(UNITS, (*units, unit))
    deadlines.pass_due(turn)
    return turn


def _finished(turn: Turn) -> Outcome:
    incident_memory.forget(turn)
    return turn.outcome()


def _appended(one: Record, headers: Headers) -> int:
    first = headers.get("firstappended")
    if first is None:
        return one.timestamp_ms
    try:
        return int(first)
    except ValueError:
        raise Rejected(Code.RECORD_INVALID, "the first append time is no number", "/firstappended") from None


def _trace(headers: Headers) -> Mapping[str, str]:
    trace = headers.get("traceparent")
    return {"traceparent": trace} if trace else {}


def _mode(headers: Headers) -> Mode:
    """The mode that a record tells in its headers alone; real where it tells none."""
    try:
        return Mode(headers.get("mode", Mode.REAL))
    except ValueError:
        raise Rejected(Code.RECORD_INVALID, "no mode of ours", "/mode") from None


def _carried(headers: Headers) -> Mapping[str, str]:
    """What leads from a fact back to the document that asked for it, for trace and ledger; a report names its own."""
    return {name: headers[name] for name in ("traceparent", "documentid") if name in headers}


def _on_report(reference: IncidentsReference, state: State, one: Record, headers: Headers) -> Outcome:
    told = parse(ReportNormalised, one.value)
    turn = _turn(reference, state, one, headers, told.unit, clock=told.report.told.clock, told=told.event_at)
    forwarded = headers.get("kind") == incident_handover.FORWARDED
    incident_reports.received(turn, told, one.value or b"", _trace(headers), forwarded=forwarded)
    return _finished(turn)


def _on_command(reference: IncidentsReference, state: State, one: Record, headers: Headers) -> Outcome:
    command = parse(Command, one.value)
    turn = _turn(reference, state, one, headers, command.unit)
    incident_commands.asked(turn, command, _carried(headers))
    return _finished(turn)


def _on_notice(reference: IncidentsReference, state: State, one: Record, headers: Headers) -> Outcome:
    change = parse(NoticeChanged, one.value)
    turn = _turn(reference, state, one, headers, change.unit)
    incident_notices.changed(turn, change, _carried(headers))
    return _finished(turn)


def _on_observation(reference: IncidentsReference, state: State, one: Record, headers: Headers) -> Outcome:
    observation = parse(Observation, one.value)
    turn = _turn(reference, state, one, headers, observation.to_unit)
    incident_notices.observed(turn, observation, _trace(headers), _mode(headers))
    return _finished(turn)


def _on_incident(reference: IncidentsReference, state: State, one: Record, headers: Headers) -> Outcome:
    summary = parse(IncidentSummary, one.value)
    unit = headers.get("unit", "")
    if not unit:
        raise Rejected(Code.RECORD_INVALID, "an incident on its way names no unit", "/unit")
    turn = _turn(reference, state, one, headers, unit)
    incident_handover.arrived(turn, summary, headers)
    return _finished(turn)


def _on_reference(_reference: IncidentsReference, _state: State, one: Record, _headers: Headers) -> Outcome:
    """Another version of reference data holds from here on: noted, because a replay must find it at the same place."""
    change = parse(ReferenceActivated, one.value)
    return Outcome(puts={f"ref|{change.kind}": (change.version, change.digest)})


def _on_tick(reference: IncidentsReference, state: State, one: Record, headers: Headers) -> Outcome:
    """Time passes: in one territory with clock `records`, or in all of the partition with clock `wall`."""
    passed = parse(Tick, one.value)
    units = (passed.unit,) if passed.unit is not None else tuple(state.get(UNITS) or ())
    outputs: list[Output] = []
    puts: dict[str, object] = {}
    deletes: list[str] = []
    for unit in units:
        if state.get(f"t|{unit}") is None:
            continue
        outcome = _finished(_turn(reference, state, one, headers, unit, told=passed.at))
        outputs += outcome.outputs
        puts |= outcome.puts
        deletes += outcome.deletes
    return Outcome(outputs, puts, deletes)


_HANDLERS: Final[Mapping[str, Handler]] = {
    type_name(ReportNormalised): _on_report,
    type_name(Command): _on_command,
    type_name(NoticeChanged): _on_notice,
    type_name(Observation): _on_observation,
    type_name(IncidentSummary): _on_incident,
    type_name(ReferenceActivated): _on_reference,
    type_name(Tick): _on_tick,
}

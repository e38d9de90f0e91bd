"""One turn of a territory: what a step reads, changes and tells, collected before anything of it becomes true.

Facts are put together from parts: a report's JSON goes into its fact as the bytes that came, and a summary is
written once for its fact and for `incident.current`. A test holds the result equal to the models' own bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from schemas.envelope import JSON, Headers
from schemas.incident import Fact, ReportLinked, ReportUnlinked
from schemas.model import Message
from schemas.summary import IncidentSummary
from schemas.topics import FACTS, INCIDENTS_NOW
from schemas.wire import SCHEMA_VERSION, derived_id, type_name
from streams.contract import Outcome, Output, State
from streams.incident_reference import IncidentsReference
from streams.incident_state import Incident, Territory

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FACT, _SUMMARY = type_name(Fact), type_name(IncidentSummary)
_JSON, _SCHEMA = JSON.encode(), str(SCHEMA_VERSION).encode()


def moment(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware time."""
    return _EPOCH + timedelta(milliseconds=ms)


def written(at: datetime) -> str:
    """The time as our messages write it (RFC 3339, UTC)."""
    return at.isoformat().replace("+00:00", "Z")


@dataclass
class Cause:
    """Why facts are told: the id that they name, what else tells them apart, and what their headers carry."""

    id: str
    apart: tuple[str, ...] = ()
    actor: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    told: int = 0


class Turn:
    """The state as this step sees it, with its own changes on top. Lives for one step and one territory."""

    def __init__(
        self,
        state: State,
        unit: str,
        territory: Territory,
        reference: IncidentsReference,
        now_ms: int,
        append_ms: int,
    ) -> None:
        """`territory` as it was before; `now_ms` and `append_ms` as they are now."""
        self._state = state
        self._puts: dict[str, object] = {}
        self._deletes: dict[str, None] = {}
        self._outputs: list[Output] = []
        self._current: dict[str, tuple[IncidentSummary, bytes, str | None]] = {}
        self._cause = Cause("")
        self.unit = unit
        self.reference = reference
        self.clock = territory.clock
        self.now_ms, self.append_ms = now_ms, append_ms
        self.queues = {one.duration_ms: one for one in territory.queues}
        self.forget_first, self.forget_end = territory.forget_first, territory.forget_end
        self.now = moment(now_ms)
        self._time = written(self.now)
        self._time_text = self._time.encode()
        self._source = f"/sztab/incidents/{unit}".encode()

    def get(self, key: str) -> Any:
        """The value under a key of this state, None when absent."""
        if key in self._puts:
            return self._puts[key]
        return None if key in self._deletes else self._state.get(key)

    def put(self, key: str, value: object) -> None:
        """Change a value. It must never be changed afterwards."""
        self._puts[key] = value
        self._deletes.pop(key, None)

    def drop(self, key: str) -> None:
        """Forget a value."""
        self._puts.pop(key, None)
        self._deletes[key] = None

    def incident(self, incident_id: str) -> Incident | None:
        """The incident as it stands in this turn."""
        found: Incident | None = self.get(f"i|{self.unit}|{incident_id}")
        return found

    def save(self, incident: Incident) -> Incident:
        """Keep the incident as it is now."""
        self.put(f"i|{self.unit}|{incident.summary.incident_id}", incident)
        return incident

    def because(self, cause: Cause) -> None:
        """What is told from here on has this cause."""
        self._cause = cause

    def tell(self, change: Message, incident: Incident, body: bytes | None = None, **changes: Any) -> Incident:
        """Tell a fact that changes the incident, keep it with the next sequence, and give it back.

        `body` is the change's JSON where it was put together from parts; `changes` go into the summary.
        """
        before = incident.summary
        summary = before.model_copy(update={**changes, "sequence": before.sequence + 1, "updated_at": self.now})
        after = replace(incident, summary=summary, touched_ms=self.append_ms)
        text = summary.to_json()
        self._write(change, body or change.to_json(), summary.incident_id, summary.mode.value, text)
        self._current[summary.incident_id] = summary, text, self._cause.headers.get("traceparent")
        return self.save(after)

    def note(self, change: Message, incident: Incident | None, body: bytes | None = None) -> None:
        """Tell a fact that changes no incident: a refusal, a notice, a report held late."""
        if incident is None:
            self._write(change, body or change.to_json(), None, None, None)
            return
        summary = incident.summary
        self._write(change, body or change.to_json(), summary.incident_id, summary.mode.value, summary.to_json())

    def also(self, change: Message, incident_id: str | None, mode: str) -> None:
        """Tell a fact without a summary: a repeat, or one of many of which another carries it."""
        self._write(change, change.to_json(), incident_id, mode, None)

    def emit(self, output: Output) -> None:
        """Write a record beside facts: to another log, or to `notice.current`."""
        self._outputs.append(output)

    def facts(self) -> tuple[Output, ...]:
        """The facts told so far."""
        return tuple(one for one in self._outputs if one.topic == FACTS)

    def outcome(self) -> Outcome:
        """Everything of this turn; each touched incident once in `incident.current`, after the facts."""
        queues = tuple(self.queues[duration] for duration in sorted(self.queues))
        after = Territory(self.clock, self.now_ms, self.append_ms, queues, self.forget_first, self.forget_end)
        self.put(f"t|{self.unit}", after)
        return Outcome((*self._outputs, *self._currents()), self._puts, tuple(self._deletes))

    def headers(self, kind: str, id: str, *, subject: str, extensions: Mapping[str, str]) -> Headers:
        """Headers of a record of ours of the CloudEvents type `kind`, at the step's time.

        The same as `schemas.envelope.Envelope` gives (a test holds them equal), without building one for each output.
        """
        carried = {"unit": self.unit, **extensions}
        return (
            ("ce_specversion", b"1.0"),
            ("ce_id", id.encode()),
            ("ce_type", kind.encode()),
            ("ce_source", self._source),
            ("content-type", _JSON),
            ("ce_time", self._time_text),
            ("ce_subject", subject.encode()),
            ("ce_schemaversion", _SCHEMA),
            *[(f"ce_{name}", value.encode()) for name, value in carried.items()],
        )

    def cause_headers(self) -> Mapping[str, str]:
        """What the headers of this cause's records carry: trace, mode, ids of the report."""
        return self._cause.headers

    def _write(
        self, change: Message, body: bytes, incident_id: str | None, mode: str | None, summary: bytes | None
    ) -> None:
        cause = self._cause
        fact_id = derived_id("fact", self.unit, cause.id, *cause.apart, cause.told)
        cause.told += 1
        head = {"fact_id": fact_id, "caused_by": cause.id, "unit": self.unit, "at": self._time}
        kind: str = change.kind  # type: ignore[attr-defined]
        extensions = {"factid": fact_id, "causeid": cause.id, "kind": kind, **cause.headers}
        if "reportid" not in extensions and isinstance(change, ReportLinked | ReportUnlinked):
            # A person moved it, so the cause is a command; a trace of the report must show it all the same.
            extensions["reportid"] = change.report_id
        if mode is not None:
            extensions["mode"] = mode
        if incident_id is not None:
            head["incident_id"] = extensions["incidentid"] = incident_id
        if cause.actor is not None:
            head["actor"] = cause.actor
        parts = [orjson.dumps(head)[:-1], b',"change":', body]
        parts += [b',"summary":', summary, b"}"] if summary is not None else [b"}"]
        headers = self.headers(_FACT, fact_id, subject=incident_id or self.unit, extensions=extensions)
        self._outputs.append(Output(FACTS, self.unit.encode(), b"".join(parts), headers))

    def _currents(self) -> Iterator[Output]:
        for incident_id, (summary, text, trace) in self._current.items():
            extensions = {"incidentid": incident_id, "mode": summary.mode.value}
            if trace:
                extensions["traceparent"] = trace
            event_id = f"{incident_id}.{summary.sequence}"
            headers = self.headers(_SUMMARY, event_id, subject=incident_id, extensions=extensions)
            yield Output(INCIDENTS_NOW, incident_id.encode(), text, headers)

"""Plays calls through the real step of the incidents processor, in order of time, and notes what it decided."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from ops.correlating.memory import Memory
from ops.correlating.records import Heard
from schemas.summary import Explanation
from schemas.topics import FACTS, LOG
from streams.contract import Processor, Record

LINKED: Final = "linked"
SUGGESTED: Final = "suggested"
ALONE: Final = "alone"
REFERENCE: Final = "reference"
"""What became of a call: joined by weight, an incident of its own with a suggestion or without, joined by an id."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the machine made of one call, knowing only what came before.

    `target`: the incident that it fits best, with the keys of its calls at that time; empty without one. `bits`: the
    weight of that match. `explanation`: its parts.
    """

    key: str
    at_ms: int
    what: str
    incident_id: str
    target: str = ""
    members: tuple[str, ...] = ()
    bits: float = float("-inf")
    explanation: Explanation | None = None


@dataclass(slots=True)
class Played:
    """Everything that was decided; seconds and incidents looked at, call by call."""

    decisions: list[Decision] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    looked_at: list[int] = field(default_factory=list)
    members: dict[str, list[str]] = field(default_factory=dict)
    """Incident -> keys of its calls, at the end."""


def play(heard: Iterable[Heard], incidents: Processor) -> Played:
    """Play the calls. The same calls and weights give the same decisions."""
    played, memory = Played(), Memory()
    for offset, one in enumerate(heard):
        record = Record(LOG, 0, offset, b"", one.value, one.headers, one.at_ms)
        memory.incidents, began = 0, time.perf_counter()
        outcome = incidents.step(memory, record)
        played.seconds.append(time.perf_counter() - began)
        played.looked_at.append(memory.incidents)
        memory.apply(outcome)
        decision = _decided(one, outcome.outputs, played.members)
        if decision is not None:
            played.decisions.append(decision)
            played.members.setdefault(decision.incident_id, []).append(one.key)
    return played


def _decided(one: Heard, outputs: Iterable[Any], members: dict[str, list[str]]) -> Decision | None:
    """What the facts say of the call; None for one that was there before."""
    found: Decision | None = None
    for incident_id, change in _changes(outputs):
        if change["kind"] == "IncidentOpened" and _is(change, one):
            found = Decision(one.key, one.at_ms, ALONE, incident_id)
        elif change["kind"] == "ReportLinked" and change["report_id"] == one.told.report.report_id:
            why = Explanation.model_validate(change["explanation"])
            what, bits = (LINKED, why.weight_bits or 0.0) if why.rule == "weights" else (REFERENCE, float("inf"))
            before = tuple(members.get(incident_id, ()))
            found = Decision(one.key, one.at_ms, what, incident_id, incident_id, before, bits, why)
        elif change["kind"] == "LinkSuggested" and found is not None and found.what == ALONE:
            suggestion = change["suggestion"]
            why, target = Explanation.model_validate(suggestion["explanation"]), suggestion["target_id"]
            its = tuple(members.get(target, ()))
            found = Decision(one.key, one.at_ms, SUGGESTED, incident_id, target, its, why.weight_bits or 0.0, why)
    return found


def _changes(outputs: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for output in outputs:
        if output.topic == FACTS:
            fact = orjson.loads(output.value)
            yield fact.get("incident_id") or "", fact["change"]


def _is(change: dict[str, Any], one: Heard) -> bool:
    return bool(change["report"]["report"]["report_id"] == one.told.report.report_id)

"""What the incidents processor remembers, under which keys, and how it travels in the changelog.

Keys (all but the first two under their territory, because one partition may hold several):

    units                        territories of this partition whose clock is `wall`
    ref|<kind>                   the version of reference data that was activated last
    t|<unit>                     Territory: its time, its queues
    q|<unit>|<duration>|<n>      one entry of a queue of deadlines (`streams/deadlines.py`)
    k|<unit>|<n>                 one entry of the queue of what will be forgotten (`streams/incident_memory.py`)
    i|<unit>|<incident>          Incident
    p|<unit>|<incident>|<n>      the id of its n-th report
    r|<unit>|<report>            KnownReport: where a report is and what it said
    h|<unit>|<mode>|<thread>     which incident a thread belongs to, its highest revision
    x|<unit>|<mode>|<system>|<id>  which incident another system's id or a token belongs to
    c|<unit>|<mode>|<x>|<y>      Candidates in a cell of the grid
    cmd|<unit>|<command>         the facts that answered a command
    d|<unit>|<command>           digest of the command that has this id
    o|<unit>|<incident>          who offered the incident to this unit
    n|<unit>|<notice>            digest and end of a notice
    w|<unit>|<report>            the incident that it was given to by weight, and whether that is doubted
    s|<unit>|<report>|<incident> an observation that was seen; with an incident it is a neighbour's answer
    a|<unit>|<incident>|<incident>  a person kept these two apart
    e|<unit>|<report>            neighbours' answers about a report that has not come yet

A value is an `Incident`, a `Territory`, a `KnownReport`, or a tuple of plain values. None is ever changed.
"""

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Final, NamedTuple

import orjson

from schemas.errors import Code, Misconfigured
from schemas.summary import IncidentSummary

VERSION: Final = 1

Plain = tuple[Any, ...]


class Candidate(NamedTuple):
    """An incident as its cell of the grid lists it: enough to leave out most without looking at them."""

    incident_id: str
    lat: float
    lon: float
    kind: str
    """Category, slash, its points' uncertainty as a power of two (at most 100 m times two to this), plus, how far from
    there its other report lies, in steps of 200 m.
    """
    seen_ms: int
    """Event time of its last report, up to five minutes old."""


class Sighting(NamedTuple):
    """A report as matching sees it. Position None, None when it gave none that can be trusted; `sigma_m` its radius."""

    report_id: str
    lat: float | None
    lon: float | None
    sigma_m: float
    at_ms: int
    category: str
    system: str
    text: str
    street: str
    direction: str = ""
    """Direction of travel, evened out; empty when not told."""
    road: str = ""
    """Number of the road, evened out; empty when not told."""


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident with what its own decisions need beside the summary that travels. Times in ms of the territory."""

    summary: IncidentSummary
    sightings: tuple[Sighting, ...]
    """The one that gave its place (at first the one that opened it), and the last one; once if they are the same."""
    shared: tuple[str, ...]
    """Keys of identifiers that a further report may share, at most fifty."""
    thread_id: str
    """The thread that opened it: its newer revisions correct category and urgency."""
    place_thread: str
    """The thread that gave the place."""
    next_report: int
    """Ordinal of the next report (`p|...`)."""
    news_ms: int
    """When the last report or command came."""
    asking_ms: int
    """Since when it waits for an answer; reopening begins anew."""
    handed_ms: int
    """When it was handed over last."""
    window_ms: int
    cell: str
    """Key of the cell where it stands as a candidate; empty: nowhere."""
    listed: Candidate | None
    """How that cell lists it."""
    by_person: bool
    """A person decided its category: reports change it no more."""
    gone_to: str
    """The unit that received it; what still arrives here is forwarded there."""
    touched_ms: int
    """Append time of its last change: what is old enough is forgotten."""


class Queue(NamedTuple):
    """One queue of deadlines with the same duration: since time never goes back, it is in order by itself."""

    duration_ms: int
    first: int
    end: int
    due_ms: int
    """When its first entry is due."""


@dataclass(frozen=True, slots=True)
class Territory:
    """A territory's clock and queues. `now_ms` is the step's time, `append_ms` the largest append time of its log."""

    clock: str
    now_ms: int = 0
    append_ms: int = 0
    queues: tuple[Queue, ...] = ()
    forget_first: int = 0
    forget_end: int = 0


@dataclass(frozen=True, slots=True)
class KnownReport:
    """Where a report is, what tells a repeat from a conflict, and enough to open an incident of its own for it."""

    incident_id: str
    """Empty: held late, in none."""
    ordinal: int
    document_sha256: str
    told_digest: str
    thread_id: str
    gist: str
    """JSON of a `Gist` (`streams/incident_gist.py`), read only when a person moves the report."""


_TERRITORY: Final = attrgetter(*(one.name for one in fields(Territory)))
_REPORT: Final = attrgetter(*(one.name for one in fields(KnownReport)))
_NAMES: Final = tuple(one.name for one in fields(Incident)[1:])
_BESIDE: Final = attrgetter(*_NAMES[1:])
"""An incident's fields after its summary and sightings, in order of declaration."""


def encode(value: object) -> bytes:
    """The changelog bytes of a value: compact JSON with a version and the kind of value."""
    if isinstance(value, Incident):
        rest = orjson.dumps((value.sightings, *_BESIDE(value)), default=tuple)
        return b'{"v":%d,"incident":%b,"rest":%b}' % (VERSION, value.summary.to_json(), rest)
    if isinstance(value, KnownReport):
        return b'{"v":%d,"report":%b}' % (VERSION, orjson.dumps(_REPORT(value)))
    if isinstance(value, Territory):
        return b'{"v":%d,"territory":%b}' % (VERSION, orjson.dumps(_TERRITORY(value), default=tuple))
    return b'{"v":%d,"plain":%b}' % (VERSION, orjson.dumps(value, default=tuple))


def decode(raw: bytes) -> object:
    """The value that was encoded. Misconfigured(`state-foreign`) for a version that this code does not know."""
    held = orjson.loads(raw)
    if held["v"] != VERSION:
        raise Misconfigured(Code.STATE_FOREIGN, "the state of incidents has another version", "/v")
    if "plain" in held:
        return _tuples(held["plain"])
    if "report" in held:
        return KnownReport(*held["report"])
    if "territory" in held:
        clock, now, append, queues, first, end = held["territory"]
        return Territory(clock, now, append, tuple(Queue(*one) for one in queues), first, end)
    beside = dict(zip(_NAMES, held["rest"], strict=True))
    beside["sightings"] = tuple(Sighting(*one) for one in beside["sightings"])
    beside["shared"] = tuple(beside["shared"])
    beside["listed"] = Candidate(*beside["listed"]) if beside["listed"] else None
    return Incident(IncidentSummary.model_validate(held["incident"]), **beside)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value

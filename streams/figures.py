"""The derived figures: what a fact or an alarm counts for, and the book that adds it up. Pure, and without faust.

A figure has a label and a window. Labels begin with the unit (`kmp-kalisz/cpr-poznan`), because a unit's facts are in
one partition, and so every entry of the book has one partition that may change it. Each entry keeps the offset of the
last record that changed it: a record that is read again after a crash finds its offset there and counts once.

    reports_by_source        unit/source         reports that opened or joined an incident
    reports_by_hour          unit/source         the same by full hours: the usual rhythm of each hour is their mean
    reports_by_unit          unit
    incidents_by_category    unit/category       incidents opened
    answers, answers_urgent  unit                received to accepted: count and sum of seconds
    reactions, ..._urgent    unit                accepted to on scene (the police measure)
    alarms_by_kind           kind/subject        alarms that were raised
"""

from collections import OrderedDict
from collections.abc import Iterable, MutableMapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any, Final, NamedTuple

import orjson

from schemas.feed import Figure
from schemas.summary import IncidentState, Stage
from streams.emit import moment

HOUR_SECONDS: Final = 3_600
REMEMBERED_IDS: Final = 50_000
"""The shell may repeat the facts of a round after a crash; their ids are known for so long."""

Entry = list[Any]
"""[count, sum of seconds or None, offset of the last record]."""


class Count(NamedTuple):
    """One thing to count: figure, label, when (s since the epoch), a duration or None, length of the window (s)."""

    figure: str
    label: str
    at_s: float
    seconds: float | None
    window_s: int


class Counted(NamedTuple):
    """What a record counts for, and its id, by which a repeat is known."""

    id: str
    counts: tuple[Count, ...]


NOTHING: Final = Counted("", ())


def of_fact(value: bytes, window_s: int) -> Counted:
    """What a fact counts for; nothing, where it is no fact."""
    try:
        fact = orjson.loads(value)
        at_s = datetime.fromisoformat(fact["at"]).timestamp()
        unit, change, summary = fact["unit"], fact["change"], fact.get("summary") or {}
        counts = [
            Count(figure, label, at_s, None, length) for figure, label, length in _reports(unit, change, window_s)
        ]
        if change["kind"] == "IncidentOpened":
            counts.append(Count("incidents_by_category", f"{unit}/{summary['category']}", at_s, None, window_s))
        if change["kind"] == "StateChanged" and change["before"] != change["after"]:
            counts += _durations(unit, change, summary, at_s, window_s)
        return Counted(fact["fact_id"], tuple(counts))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return NOTHING


def of_alarm(value: bytes, window_s: int) -> Counted:
    """What an alarm counts for: one when it is raised, nothing when it ends."""
    try:
        alarm = orjson.loads(value)
        if not alarm["active"]:
            return NOTHING
        at_s = datetime.fromisoformat(alarm["raised_at"]).timestamp()
        label = f"{alarm['kind']}/{alarm['subject']}"
        count = Count("alarms_by_kind", label, at_s, None, window_s)
        return Counted(f"{alarm['alarm_id']}|{alarm['raised_at']}", (count,))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return NOTHING


def _reports(unit: str, change: dict[str, Any], window_s: int) -> list[tuple[str, str, int]]:
    normalised = change.get("report")
    if change["kind"] not in {"IncidentOpened", "ReportLinked"} or not normalised:
        return []
    source = f"{unit}/{normalised['report']['source']}"
    return [
        ("reports_by_source", source, window_s),
        ("reports_by_hour", source, HOUR_SECONDS),
        ("reports_by_unit", unit, window_s),
    ]


def _durations(unit: str, change: dict[str, Any], summary: dict[str, Any], at_s: float, window_s: int) -> list[Count]:
    """Times between stages that were just reached; a stage that nobody told gives none."""
    steps = {
        IncidentState.ACCEPTED: ("answers", Stage.RECEIVED, Stage.ACCEPTED),
        IncidentState.ON_SCENE: ("reactions", Stage.ACCEPTED, Stage.ON_SCENE),
    }
    if change["after"] not in steps:
        return []
    figure, first, last = steps[change["after"]]
    times = {one["stage"]: datetime.fromisoformat(one["at"]).timestamp() for one in summary.get("stages") or ()}
    if first not in times or last not in times:
        return []
    seconds = times[last] - times[first]
    names = [figure, f"{figure}_urgent"] if summary.get("urgency") == "urgent" else [figure]
    return [Count(name, unit, at_s, seconds, window_s) for name in names]


class Book:
    """The figures of one input, over a table that a crash survives.

    `table` maps `figure|label|window|start` to an Entry. `dirty` are the keys whose figure was not told yet. Windows
    that are `keep_s` older than their unit's newest leave.
    """

    def __init__(self, table: MutableMapping[str, Entry], keep_s: float) -> None:
        self._table = table
        self._keep_s = keep_s
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._windows: dict[str, list[tuple[int, str]]] = {}
        self._newest: dict[str, int] = {}
        self.dirty: set[str] = set()

    def recovered(self) -> None:
        """The table was read anew: everything is told again, and what a repeat is, the table alone says."""
        self._seen.clear()
        self._windows, self._newest = {}, {}
        for key in list(self._table.keys()):
            owner, start = _owner(key), _start(key)
            self._windows.setdefault(owner, []).append((start, key))
            self._newest[owner] = max(start, self._newest.get(owner, start))
        for heap in self._windows.values():
            heapify(heap)
        self.dirty |= set(self._table.keys())

    def count(self, offset: int, counted: Counted) -> None:
        """Add a record up; again with the same offset or id it changes nothing."""
        if not counted.counts or counted.id in self._seen:
            return
        self._seen[counted.id] = None
        if len(self._seen) > REMEMBERED_IDS:
            self._seen.popitem(last=False)
        for one in counted.counts:
            self._add(offset, one)

    def _add(self, offset: int, one: Count) -> None:
        start = int(one.at_s // one.window_s) * one.window_s
        key = f"{one.figure}|{one.label.replace('|', '/')}|{one.window_s}|{start}"
        before: Entry | None = self._table.get(key)
        if before is None:
            self._table[key] = [1, one.seconds, offset]
            self._opened(key, start)
        elif before[2] < offset:
            total = None if one.seconds is None else round((before[1] or 0.0) + one.seconds, 3)
            self._table[key] = [before[0] + 1, total, offset]
        else:
            return
        if key in self._table:
            self.dirty.add(key)

    def _opened(self, key: str, start: int) -> None:
        owner = _owner(key)
        heap = self._windows.setdefault(owner, [])
        self._newest[owner] = max(start, self._newest.get(owner, start))
        heappush(heap, (start, key))
        while heap[0][0] < self._newest[owner] - self._keep_s:
            _, old = heappop(heap)
            self._table.pop(old, None)
            self.dirty.discard(old)

    def figures(self) -> Iterable[tuple[str, Figure]]:
        """The figures that were not told yet, by key, and from now on they count as told."""
        keys, self.dirty = sorted(self.dirty), set()
        for key in keys:
            yield key, figure(key, self._table[key])


def figure(key: str, entry: Entry) -> Figure:
    """The figure of one entry."""
    name, label, window_s, start = key.split("|")
    return Figure(
        figure=name,
        label=label,
        window_start=moment(int(start) * 1000),
        window_seconds=int(window_s),
        count=entry[0],
        total_seconds=entry[1],
    )


def _owner(key: str) -> str:
    return key.split("|")[1].split("/", 1)[0]


def _start(key: str) -> int:
    return int(key.rsplit("|", 1)[1])

"""watch: a silent, failing or dead feed becomes an alarm within its expected rhythm, and stops being one.

Input is `feed.status`: what the intake nodes say of their sources, and ticks. Output is `alarm.current`. What each node
says of a feed is kept and judged as `feed@node`, beside what the others say of it: no node's word hides another's
silence. A feed that is configured away leaves by a tombstone under that key. Time is the record's append time, never
going back.

State: `f|<feed>@<node>` a Feed; `nodes` the keys of each feed; `dues` when each must be looked at again; `time`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import orjson

from schemas.command import Tick
from schemas.envelope import attributes, text
from schemas.errors import Code, Rejected
from schemas.feed import Alarm, AlarmClass, FeedStatus, said_of
from schemas.topics import ALARMS_NOW, FEEDS
from schemas.wire import derived_id, parse, type_name
from streams.contract import Outcome, Output, Processor, Record, State
from streams.emit import moment, output
from streams.feed_health import KINDS, Feed, Limits, Wanted, heard, judge, turned
from streams.loading import checked, digest

NAME: Final = "watch"
STATUS, TICK = type_name(FeedStatus), type_name(Tick)
_TIME, _DUES, _NODES = "time", "dues", "nodes"


@dataclass(frozen=True)
class WatchReference:
    """The limits that decide."""

    limits: Limits = field(default_factory=Limits)

    @property
    def versions(self) -> dict[str, str]:
        """Digest of the limits."""
        return {"watch": digest(self.limits.model_dump())}


def load(data: Mapping[str, Any]) -> WatchReference:
    """The reference from `[watch]` of the configuration. Misconfigured names all mistakes."""
    return WatchReference(checked(Limits, dict(data), "watch"))


def processor(reference: WatchReference) -> Processor:
    """The processor of `feed.status`."""

    def step(state: State, record: Record) -> Outcome:
        """Judge the feed that a status is about, or every feed that is due when time passed."""
        limits = reference.limits
        now_ms = max(int(state.get(_TIME) or 0), record.timestamp_ms)
        if record.value is None:
            return _forgotten(state, text(record.key or b""), now_ms, limits)
        match attributes(record.headers).get("type"):
            case kind if kind == STATUS:
                status = parse(FeedStatus, record.value)
                key = said_of(status.feed, status.node)
                feed = heard(_feed(state, key), status, now_ms, limits)
                return _judged(
                    state, {status.feed: {**_group(state, status.feed, now_ms, limits), key: feed}}, now_ms, limits
                )
            case kind if kind == TICK:
                dues: dict[str, int] = state.get(_DUES) or {}
                names = sorted({_feed_name(key) for key, due_ms in dues.items() if due_ms <= now_ms})
                return _judged(state, {name: _group(state, name, now_ms, limits) for name in names}, now_ms, limits)
            case _:
                raise Rejected(Code.RECORD_INVALID, "a record of a type that is not read here", "/type")

    return Processor(
        name=NAME,
        input=FEEDS,
        outputs=(ALARMS_NOW,),
        step=step,
        encode=orjson.dumps,
        decode=orjson.loads,
        due=due,
        tick=tick,
    )


def due(state: State) -> int | None:
    """When the earliest feed must be looked at again."""
    dues: dict[str, int] = state.get(_DUES) or {}
    return min(dues.values(), default=None)


def tick(partition: int, now_ms: int) -> Output:
    """The record that lets time pass; one key, so that compaction keeps the last."""
    return output(
        FEEDS,
        "tick",
        Tick(at=moment(now_ms)),
        id=derived_id("tick", FEEDS, partition, now_ms),
        part="ticker",
        time=moment(now_ms),
        carried={},
        extensions={},
    )


def _feed(state: State, key: str) -> Feed | None:
    kept: dict[str, Any] | None = state.get(f"f|{key}")
    return None if kept is None else Feed(**kept)


def _feed_name(key: str) -> str:
    return key.rpartition("@")[0]


def _group(state: State, name: str, now_ms: int, limits: Limits) -> dict[str, Feed]:
    """What every node has said of a feed, by key."""
    keys: list[str] = (state.get(_NODES) or {}).get(name, [])
    known = {key: _feed(state, key) for key in keys}
    return {key: turned(one, now_ms, limits) for key, one in known.items() if one is not None}


def _judged(state: State, groups: Mapping[str, Mapping[str, Feed]], now_ms: int, limits: Limits) -> Outcome:
    nodes: dict[str, list[str]] = {**(state.get(_NODES) or {}), **{name: sorted(groups[name]) for name in groups}}
    known = {key for keys in nodes.values() for key in keys}
    # What has left is due no more, nor what an earlier version kept without its node.
    dues = {key: due_ms for key, due_ms in (state.get(_DUES) or {}).items() if key in known}
    puts: dict[str, object] = {_TIME: now_ms}
    outputs: list[Output] = []
    for group in groups.values():
        for key, feed in sorted(group.items()):
            wanted = judge(feed, now_ms, limits, [one for other, one in group.items() if other != key])
            alarms = dict(feed.alarms)
            for kind in KINDS:
                outputs += _changed(key, kind, alarms, wanted.alarms.get(kind), now_ms)
            puts[f"f|{key}"] = asdict(replace(feed, alarms=alarms))
            dues.pop(key, None)
            if wanted.due_ms is not None:
                dues[key] = wanted.due_ms
    puts[_DUES], puts[_NODES] = dues, {name: keys for name, keys in nodes.items() if keys}
    return Outcome(outputs, puts)


def _changed(name: str, kind: str, alarms: dict[str, list[Any]], wanted: Wanted | None, now_ms: int) -> list[Output]:
    """The record of an alarm that begins, changes its class or ends; `alarms` is brought up to date."""
    held = alarms.get(kind)
    if wanted is None and held is None:
        return []
    if wanted is None and held is not None:
        del alarms[kind]
        ended = Wanted(AlarmClass(held[1]), "over")
        return [_alarm(name, kind, ended, active=False, raised_ms=held[0], now_ms=now_ms)]
    if wanted is None or (held is not None and held[1] == wanted.alarm_class):
        return []
    raised_ms = held[0] if held else now_ms
    alarms[kind] = [raised_ms, wanted.alarm_class.value]
    return [_alarm(name, kind, wanted, active=True, raised_ms=raised_ms, now_ms=now_ms)]


def _alarm(name: str, kind: str, what: Wanted, *, active: bool, raised_ms: int, now_ms: int) -> Output:
    alarm = Alarm(
        alarm_id=derived_id("alarm", kind, name),
        kind=kind,
        subject=name,
        alarm_class=what.alarm_class,
        active=active,
        raised_at=moment(raised_ms),
        changed_at=moment(now_ms),
        detail=what.detail,
    )
    return output(
        ALARMS_NOW,
        alarm.alarm_id,
        alarm,
        id=derived_id("alarm", kind, name, raised_ms, now_ms, str(active)),
        part=NAME,
        time=moment(now_ms),
        carried={},
        extensions={"kind": kind},
    )


def _forgotten(state: State, key: str, now_ms: int, limits: Limits) -> Outcome:
    """A feed was configured away: its alarms end, nothing is remembered, and what other nodes say is judged anew."""
    feed = _feed(state, key)
    if feed is None:
        return Outcome()
    alarms = dict(feed.alarms)
    ended = [one for kind in KINDS for one in _changed(key, kind, alarms, None, now_ms)]
    name = _feed_name(key)
    left = {other: one for other, one in _group(state, name, now_ms, limits).items() if other != key}
    after = _judged(state, {name: left}, now_ms, limits)
    return Outcome((*ended, *after.outputs), after.puts, (f"f|{key}",))

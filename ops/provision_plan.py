"""What must be done so that a cluster's topics are as the catalogue wants them. Pure; `ops/provision.py` does it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.errors import Code, Misconfigured, Unavailable
from schemas.topic import IN_SYNC, Topic, partitions, settings

MOST_REPLICAS: Final = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """One topic as it shall be. `keyed_state`: its records' partitions decide where a state lives."""

    name: str
    partitions: int
    replicas: int
    settings: Mapping[str, str]
    keyed_state: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """One topic as it is; `filled`: whether it holds records.

    `settings` are those set on the topic itself, and min.insync.replicas wherever it comes from.
    """

    partitions: int
    replicas: int
    settings: Mapping[str, str]
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """Make a topic."""

    wanted: Wanted

    def __str__(self) -> str:
        one = self.wanted
        told = ", ".join(f"{name}={value}" for name, value in sorted(one.settings.items()))
        return f"create {one.name}: {one.partitions} partitions, {one.replicas} replicas, {told}"


@dataclass(frozen=True, slots=True)
class Grow:
    """Add partitions to a topic."""

    name: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"grow {self.name}: {self.before} -> {self.after} partitions"


@dataclass(frozen=True, slots=True)
class Alter:
    """Set a topic's configuration. `settings` is all that the topic shall have, `changes` what differs."""

    name: str
    changes: Mapping[str, tuple[str | None, str]]
    settings: Mapping[str, str] = field(repr=False)

    def __str__(self) -> str:
        told = ", ".join(f"{name}: {old or 'unset'} -> {new}" for name, (old, new) in sorted(self.changes.items()))
        return f"alter {self.name}: {told}"


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing that we change by ourselves, but a person should know of it."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"leave {self.name}: {self.why}"


Action = Create | Grow | Alter | Leave


def replicas_on(brokers: int) -> int:
    """How many replicas topics get on so many brokers, where the settings do not say."""
    return min(MOST_REPLICAS, brokers)


def wanted(
    catalogue: Mapping[str, Topic], prefix: str, replicas: int, wide: int, retention_ms: Mapping[str, int]
) -> list[Wanted]:
    """Every topic of the catalogue with so many replicas, the installation's prefix before its name.

    `retention_ms` overrides defaults by logical name. Raises Misconfigured naming every retention outside the
    catalogue's limits and every name that it does not know.
    """
    mistakes = [
        mistake for name, value in sorted(retention_ms.items()) if (mistake := _refusal(catalogue, name, value))
    ]
    if mistakes:
        raise Misconfigured(Code.RETENTION_OUTSIDE_LIMITS, "; ".join(mistakes), "/kafka/retention_days")
    return [
        Wanted(
            prefix + name,
            partitions(topic, wide),
            replicas,
            settings(topic, replicas, retention_ms.get(name)),
            topic.wide,
        )
        for name, topic in catalogue.items()
    ]


def _refusal(catalogue: Mapping[str, Topic], name: str, value_ms: int) -> str:
    """Why this retention is not taken, or nothing."""
    topic = catalogue.get(name)
    if topic is None:
        return f"retention of {name}: no such topic"
    if topic.retention is None:
        return f"retention of {name}: it keeps the last record of each key, not records of a time"
    limits = topic.retention
    if value_ms < limits.minimum_ms or (limits.maximum_ms is not None and value_ms > limits.maximum_ms):
        most = "no limit" if limits.maximum_ms is None else _days(limits.maximum_ms)
        return f"retention of {name}: {_days(value_ms)} is outside {_days(limits.minimum_ms)} to {most} ({limits.base})"
    return ""


def _days(milliseconds: int) -> str:
    return f"{milliseconds / 86_400_000:g} days"


def plan(desired: Iterable[Wanted], found: Mapping[str, Found], brokers: int) -> list[Action]:
    """What must be done so that the cluster, of which `brokers` live now, is as desired; empty if it is.

    What exists is never made weaker because brokers are down. Raises Misconfigured naming every topic that has more
    partitions than wanted, or that would get more although its records are already placed by their keys beside a
    state; Unavailable if a new topic wants more replicas than brokers live.
    """
    actions: list[Action] = []
    refusals: list[str] = []
    for one in desired:
        existing = found.get(one.name)
        if existing is None:
            actions.append(Create(one))
            continue
        if existing.partitions > one.partitions:
            refusals.append(f"{one.name} has {existing.partitions} partitions, {one.partitions} are wanted: none goes")
        elif existing.partitions < one.partitions and one.keyed_state and existing.filled:
            refusals.append(
                f"{one.name} holds records in {existing.partitions} partitions, {one.partitions} are wanted:"
                " keys would leave their state; use a new prefix"
            )
        elif existing.partitions < one.partitions:
            actions.append(Grow(one.name, existing.partitions, one.partitions))
        actions.extend(_differences(one, existing))
    if refusals:
        raise Misconfigured(Code.PARTITIONS_FEWER, "; ".join(refusals), "/kafka/wide")
    _check_creatable([one.wanted for one in actions if isinstance(one, Create)], brokers)
    return actions


def _check_creatable(new: Iterable[Wanted], brokers: int) -> None:
    """Unavailable if one wants more replicas than brokers live: made with fewer, it would stay weaker for good."""
    waiting = [one for one in new if one.replicas > brokers]
    if waiting:
        most = max(one.replicas for one in waiting)
        detail = (
            f"{len(waiting)} new topics want {most} replicas, and {brokers} brokers live;"
            " start the others, or lower kafka.replicas"
        )
        raise Unavailable(Code.BROKER_UNAVAILABLE, detail)


def _differences(one: Wanted, existing: Found) -> list[Action]:
    """Configuration to set, and what stays although it differs."""
    # Kafka replaces all of a topic's settings at once; what others set beside ours stays.
    shall = {**existing.settings, **one.settings}
    why_in_sync = _why_in_sync_stays(one, existing)
    if why_in_sync:
        shall[IN_SYNC] = existing.settings[IN_SYNC]
    changes = {
        name: (existing.settings.get(name), value)
        for name, value in shall.items()
        if existing.settings.get(name) != value
    }
    whys = [why for why in (why_in_sync, _why_replicas_stay(one, existing)) if why]
    altered = [Alter(one.name, changes, shall)] if changes else []
    left = [Leave(one.name, "; ".join(whys))] if whys else []
    return [*altered, *left]


def _why_in_sync_stays(one: Wanted, existing: Found) -> str:
    """Why the topic keeps its min.insync.replicas although another is wanted, or nothing.

    It is never lowered where the topic's replicas allow it: what is wanted may follow from the brokers alive now, and
    a record acknowledged by one of three would be lost with that one. It is not raised on a topic that lacks replicas:
    writes would be refused, always or as soon as one broker is down.
    """
    if IN_SYNC not in one.settings or IN_SYNC not in existing.settings:
        return ""
    then, now = int(one.settings[IN_SYNC]), int(existing.settings[IN_SYNC])
    if then < now <= existing.replicas:
        return f"{IN_SYNC} stays {now}, {then} is wanted; its {existing.replicas} replicas allow it"
    if then > now and existing.replicas < one.replicas:
        return f"{IN_SYNC} stays {now}, {then} is wanted; {existing.replicas} replicas are too few for it"
    return ""


def _why_replicas_stay(one: Wanted, existing: Found) -> str:
    """What to do about replicas that are not as many as wanted, or nothing."""
    told = f"{existing.replicas} replicas, {one.replicas} are wanted"
    if existing.replicas < one.replicas:
        return f"{told}; move it with kafka-reassign-partitions"
    return f"{told}; more do no harm, perhaps a broker is down" if existing.replicas > one.replicas else ""

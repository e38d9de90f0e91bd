"""What must be done so that a cluster's topics are as the catalogue wants them. Pure; `ops/provision.py` does it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.errors import Code, Misconfigured
from schemas.topic import Topic, partitions, settings

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
    """One topic as it is; `settings` are those set on the topic itself, `filled` whether it holds records."""

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


def wanted(
    catalogue: Mapping[str, Topic], prefix: str, nodes: int, wide: int, retention_ms: Mapping[str, int]
) -> list[Wanted]:
    """Every topic of the catalogue for a cluster of `nodes` brokers, with the installation's prefix before its name.

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
            min(MOST_REPLICAS, nodes),
            settings(topic, nodes, retention_ms.get(name)),
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


def plan(desired: Iterable[Wanted], found: Mapping[str, Found]) -> list[Action]:
    """What must be done so that the cluster is as desired; empty if it is.

    Raises Misconfigured naming every topic that has more partitions than wanted, or that would get more although its
    records are already placed by their keys beside a state.
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
    return actions


def _differences(one: Wanted, existing: Found) -> list[Action]:
    """Configuration to set, and replication to tell of."""
    actions: list[Action] = []
    changes = {
        name: (existing.settings.get(name), value)
        for name, value in one.settings.items()
        if existing.settings.get(name) != value
    }
    if changes:
        # Kafka replaces all of a topic's settings at once; what others set beside ours stays.
        actions.append(Alter(one.name, changes, {**existing.settings, **one.settings}))
    if existing.replicas != one.replicas:
        why = f"{existing.replicas} replicas, {one.replicas} are wanted; move it with kafka-reassign-partitions"
        actions.append(Leave(one.name, why))
    return actions

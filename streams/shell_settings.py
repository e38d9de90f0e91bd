"""What a shell is told: the cluster, its identity in the group, limits, and the test-only switches of its rules."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from schemas.topics import MAX_MESSAGE_BYTES

BATCH_OVERHEAD: Final = 128
"""Bytes of a record batch beside its only record's key, value and headers (61 header, the rest an upper bound)."""


@dataclass(frozen=True)
class Switches:
    """One switch per rule, for tests only: each test must fail while its rule is off."""

    marker: bool = True
    """The changelog batch begins with the applied offset, and replay skips what is applied."""
    order: bool = True
    """Outputs are acknowledged before the state is written."""
    fence: bool = True
    """A changelog append that lands on an unexpected offset ends the process."""
    pulse: bool = True
    """A process that stood still ends."""
    overlay: bool = True
    """Changes that are stepped and not saved are dropped when ownership changes."""
    contiguity: bool = True
    """Each offset is stepped once per ownership."""
    fold: bool = True
    """Replay skips a batch whose marker goes back, and writes its keys again."""
    identity: bool = True
    """A state that belongs to another topic is refused."""

    @classmethod
    def without(cls, *names: str) -> "Switches":
        """All rules on but these. ValueError for a name that is no rule."""
        unknown = set(names) - {one.name for one in fields(cls)}
        if unknown:
            msg = f"no such rule: {', '.join(sorted(unknown))}"
            raise ValueError(msg)
        return cls(**dict.fromkeys(names, False))


@dataclass(frozen=True, kw_only=True)
class ShellSettings:
    """How one shell runs.

    `output_bytes` gives `max.message.bytes` per logical topic (the changelog's too); a topic not named has the
    catalogue's default. `security` holds further keyword arguments of every aiokafka client (protocol, SSL context,
    SASL). `instance_id` makes the membership static: a restart within the session time-out needs no rebalance.
    `group` and `changelog` override the derived names (benchmarks); they are full names.
    """

    bootstrap_servers: str
    prefix: str = ""
    instance_id: str | None = None
    member_file: Path | None = None
    """Where a static member keeps its member id, so that the next process in its place knows it; None: it does not."""
    young_seconds: float = 60.0
    """A static member that is put out twice within so long of its start leaves its place to the other (twins.py)."""
    group: str | None = None
    changelog: str | None = None
    session_seconds: float = 10.0
    heartbeat_seconds: float = 2.5
    commit_seconds: float = 0.5
    rounds_in_flight: int = 2
    round_records: int = 4000
    """Most records of one round."""
    round_seconds: float = 0.2
    """A round ends after so much stepping: the loop has heartbeats to send."""
    unit_records: int = 1000
    """Most records of one partition in a round."""
    unit_bytes: int = 700_000
    """Changelog bytes after which a unit ends; a single record may need more, up to the topic's limit."""
    batch_bytes: int = 900_000
    """Size of a prepared output batch; a single larger record gets its own, up to the topic's limit."""
    gather_records: int = 8000
    gather_bytes: int = 32 * 1024 * 1024
    fetch_records: int = 4000
    pace_seconds: float = 0.002
    """Least time between two fetches that bring little: at a low rate nothing waits, at a high one rounds grow."""
    partition_fetch_bytes: int = MAX_MESSAGE_BYTES + 65_536
    request_seconds: float = 30.0
    settle_seconds: float = 120.0
    """A round that is not acknowledged for so long ends the process (a stuck client: aiokafka 1017)."""
    bugs_per_minute: int = 5
    output_bytes: Mapping[str, int] = field(default_factory=dict)
    security: Mapping[str, Any] = field(default_factory=dict)
    switches: Switches = Switches()
    exit: Callable[[int], object] = os._exit
    hook: Callable[[str], object] | None = None
    """Test only: told `outputs-sent`, `outputs-acknowledged`, `state-sent`, `state-acknowledged` at those moments."""

    def limit(self, topic: str) -> int:
        """The topic's `max.message.bytes`, which Kafka holds against a whole record batch."""
        return self.output_bytes.get(topic, MAX_MESSAGE_BYTES)

"""What an attack on the shell needs before it begins: load, topics, rules that are off."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ops.prove import counter

KEYS: Final = 400


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an attack needs: the load (at least so many messages, and until the strike is over), the rules off."""

    attack: str
    seed: int = 1
    messages: int = 20_000
    rate: float = 1000.0
    partitions: int = 8
    replicas: int = 3
    session_seconds: float = 6.0
    static: bool = True
    off: tuple[str, ...] = ()
    deleted_at: int = counter.DELETED_AT
    keys: int = KEYS
    each_key_first: bool = False
    """Every key once, in order, before they come at random."""
    output_bytes: int | None = None
    changelog_config: Mapping[str, str] = field(default_factory=dict)
    special: Mapping[int, bytes] = field(default_factory=dict)
    """Values of the n-th message that are not the usual ones."""
    without_partition: int | None = None
    """A partition that never gets a record."""

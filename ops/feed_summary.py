"""What shall be fed, and how it went."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Order:
    """What shall be fed. `speed` None: as fast as possible; 60: an hour of the file in a minute."""

    path: Path
    mapping: str
    source: str = ""
    speed: float | None = None
    again: bool = False
    """From the first row even where an earlier feed stopped, or ended: shows that a repeat changes nothing."""
    wait_seconds: float = 60.0
    """How long the processors may stand still before the clock of a `records` territory is left alone."""


@dataclass
class Summary:
    """How it went. `rows` = `accepted` + `repeated` + `quarantined`; `before` were fed by an earlier run."""

    file: str
    mapping: str
    source: str
    node: str
    before: int = 0
    rows: int = 0
    accepted: int = 0
    repeated: int = 0
    quarantined: int = 0
    waiting: int = 0
    """Rows that the broker does not have yet: only after a feed that did not end well."""
    seconds: float = 0.0
    clock: str | None = None
    """Time that a `records` territory was told, or why it was not."""
    complete: bool = False
    """Whether the file was read to its end and the broker has every row."""
    ticked: bool = True
    """Whether the clock of a `records` territory stands at the last event time; true where there is none to set."""

    @property
    def messages_per_second(self) -> float:
        """Rows a second, until the broker had the last one."""
        return round(self.rows / self.seconds, 1) if self.seconds else 0.0

    @property
    def good(self) -> bool:
        """Whether all was done that was asked: the exit status."""
        return self.complete and self.ticked

    @property
    def nothing_new(self) -> bool:
        """Whether the installation knew all of it before."""
        return not self.accepted and not self.quarantined

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"messages_per_second": self.messages_per_second, "nothing_new": self.nothing_new}

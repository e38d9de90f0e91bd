"""What the parts of one shell share: its gear, and what it holds at the moment."""

import time
from dataclasses import dataclass, field
from typing import Any

from streams.contract import Observer, Processor
from streams.leaving import Leaving
from streams.pulse import Pulse
from streams.shell_settings import ShellSettings
from streams.stepping import Part, Stepper


@dataclass(slots=True)
class Held:
    """What this process owns: its parts by topic partition. `epoch` counts the ownership changes."""

    epoch: int = 0
    parts: dict[Any, Part] = field(default_factory=dict)
    closing: bool = False
    """The parts are being given up: they are neither stepped nor recovered any more."""
    moved_at: float = field(default_factory=time.monotonic)
    failed_at: float | None = None
    """When the recovery of this ownership first failed."""

    def close(self) -> None:
        """Take nothing more of any part."""
        self.closing = True
        for part in self.parts.values():
            part.ready = False

    def ready(self) -> bool:
        """Is every held partition recovered, and none being given up?"""
        return all(part.ready for part in self.parts.values())

    def still(self, epoch: int) -> bool:
        """Is this the ownership that had this number, and is it not being given up?"""
        return epoch == self.epoch and not self.closing

    def forget(self) -> None:
        """Ownership changed: what is gathered, stepped or folded counts no more."""
        self.epoch += 1
        self.parts = {}
        self.closing = False
        self.failed_at = None
        self.moved()

    def moved(self) -> None:
        """A recovery got on: something was read, decoded or acknowledged."""
        self.moved_at = time.monotonic()

    def stuck_seconds(self) -> float:
        """How long the recovery that is due has not got on; 0 when none is due."""
        return 0.0 if self.closing or self.ready() else time.monotonic() - self.moved_at

    def failing_seconds(self) -> float:
        """A try to recover failed: for how long tries of this ownership have failed."""
        now = time.monotonic()
        self.failed_at = self.failed_at or now
        return now - self.failed_at


@dataclass(slots=True)
class Gear:
    """What the parts of one shell share. `topics`: name on the cluster, partitions, batch bytes by logical name."""

    processor: Processor
    settings: ShellSettings
    leave: Leaving
    pulse: Pulse
    observer: Observer
    stepper: Stepper
    changelog: str
    group: str
    producer: Any = None
    consumer: Any = None
    topic_id: bytes = b""
    topics: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def hook(self, point: str) -> None:
        """An armed point of the tests is passed."""
        if self.settings.hook is not None:
            self.settings.hook(point)

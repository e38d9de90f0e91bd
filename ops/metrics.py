"""Metrics of one process: named `sztab_<noun>_<unit>_total`, labels from closed sets, never a person or an id."""

import re
import time
from collections.abc import Collection, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from ops.process_metrics import ProcessFigures
from schemas.errors import Code
from streams.contract import Processor, Record

NAME: Final = re.compile(r"[a-z]+(_[a-z]+)*")
LATENCY_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

FROM_THE_START: Final = (Code.STEP_BUG, Code.OUTPUT_TOO_LARGE, Code.RECORD_INVALID)
"""Counted from zero: what is first seen at one has not increased, and its alert would miss the first."""


class Metrics:
    """Makes the metrics of one process, in a registry of its own. Asked twice for a name it gives the same metric."""

    def __init__(self) -> None:
        self.registry: Final = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        ProcessFigures(self.registry)

    def counter(self, noun: str, unit: str, help_text: str, labels: tuple[str, ...] = ()) -> Counter:
        """`sztab_<noun>_<unit>_total`."""
        name = _name(noun, unit)
        made = self._made.get(name) or Counter(name, help_text, labels, registry=self.registry)
        assert isinstance(made, Counter)
        self._made[name] = made
        return made

    def gauge(self, noun: str, unit: str, help_text: str, labels: tuple[str, ...] = ()) -> Gauge:
        """`sztab_<noun>_<unit>`: a value now."""
        name = _name(noun, unit)
        made = self._made.get(name) or Gauge(name, help_text, labels, registry=self.registry)
        assert isinstance(made, Gauge)
        self._made[name] = made
        return made

    def seconds(self, noun: str, help_text: str, labels: tuple[str, ...] = ()) -> Histogram:
        """`sztab_<noun>_seconds`: how long something took, in buckets from 1 ms to 30 s."""
        name = _name(noun, "seconds")
        made = self._made.get(name) or Histogram(
            name, help_text, labels, registry=self.registry, buckets=LATENCY_SECONDS
        )
        assert isinstance(made, Histogram)
        self._made[name] = made
        return made


def _name(noun: str, unit: str) -> str:
    if not NAME.fullmatch(noun) or not NAME.fullmatch(unit):
        raise ValueError(f"{noun}_{unit} is no name of a metric")
    return f"sztab_{noun}_{unit}"


class ShellMetrics:
    """What one shell tells (`streams.contract.Observer`), as metrics and for readiness.

    `holding` is None before the first word on ownership; `committed_at` has monotonic seconds by partition.
    """

    def __init__(self, metrics: Metrics, processor: Processor) -> None:
        self.holding: tuple[int, ...] | None = None
        self.committed_at: dict[int, float] = {}
        mine, labels = (processor.name, processor.input), ("processor", "input")
        self._records = metrics.counter("stepped", "records", "Records stepped.", labels).labels(*mine)
        self._outputs = metrics.counter("written", "records", "Records written by steps.", labels).labels(*mine)
        self._step = metrics.seconds("step", "Stepping one partition's part of a round.", labels).labels(*mine)
        self._settle = metrics.seconds("settle", "From stepping to acknowledgement of a round.", labels).labels(*mine)
        self._recovery = metrics.seconds("recovery", "Reading the state of a partition.", labels).labels(*mine)
        self._held = metrics.gauge("held", "partitions", "Partitions held and recovered.", labels).labels(*mine)
        self._committed = metrics.gauge("committed", "offset", "Next offset to read.", (*labels, "partition"))
        self._aside = metrics.counter("quarantined", "records", "Records set aside.", (*labels, "code"))
        self._mine = mine
        for code in FROM_THE_START:
            self._aside.labels(*mine, code.value)

    def stepped(self, partition: int, records: int, seconds: float) -> None:  # noqa: ARG002 - the Observer's interface
        """Count and time a partition's part of a round."""
        self._records.inc(records)
        self._step.observe(seconds)

    def set_aside(self, record: Record, code: Code) -> None:  # noqa: ARG002 - likewise
        """Count by code."""
        self._aside.labels(*self._mine, code.value).inc()

    def settled(self, records: int, outputs: int, seconds: float) -> None:  # noqa: ARG002 - likewise
        """Count what was written, time until it was safe."""
        self._outputs.inc(outputs)
        self._settle.observe(seconds)

    def committed(self, offsets: Mapping[int, int]) -> None:
        """Remember when each partition moved."""
        now = time.monotonic()
        for partition, offset in offsets.items():
            self.committed_at[partition] = now
            self._committed.labels(*self._mine, str(partition)).set(offset)

    def held(self, partitions: Collection[int]) -> None:
        """Remember what is held; what was lost is forgotten."""
        self.holding = tuple(sorted(partitions))
        self.committed_at = {one: at for one, at in self.committed_at.items() if one in self.holding}
        self._held.set(len(self.holding))

    def recovered(self, partition: int, keys: int, seconds: float) -> None:  # noqa: ARG002 - likewise
        """Time a recovery."""
        self._recovery.observe(seconds)

"""What every process tells of itself beside what it does: its clock, and how near it is to the limit of its memory."""

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CLOCK: Final = ("sztab_clock_seconds", "The process's wall clock when it was asked, in seconds since the epoch.")
MEMORY: Final = ("sztab_memory_used_ratio", "Used share of the memory that the process may have; 0 without a limit.")
GROUP: Final = Path("/sys/fs/cgroup")
"""Where Linux shows a container its own limit (cgroup version 2)."""


class ProcessFigures(Collector):
    """Measured whenever somebody asks. `clock` is the wall clock, `used` the share of the memory's limit."""

    def __init__(
        self,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.time,
        used: Callable[[], float] | None = None,
    ) -> None:
        self._clock, self._used = clock, used or memory_used
        registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """The names, for the registry and the handbook."""
        yield GaugeMetricFamily(*CLOCK)
        yield GaugeMetricFamily(*MEMORY)

    def collect(self) -> Iterator[Metric]:
        """The values of this moment."""
        yield GaugeMetricFamily(*CLOCK, value=self._clock())
        yield GaugeMetricFamily(*MEMORY, value=self._used())


def memory_used(group: Path = GROUP, statm: Path = Path("/proc/self/statm")) -> float:
    """Used share of the nearest limit: of the container's memory, or of the address space (`ulimit -v`)."""
    try:
        pages, resident = (int(one) for one in statm.read_text().split()[:2])
    except (OSError, ValueError):
        return 0.0
    page = resource.getpagesize()
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    shares = [0.0]
    if space != resource.RLIM_INFINITY and space > 0:
        shares.append(pages * page / space)
    if limit := _group_limit(group):
        shares.append(resident * page / limit)
    return round(max(shares), 4)


def _group_limit(group: Path) -> int:
    try:
        told = (group / "memory.max").read_text().strip()
    except OSError:
        return 0
    return int(told) if told.isdigit() else 0

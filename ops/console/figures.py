"""What the console tells the metrics: the alarms that stand, its readers, and how old what it shows is."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ops.console.board import Board
from ops.console.hub import Hub

ALARMS: Final = ("sztab_active_alarms", "Alarms of alarm.current that stand, by kind and by how loud they are.")
READERS: Final = ("sztab_console_readers", "Browsers that follow.")
DROPPED: Final = ("sztab_console_dropped_readers", "Browsers dropped because they did not read.")
AGE: Final = ("sztab_console_read_seconds", "How long ago the topics were last read; -1 when they never were.")


class ConsoleFigures(Collector):
    """Measured whenever somebody asks."""

    def __init__(self, registry: CollectorRegistry, board: Board, hub: Hub) -> None:
        self._board, self._hub = board, hub
        registry.register(self)

    def describe(self) -> Iterator[Metric]:
        """The names, for the registry and the handbook."""
        yield GaugeMetricFamily(*ALARMS, labels=("kind", "loud"))
        yield GaugeMetricFamily(*READERS)
        yield CounterMetricFamily(*DROPPED)
        yield GaugeMetricFamily(*AGE)

    def collect(self) -> Iterator[Metric]:
        """The values of this moment."""
        alarms = GaugeMetricFamily(*ALARMS, labels=("kind", "loud"))
        standing = Counter((one["kind"], one["class"]) for one in self._board.alarms.values())
        for (kind, loud), number in sorted(standing.items()):
            alarms.add_metric((kind, loud), number)
        yield alarms
        yield GaugeMetricFamily(*READERS, value=len(self._hub.readers))
        yield CounterMetricFamily(*DROPPED, value=self._hub.dropped)
        read_ms = self._hub.read_ms()
        yield GaugeMetricFamily(*AGE, value=-1.0 if read_ms is None else read_ms / 1000)

"""What an intake node counts, in a registry that it is given."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

OUTCOMES: Final = ("accepted", "repeated", "rejected", "unavailable")
"""What may become of a document: kept and translated; known already; kept in quarantine; not kept."""


class IntakeMetrics:
    """Counters and gauges of one runner; a registry takes one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._documents = Counter(
            "sztab_documents", "Documents by source and outcome.", ["source", "outcome"], registry=registry
        )
        self._up = Gauge("sztab_feed_up", "1 while a source is up.", ["source"], registry=registry)
        self._answer = Histogram(
            "sztab_intake_answer_seconds",
            "From a document's arrival to its answer.",
            ["held"],
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
            registry=registry,
        )
        self._damaged = Counter(
            "sztab_journal_damaged_rows", "Unpublished rows of the journal that were damaged.", registry=registry
        )
        self._registry = registry

    def watch(
        self,
        fill: Callable[[], float],
        backlog: Callable[[], int],
        oldest_ms: Callable[[], int | None],
        connected: Callable[[], bool],
    ) -> None:
        """Measure journal and publisher whenever somebody asks."""
        gauges: tuple[tuple[str, str, Callable[[], float]], ...] = (
            ("sztab_journal_fill_ratio", "Used share of the journal's room.", fill),
            ("sztab_publish_backlog_rows", "Rows that the broker does not have yet.", backlog),
            ("sztab_publish_lag_seconds", "Age of the oldest row on its way.", lambda: _age(oldest_ms())),
            ("sztab_broker_up", "1 while the cluster answers this process.", lambda: float(connected())),
        )
        for name, text, measure in gauges:
            Gauge(name, text, registry=self._registry).set_function(measure)

    def start(self, sources: Iterable[str]) -> None:
        """Show every source from the first moment, with zeros."""
        for source in sources:
            self._up.labels(source).set(0)
            for outcome in OUTCOMES:
                self._documents.labels(source, outcome)

    def damaged(self) -> None:
        """Count an unpublished row that cannot be read any more."""
        self._damaged.inc()

    def document(self, source: str, outcome: str) -> None:
        """Count one document."""
        self._documents.labels(source, outcome).inc()

    def up(self, source: str, *, up: bool) -> None:
        """Note whether a source is up."""
        self._up.labels(source).set(int(up))

    def answered(self, held: str, seconds: float) -> None:
        """Note how long a caller waited."""
        self._answer.labels(held).observe(seconds)


def _age(received_ms: int | None) -> float:
    return 0.0 if received_ms is None else max(0.0, time.time() - received_ms / 1000)

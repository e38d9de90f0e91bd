"""What the deliveries tell the metrics."""

from ops.metrics import Metrics
from schemas.delivery import Outcome


class Figures:
    """An `ops.delivering.courier.Observer`: tries and ends by recipient, and how long an end took."""

    def __init__(self, metrics: Metrics) -> None:
        self._tries = metrics.counter("delivery", "tries", "Tries to deliver.", ("recipient", "result"))
        self._ends = metrics.counter(
            "finished", "deliveries", "Deliveries with their end.", ("recipient", "lane", "outcome")
        )
        self._seconds = metrics.seconds("delivery", "From the routing decision to the receipt.", ("recipient", "lane"))

    def tried(self, recipient: str, result: str) -> None:
        """Count a try."""
        self._tries.labels(recipient, result).inc()

    def ended(self, recipient: str, lane: str, outcome: Outcome, seconds: float) -> None:
        """Count an end; time it when something was delivered."""
        self._ends.labels(recipient, lane, outcome.value).inc()
        if outcome is Outcome.DELIVERED:
            self._seconds.labels(recipient, lane).observe(max(0.0, seconds))

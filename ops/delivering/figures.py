"""What the deliveries tell the metrics."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Protocol

from ops.delivering.outage import Outage
from ops.metrics import Metrics
from schemas.delivery import Outcome
from schemas.errors import Code
from schemas.topics import LANES


class Served(Protocol):
    """What is told of a recipient (`ops.delivering.recipient.Service`)."""

    @property
    def outage(self) -> Outage:
        """How it stands with the recipient."""

    @property
    def stopped(self) -> Code | None:
        """Why it gets nothing more until a person has looked; None while it does."""


STOPS: Final = (Code.RECIPIENT_GONE, Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.STEP_BUG)
"""Why a recipient may be stopped (`Denied`)."""


class Figures:
    """An `ops.delivering.courier.Observer`: tries and ends by recipient, and how long an end took."""

    def __init__(self, metrics: Metrics) -> None:
        self._tries = metrics.counter("delivery", "tries", "Tries to deliver.", ("recipient", "result"))
        self._ends = metrics.counter(
            "finished", "deliveries", "Deliveries with their end.", ("recipient", "lane", "outcome")
        )
        self._seconds = metrics.seconds("delivery", "From the routing decision to the receipt.", ("recipient", "lane"))
        who = ("recipient",)
        self._down = metrics.gauge("recipient_down", "seconds", "For how long the oldest failing delivery fails.", who)
        self._waiting = metrics.gauge("waiting", "deliveries", "Deliveries that wait for another try.", who)
        self._stopped = metrics.gauge(
            "recipient", "stopped", "1 once we stopped sending until a person has looked.", ("recipient", "code")
        )

    def watch(self, name: str, service: Served, stops: Iterable[Code] = STOPS) -> None:
        """Measure a recipient whenever somebody asks, from the first moment."""
        self._down.labels(name).set_function(lambda: service.outage.seconds(datetime.now(UTC)))
        self._waiting.labels(name).set_function(lambda: float(service.outage.waiting))
        for lane in LANES:
            for outcome in Outcome:
                self._ends.labels(name, lane, outcome.value)
        for code in stops:
            self._stopped.labels(name, code.value).set_function(_stopped_by(service, code))

    def tried(self, recipient: str, result: str) -> None:
        """Count a try."""
        self._tries.labels(recipient, result).inc()

    def ended(self, recipient: str, lane: str, outcome: Outcome, seconds: float) -> None:
        """Count an end; time it when something was delivered."""
        self._ends.labels(recipient, lane, outcome.value).inc()
        if outcome is Outcome.DELIVERED:
            self._seconds.labels(recipient, lane).observe(max(0.0, seconds))


def _stopped_by(service: Served, code: Code) -> Callable[[], float]:
    return lambda: float(service.stopped is code)

"""Alerts of a proof: a real Prometheus scrapes, evaluates the faster rules, and tells what fired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.health import Readiness
from ops.http import operation_app, served
from ops.metrics import Metrics
from ops.operating import ready_gauge
from ops.prove.alerting import REMEDY, Raised, Scraper, Target, _spans, available
from ops.prove.expected_alerts import EXPECTED, Expected
from tests.waiting import until


@asynccontextmanager
async def _process(metrics: Metrics) -> AsyncIterator[str]:
    async def ready() -> Readiness:
        return Readiness(ready=True)

    async with served(operation_app(metrics.registry, ready), "127.0.0.1", 0) as url:
        yield url


@pytest.mark.skipif(not available(), reason=REMEDY)
async def test_what_should_fire_fires_and_nothing_else(tmp_path: Path) -> None:
    """A healthy process raises nothing; one that is gone is told as down, and its end too when it is back."""
    address: dict[str, str | None] = {}
    healthy, failing = Metrics(), Metrics()
    ready_gauge(healthy).set(1)
    ready_gauge(failing).set(1)
    targets = [
        Target("intake-1", "intake", lambda: address.get("intake-1")),
        Target("deliver-1", "deliver", lambda: address.get("deliver-1")),
    ]
    async with _process(healthy) as one:
        address["intake-1"] = one
        async with Scraper(tmp_path, targets, factor=60).running() as scraper:

            async def names() -> set[str]:
                return {alert.alert for alert in await scraper.raised()}

            async with _process(failing) as two:
                address["deliver-1"] = two
                ready_gauge(failing).set(0)
                await until(names, 30, "RoleNotReady")
                assert await names() == {"RoleNotReady"}
            address["deliver-1"] = None

            async def down() -> bool:
                return "RoleDown" in await names()

            await until(down, 30, "RoleDown")
            found = await scraper.raised()
    assert {alert.alert for alert in found} == {"RoleNotReady", "RoleDown"}
    assert {alert.labels["instance"] for alert in found} == {"deliver-1"}
    assert all(alert.from_s <= alert.until_s for alert in found)


def test_an_alert_that_went_and_came_is_told_twice() -> None:
    """One span for each time without a gap."""
    metric = {"__name__": "ALERTS", "alertname": "RoleDown", "alertstate": "firing", "job": "tally"}
    assert _spans(metric, [(1.0, "1"), (2.0, "1"), (9.0, "1")]) == [
        Raised("RoleDown", {"job": "tally"}, 1.0, 2.0),
        Raised("RoleDown", {"job": "tally"}, 9.0, 9.0),
    ]


def test_what_is_missing_and_what_is_too_much() -> None:
    """Each that must, at least one of several, and none beside."""
    assert EXPECTED["none"].unexpected(["RoleDown"]) == {"RoleDown"}
    assert EXPECTED["step-raises"].missing([]) == {"StepFails"}
    assert EXPECTED["step-raises"].unexpected(["StepFails", "QuarantineGrows"]) == set()
    either = Expected(one_of=frozenset({"A", "B"}))
    assert either.missing(["B"]) == set()
    assert either.missing(["C"]) == {"A", "B"}

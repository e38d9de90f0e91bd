"""Readiness: every held partition moves, or has nothing to move; asked over HTTP as an orchestrator asks."""

import asyncio
import time
from dataclasses import replace

import aiohttp
import pytest
from aiokafka.errors import KafkaConnectionError

from ops.health import Readiness, Watched, readiness
from ops.http import operation_app, served
from ops.metrics import Metrics, ShellMetrics
from schemas.errors import Misconfigured
from streams.contract import NOTHING, Outcome, Processor, Record, State


def _step(_: State, __: Record) -> Outcome:
    return Outcome((), NOTHING, ())


PROCESSOR = Processor("route", "incident.facts", (), _step, lambda _: b"", lambda raw: raw)


class FixedLags:
    """Tells made-up lags, or fails."""

    def __init__(self, lags: dict[int, int] | None = None) -> None:
        self.lags = lags
        self.asked: list[tuple[int, ...]] = []

    async def of(self, group: str, topic: str, partitions: tuple[int, ...]) -> dict[int, int]:
        """See `ops.health.Lags`."""
        self.asked.append(partitions)
        if self.lags is None:
            raise KafkaConnectionError
        return {part: self.lags[part] for part in partitions}


def _watched() -> tuple[Watched, ShellMetrics]:
    told = ShellMetrics(Metrics(), PROCESSOR)
    return Watched("route", "sztab.route.incident.facts", "sztab.incident.facts", told), told


async def test_not_ready_before_the_first_assignment() -> None:
    """A process that was never given a partition must not pass for one that has nothing to do."""
    watched, _ = _watched()
    assert not (await readiness([watched], FixedLags({}), 30)).ready


async def test_a_recent_commit_is_enough() -> None:
    """While commits come nobody is asked."""
    watched, told = _watched()
    told.held([0, 1])
    told.committed({0: 5, 1: 7})
    lags = FixedLags(None)
    assert (await readiness([watched], lags, 30)).ready
    assert lags.asked == []


async def test_an_idle_partition_is_ready_and_a_stuck_one_is_not() -> None:
    """Without commits the lag decides, as the separate client measured it, for those partitions only."""
    watched, told = _watched()
    told.held([0, 1, 2])
    told.committed({0: 5})
    assert (await readiness([watched], FixedLags({1: 0, 2: 0}), 30)).ready
    stuck = await readiness([watched], FixedLags({1: 0, 2: 9}), 30)
    assert stuck.why == ("route: partition 2 stands still with a lag of 9",)


async def test_an_excused_lane_is_ready() -> None:
    """A recipient that is down is told as such; the process that waits for it is well."""
    watched, told = _watched()
    told.held([0])
    excused = replace(watched, excused=lambda: True)
    assert not (await readiness([watched], FixedLags({0: 3}), 30)).ready
    assert (await readiness([excused], FixedLags({0: 3}), 30)).ready


async def test_an_old_commit_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is the setting's: the partition that committed longer ago is asked about."""
    watched, told = _watched()
    told.held([0])
    told.committed({0: 5})
    later = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not (await readiness([watched], FixedLags({0: 1}), 30)).ready


async def test_unknown_lag_is_not_ready() -> None:
    """A cluster that does not answer leaves the question open, and open is not ready."""
    watched, told = _watched()
    told.held([0])
    assert not (await readiness([watched], FixedLags(None), 30)).ready


async def test_lost_partitions_are_forgotten() -> None:
    """A commit of an earlier ownership says nothing about this one."""
    watched, told = _watched()
    told.held([0])
    told.committed({0: 5})
    told.held([])
    told.held([0])
    assert not (await readiness([watched], FixedLags({0: 3}), 30)).ready


async def test_pages_over_http() -> None:
    """Metrics by their names, live, ready or 503 with the reason, and the page of a code."""
    metrics = Metrics()
    told = ShellMetrics(metrics, PROCESSOR)
    told.stepped(0, 3, 0.01)
    answers = [Readiness(ready=True), Readiness(ready=False, why=("route: stands still",))]

    async def ready() -> Readiness:
        return answers.pop(0)

    app = operation_app(metrics.registry, ready)
    async with served(app, "127.0.0.1", 0) as url, aiohttp.ClientSession() as session:

        async def got(path: str) -> tuple[int, str]:
            async with session.get(url + path) as answer:
                return answer.status, await answer.text()

        labels = 'input="incident.facts",processor="route"'
        assert f"sztab_stepped_records_total{{{labels}}} 3.0" in (await got("/metrics"))[1]
        assert (await got("/health/live"))[0] == 200
        assert (await got("/health/ready"))[0] == 200
        status, text = await got("/health/ready")
        assert status == 503
        assert "route: stands still" in text
        assert "Java" in (await got("/problems/tool-missing"))[1]
        assert (await got("/problems/no-such-code"))[0] == 404


async def test_a_taken_port_is_one_clear_sentence() -> None:
    """Two roles on one port: the second says so and does not start."""
    app = operation_app(Metrics().registry, _always)
    async with served(app, "127.0.0.1", 0) as url:
        port = int(url.rsplit(":", 1)[1])
        with pytest.raises(Misconfigured, match="cannot listen on"):
            async with served(operation_app(Metrics().registry, _always), "127.0.0.1", port):
                await asyncio.sleep(0)


async def _always() -> Readiness:
    return Readiness(ready=True)


def test_metric_names_obey_the_law() -> None:
    """`sztab_<noun>_<unit>_total`, and the same metric when asked twice."""
    metrics = Metrics()
    made = metrics.counter("accepted", "documents", "Documents accepted.", ("source",))
    assert metrics.counter("accepted", "documents", "Documents accepted.", ("source",)) is made
    with pytest.raises(ValueError, match="no name of a metric"):
        metrics.counter("Accepted", "documents", "wrong")

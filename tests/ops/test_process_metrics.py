"""What every process tells of itself, and what console and deliveries tell the metrics."""

import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from ops.console.board import Board
from ops.console.figures import ConsoleFigures
from ops.console.hub import QUEUE, Hub, Reader
from ops.delivering.figures import Figures
from ops.delivering.outage import Outage
from ops.metrics import Metrics
from ops.process_metrics import ProcessFigures, memory_used
from schemas.errors import Code, Unavailable
from schemas.feed import Alarm, AlarmClass

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_the_clock_is_told_as_it_stands() -> None:
    """A wrong one is seen by whoever compares it with his own."""
    registry = CollectorRegistry()
    ProcessFigures(registry, clock=lambda: 1234.5, used=lambda: 0.25)
    assert registry.get_sample_value("sztab_clock_seconds") == 1234.5
    assert registry.get_sample_value("sztab_memory_used_ratio") == 0.25


def test_memory_is_a_share_of_the_containers_limit(tmp_path: Path) -> None:
    """Without one nothing is said; with one the resident pages count."""
    statm = tmp_path / "statm"
    statm.write_text("1000 100 1 1 1 1 1")
    assert memory_used(tmp_path, statm) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_used(tmp_path, statm) == 0
    (tmp_path / "memory.max").write_text(f"{200 * resource.getpagesize()}\n")
    assert memory_used(tmp_path, statm) == 0.5


def test_memory_is_a_share_of_the_address_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `ulimit -v` is the nearer limit."""
    statm = tmp_path / "statm"
    statm.write_text("900 100 1 1 1 1 1")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000 * resource.getpagesize(), resource.RLIM_INFINITY))
    assert memory_used(tmp_path, statm) == 0.9


def test_alarms_that_stand_and_readers_that_were_dropped() -> None:
    """By kind and loudness while they stand; a reader that does not read is counted once."""
    registry, board = CollectorRegistry(), Board()
    hub = Hub("e", board.snapshot, read_ms=lambda: 2500)
    ConsoleFigures(registry, board, hub)
    alarm = Alarm(
        alarm_id="a",
        kind="feed-silent",
        subject="cpr",
        alarm_class=AlarmClass.URGENT,
        active=True,
        raised_at=NOW,
        changed_at=NOW,
    )
    board.apply(alarm)
    labels = {"kind": "feed-silent", "loud": "urgent"}
    assert registry.get_sample_value("sztab_active_alarms", labels) == 1
    board.apply(alarm.model_copy(update={"active": False}))
    assert registry.get_sample_value("sztab_active_alarms", labels) is None
    hub.readers.add(Reader())
    assert registry.get_sample_value("sztab_console_readers") == 1
    for number in range(QUEUE + 1):
        hub.publish("x", {"n": number})
    assert registry.get_sample_value("sztab_console_dropped_readers_total") == 1
    assert registry.get_sample_value("sztab_console_read_seconds") == 2.5


class Recipient:
    """As `ops.delivering.recipient.Service` shows itself."""

    def __init__(self) -> None:
        self.outage = Outage("psp")
        self.stopped: Code | None = None


def test_a_recipient_that_is_down_or_stopped_is_told() -> None:
    """For how long, how many wait, and why it gets nothing more."""
    metrics, psp = Metrics(), Recipient()
    Figures(metrics).watch("psp", psp)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"recipient": "psp", **labels})

    refused = {"lane": "urgent", "outcome": "quarantined"}
    assert value("sztab_finished_deliveries_total", **refused) == 0, "counted from the start, or the first is missed"
    assert value("sztab_recipient_down_seconds") == 0
    since = datetime.now(UTC) - timedelta(seconds=90)
    psp.outage.failed("d1", Unavailable(Code.FAR_SIDE_UNAVAILABLE, "away"), since, urgent=True)
    assert 90 <= (value("sztab_recipient_down_seconds") or 0) < 150
    assert value("sztab_waiting_deliveries") == 1
    psp.outage.over("d1")
    assert value("sztab_recipient_down_seconds") == 0
    psp.stopped = Code.RECIPIENT_GONE
    assert value("sztab_recipient_stopped", code="recipient-gone") == 1
    assert value("sztab_recipient_stopped", code="forbidden") == 0

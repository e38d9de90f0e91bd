"""`metrics.md`: every metric that a role exports, made from the registries that the roles fill."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry

from connectors.intake_metrics import IntakeMetrics
from ops.aside.gauges import Gauges
from ops.bookkeeping.telling import Figures as LedgerFigures
from ops.console.board import Board
from ops.console.figures import ConsoleFigures
from ops.console.hub import Hub
from ops.delivering.figures import Figures
from ops.delivering.outage import Outage
from ops.handbook_settings import MADE
from ops.metrics import Metrics, ShellMetrics
from ops.operating import ready_gauge
from ops.supervisor import deaths_counter
from ops.tallying import tally_gauges
from ops.watchdog import WatchFigures
from schemas.errors import Code
from streams.contract import NOTHING, Outcome, Processor

EVERY: Final = "every role"
NONE: Final = Outcome((), NOTHING, ())
HEAD: Final = "| metric | labels | from | what it tells |"


class _Nobody:
    """A recipient for the page alone."""

    outage = Outage("example")
    stopped: Code | None = None


def _intake(metrics: Metrics) -> None:
    told = IntakeMetrics(metrics.registry)
    told.watch(lambda: 0.0, lambda: 0, lambda: None, lambda: True)
    told.start(["example"])
    Gauges(metrics)


def _ledger(metrics: Metrics) -> None:
    LedgerFigures(metrics, ["example"])


def _streams(metrics: Metrics) -> None:
    ShellMetrics(metrics, Processor("example", "example", (), lambda *_: NONE, lambda _: b"", lambda raw: raw))
    WatchFigures(metrics)


def _deliver(metrics: Metrics) -> None:
    Figures(metrics).watch("example", _Nobody())
    WatchFigures(metrics)


def _tally(metrics: Metrics) -> None:
    tally_gauges(metrics)
    WatchFigures(metrics)


def _console(metrics: Metrics) -> None:
    board = Board()
    ConsoleFigures(metrics.registry, board, Hub("example", board.snapshot))


def _supervisor(metrics: Metrics) -> None:
    deaths_counter(metrics)


FILLED: Final[dict[str, Callable[[Metrics], None]]] = {
    "intake": _intake,
    "streams": _streams,
    "ledger": _ledger,
    "deliver": _deliver,
    "tally": _tally,
    "console": _console,
    "supervisor": _supervisor,
}
"""Role, which is the `job` of its scrape -> what fills its registry beside what every role has."""


def registries() -> dict[str, CollectorRegistry]:
    """A registry for each role, filled as the role fills it."""
    made = {}
    for role, fill in FILLED.items():
        metrics = Metrics()
        ready_gauge(metrics)
        fill(metrics)
        made[role] = metrics.registry
    return made


def samples(registry: CollectorRegistry) -> dict[str, tuple[tuple[str, ...], str]]:
    """Name of each family as the rules write it -> its labels and what it tells."""
    found = {}
    for collector in list(registry._collector_to_names):  # noqa: SLF001 - what has no sample yet is told nowhere else
        for family in _described(collector):
            labels: tuple[str, ...] = getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ())
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = (tuple(labels), family.documentation)
    return found


def _described(collector: Any) -> Iterator[Any]:
    yield from (collector.describe() if hasattr(collector, "describe") else collector.collect())


def catalogue() -> dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]]:
    """Name -> labels, meaning, roles that export it."""
    found: dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {}
    for role, registry in registries().items():
        for name, (labels, text) in samples(registry).items():
            roles = found.get(name, ((), "", ()))[2]
            found[name] = (labels, text, (*roles, role))
    return found


def metrics_page() -> str:
    """`metrics.md`."""
    lines = [
        "# Metrics",
        "",
        MADE,
        (
            "Every role serves them at `/metrics` of its operation address (`sztab status`). A scrape adds `job`, the "
            "role's name, and `instance`; `ops/alerts/README.md` says how. Labels come from closed sets, and no metric "
            "names a person. A histogram has `_bucket`, `_sum` and `_count`."
        ),
        "",
        HEAD,
        "|---|---|---|---|",
    ]
    for name, (labels, text, roles) in sorted(catalogue().items()):
        told = EVERY if len(roles) == len(FILLED) else ", ".join(roles)
        shown = ", ".join(f"`{one}`" for one in labels) or "-"
        lines.append(f"| `{name}` | {shown} | {told} | {text} |")
    return "\n".join(lines) + "\n"

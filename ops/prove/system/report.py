"""What a proof says at its end: a table for the terminal, one line for programs, one page for people."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from ops.prove.system.page import page as page
from ops.prove.system.store import Store as Store
from ops.prove.system.timeline import timeline as timeline
from ops.prove.system.totals import Row as Row
from ops.prove.system.totals import Run as Run
from ops.prove.system.totals import Skipped as Skipped
from ops.prove.system.totals import convictions as convictions
from ops.prove.system.totals import rows as rows
from ops.prove.system.totals import total as total

FIGURES: Final = (
    "runs",
    "accepted",
    "delivered",
    "quarantined",
    "lost",
    "doubled",
    "order_inversions",
    "unexpected",
    "recovery_seconds",
    "answered_2xx_share",
    "loss_upper_bound",
)
"""Of each fault in the line for programs, in this order."""
_HEADS: Final = (
    "fault",
    "runs",
    "accepted",
    "delivered",
    "aside",
    "lost",
    "doubled",
    "order",
    "nobody's",
    "recovery",
    "2xx in 2s",
    "stall",
    "p99",
    "lost <",
    "",
)
"""Of the table."""
MARK: Final = "!"
"""Stands beside a figure that must be 0 and is not."""


def json_line(
    found: Sequence[Row], skipped: Sequence[Skipped] = (), convicted: Mapping[str, bool] | None = None
) -> bytes:
    """One line of JSON: the figures of each fault; what was skipped and why; convicted builds; what failed."""
    return orjson.dumps(
        {
            "faults": {row.fault: {name: _short(getattr(row, name)) for name in FIGURES} for row in found},
            "skipped": [{"fault": one.fault, "variant": one.variant, "reason": one.reason} for one in skipped],
            "convictions": dict(convicted or {}),
            "details": {
                row.fault: {
                    "passed": row.passed,
                    "seeds": row.seeds,
                    "failures": row.failures,
                    "longest_stall_seconds": _short(row.longest_stall_seconds),
                    "slowest_recovery_seconds": _short(row.slowest_recovery_seconds),
                    "emergency_2xx_share": _short(row.emergency_2xx_share),
                    "p99_seconds": _short(row.p99_seconds),
                    "urgent_overtaken": row.urgent_overtaken,
                    "alerts_missing": row.alerts_missing,
                    "alerts_unexpected": row.alerts_unexpected,
                }
                for row in found
            },
        }
    )


def table(
    found: Sequence[Row],
    whole: Row | None = None,
    skipped: Sequence[Skipped] = (),
    convicted: Mapping[str, bool] | None = None,
) -> str:
    """The table, and below it in words what failed, what was skipped and which builds were convicted.

    A figure that must be 0 and is not has an exclamation mark; `lost <` is the bound of 95 %, in reports per million.
    """
    lines = [_HEADS, *(_cells(row) for row in found)]
    if whole is not None and len(found) > 1:
        lines.append(_cells(whole))
    widths = [max(len(line[at]) for line in lines) for at in range(len(_HEADS))]
    printed = ["  ".join(_put(cell, at, widths[at]) for at, cell in enumerate(line)).rstrip() for line in lines]
    rule = "-" * max(map(len, printed))
    printed.insert(1, rule)
    if whole is not None and len(found) > 1:
        printed.insert(-1, rule)
    return "\n".join([*printed, *_words(found, skipped, convicted or {})])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.fault,
        f"{row.runs}",
        f"{row.accepted:,}",
        f"{row.delivered:,}",
        f"{row.quarantined:,}",
        *(_zero(count) for count in (row.lost, row.doubled, row.order_inversions, row.unexpected)),
        _seconds(row.recovery_seconds),
        _percent(row.answered_2xx_share),
        _seconds(row.longest_stall_seconds),
        _seconds(row.p99_seconds),
        "-" if row.loss_upper_bound is None else f"{row.loss_upper_bound * 1e6:,.0f}/M",
        "ok" if row.passed else "FAILED",
    )


def _words(found: Sequence[Row], skipped: Sequence[Skipped], convicted: Mapping[str, bool]) -> list[str]:
    told = [f"  {failure}" for row in found for failure in row.failures]
    out = ["", "failed:", *told] if told else []
    if skipped:
        out += [
            "",
            "skipped, and so far unproven:",
            *(f"  {one.fault}, {one.variant}: {one.reason}" for one in skipped),
        ]
    if convicted:
        words = {True: "convicted, as it must be", False: "NOT CONVICTED: the proof proves nothing"}
        out += [
            "",
            "builds with a safety taken out:",
            *(f"  {name}: {words[done]}" for name, done in convicted.items()),
        ]
    return out


def _put(cell: str, at: int, width: int) -> str:
    return cell.ljust(width) if at in {0, len(_HEADS) - 1} else cell.rjust(width)


def _zero(count: int) -> str:
    return "0" if not count else f"{MARK}{count:,}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}s" if value >= 1 else f"{value * 1000:.0f}ms"


def _percent(value: float | None) -> str:
    """Rounded down, so that 100 % is said only of all."""
    return "-" if value is None else f"{int(value * 10_000) / 100:.2f}%"


def _short(value: Any) -> Any:
    """Seconds to the millisecond, shares and bounds as they are to seven digits."""
    return value if not isinstance(value, float) else float(f"{value:.7g}")

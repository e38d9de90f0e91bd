"""The page of a proof: self-contained, no script, readable on white, on a dark screen and on paper."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ops.prove.system.totals import Row, Run, Skipped, total

HERE: Final = Path(__file__).parent


def page(
    found: Sequence[Row],
    runs: Sequence[Run],
    skipped: Sequence[Skipped] = (),
    convicted: Mapping[str, bool] | None = None,
    made_at: str = "",
) -> str:
    """The whole page. `runs` with their drawings, also those with a safety taken out; `made_at` as it shall be read."""
    kept = [run for run in runs if not run.off]
    whole = total(runs)
    convictions = dict(convicted or {})
    return _template().render(
        found=found,
        whole=whole,
        skipped=skipped,
        convicted=convictions,
        sections=[(row, [run for run in kept if run.fault == row.fault]) for row in found],
        spoilt=[run for run in runs if run.off],
        failures=[failure for row in found for failure in row.failures],
        passed=bool(found) and all(row.passed for row in found) and all(convictions.values()),
        builds=list(dict.fromkeys(run.build for run in kept)),
        made_at=made_at,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"seconds": _seconds, "percent": _percent, "count": _count, "drawn": _drawn, "bound": _bound}
    return environment.get_template("page.html")


def _drawn(svg: str) -> Markup:
    """A drawing of `timeline.py`, which escapes what it writes."""
    return Markup(svg)  # noqa: S704 - from our own file of runs, made by our own code


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def _percent(value: float | None) -> str:
    """Rounded down, so that 100 % is said only of all."""
    return "–" if value is None else f"{int(value * 10_000) / 100:.2f} %"


def _count(value: float) -> str:
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _bound(value: float | None) -> str:
    """Per million."""
    if value is None:
        return "–"
    return _count(value * 1e6) if value >= 1e-5 else f"{value * 1e6:.1f}"

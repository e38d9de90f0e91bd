"""The page of an evaluation: curves, and the worst misses and links on a map, for a person to look at. No script."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ops.correlating.evaluating import Evaluation, nearest
from ops.correlating.measuring import BUDGETS, curve
from ops.correlating.playing import Decision
from ops.correlating.records import Heard
from ops.correlating.truth import metres

HERE: Final = Path(__file__).parent
SHOWN: Final = 30
WIDTH, HEIGHT, MARGIN = 640, 360, 44


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is shown."""

    key: str
    at: str
    category: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Two calls that belong together and were not found, or do not by labels and were; why, and where."""

    call: Call
    other: Call
    metres: float
    minutes: float
    bits: float
    why: str
    line: tuple[float, float, float, float] | None
    """Latitude and longitude of both."""


def page(told: Evaluation) -> str:
    """The whole page."""
    misses, links = worst_misses(told), worst_links(told)
    return _template().render(
        told=told,
        budgets=[str(one) for one in BUDGETS],
        curve=Markup(_curve(told)),  # noqa: S704 - numbers only
        calibration=Markup(_calibration(told)),  # noqa: S704 - likewise
        maps=[
            ("Worst misses", Markup(_map(misses)), misses),  # noqa: S704 - likewise
            ("Heaviest links that labels do not confirm", Markup(_map(links)), links),  # noqa: S704 - likewise
        ],
    )


def worst_links(told: Evaluation, count: int = SHOWN) -> list[Shown]:
    """The heaviest links that no label confirms, each with the nearest call of the incident."""
    false = {one.key for one in told.judged if not one.right and one.bits > float("-inf")}
    ranked = sorted((one for one in told.decisions if one.key in false), key=lambda one: -one.bits)
    return [_shown(told, one, nearest(told, one, one.members)) for one in ranked[:count]]


def worst_misses(told: Evaluation, count: int = SHOWN) -> list[Shown]:
    """Calls whose partner was not found, the lightest first, each with its nearest true partner."""
    missed = {one.key for one in told.judged if one.partner and not one.right}
    ranked = sorted((one for one in told.decisions if one.key in missed), key=lambda one: (one.bits, one.key))
    earlier: dict[str, list[str]] = {}
    for key in told.heard:
        earlier.setdefault(told.truth.cluster(key), []).append(key)
    found = []
    for one in ranked[:count]:
        mine = told.heard[one.key]
        partners = [
            key
            for key in earlier[told.truth.cluster(one.key)]
            if key != one.key and told.heard[key].at_ms <= mine.at_ms
        ]
        found.append(_shown(told, one, nearest(told, one, partners)))
    return found


def _shown(told: Evaluation, one: Decision, other: Heard) -> Shown:
    mine = told.heard[one.key]
    here, there = mine.told.place.position, other.told.place.position
    why = one.explanation.evidence if one.explanation else ()
    return Shown(
        _call(mine),
        _call(other),
        metres(mine, other),
        (mine.at_ms - other.at_ms) / 60_000,
        one.bits,
        ", ".join(f"{part.feature} {part.value}: {part.weight_bits:+.1f}" for part in why),
        (here.lat, here.lon, there.lat, there.lon) if here and there else None,
    )


def _call(one: Heard) -> Call:
    at = datetime.fromtimestamp(one.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return Call(one.key, at, one.told.category, one.where, one.told.report.told.description or "")


def _curve(told: Evaluation) -> str:
    """Found against labelled-false links per 1,000 calls, with the rules beside it."""
    most = 2 * BUDGETS[-1]
    points = [
        (1000 * point.false / told.calls, point.found / max(1, told.partners))
        for point in curve(told.judged)
        if 1000 * point.false / told.calls <= most
    ]
    path = " ".join(f"{_x(x / most):.1f},{_y(y):.1f}" for x, y in points)
    dots = "".join(
        f'<circle class="rule" cx="{_x(float(name) / most):.1f}" cy="{_y(share):.1f}" r="4"/>'
        for name, share in told.rule_shares.items()
    )
    return _plot(f'<polyline class="ours" points="{path}"/>{dots}', most, "labelled-false links per 1,000 calls")


def _calibration(told: Evaluation) -> str:
    dots = "".join(
        f'<circle class="ours" cx="{_x(one.said):.1f}" cy="{_y(one.right):.1f}" r="{3 + min(9, one.count**0.25):.1f}"/>'
        for one in told.calibration
    )
    line = f'<polyline class="grid" points="{_x(0)},{_y(0)} {_x(1)},{_y(1)}"/>'
    return _plot(line + dots, 1, "probability that was said (across), share right by labels (up)")


def _plot(inside: str, most: float, words: str) -> str:
    lines = "".join(
        f'<polyline class="grid" points="{_x(0)},{_y(part / 5)} {_x(1)},{_y(part / 5)}"/>'
        f'<text class="end" x="{MARGIN - 6}" y="{_y(part / 5) + 4}">{20 * part} %</text>'
        f'<text class="middle" x="{_x(part / 5)}" y="{HEIGHT - MARGIN + 16}">{most * part / 5:g}</text>'
        for part in range(6)
    )
    under = f'<text class="middle" x="{WIDTH / 2}" y="{HEIGHT - 8}">{words}</text>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">{lines}{inside}{under}</svg>'


def _x(part: float) -> float:
    return round(MARGIN + part * (WIDTH - 2 * MARGIN), 1)


def _y(part: float) -> float:
    return round(HEIGHT - MARGIN - part * (HEIGHT - 2 * MARGIN), 1)


def _map(shown: Sequence[Shown]) -> str:
    """The pairs where they lie, north up."""
    lines = [one.line for one in shown if one.line]
    if not lines:
        return ""
    lats, lons = [v for one in lines for v in one[::2]], [v for one in lines for v in one[1::2]]
    south, west = min(lats), min(lons)
    span = max(max(lats) - south, (max(lons) - west) * 0.7, 0.01)

    def x(lon: float) -> float:
        return round(MARGIN + (lon - west) * 0.7 / span * (WIDTH - 2 * MARGIN), 1)

    def y(lat: float) -> float:
        return round(WIDTH - MARGIN - (lat - south) / span * (WIDTH - 2 * MARGIN), 1)

    drawn = "".join(
        f'<circle class="ours" cx="{x(lon)}" cy="{y(lat)}" r="4"/>'
        f'<circle class="rule" cx="{x(its_lon)}" cy="{y(its_lat)}" r="4"/>'
        f'<text x="{x(lon)}" y="{y(lat)}" dx="6">{number}</text>'
        for number, (lat, lon, its_lat, its_lon) in enumerate(lines, 1)
    )
    return f'<svg viewBox="0 0 {WIDTH} {WIDTH}" role="img" aria-label="map">{drawn}</svg>'


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": lambda value: f"{100 * value:.1f} %"}
    return environment.get_template("page.html")

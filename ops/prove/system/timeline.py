"""The drawing of one run: faults as bands, each report's latency as a dot, answers and backlog below. Plain SVG.

Thinned out to some ten kilobytes whatever the run's size: of dots that would cover one another one stays. Its colours
are classes of the page's style sheet.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, NamedTuple

from ops.prove.system.history import Evidence, Strike
from ops.prove.system.judge import Judgement
from ops.prove.system.known import BAD, Known, index
from ops.prove.system.measures import HEAL, PROMPT_SECONDS

WIDTH: Final = 960
LEFT: Final = 52
RIGHT: Final = 12
TOP: Final = 50
LATENCY: Final = (TOP, 150)
"""Upper edge and height of a plot."""
ANSWERED: Final = (TOP + 150 + 26, 40)
BACKLOG: Final = (TOP + 150 + 26 + 40 + 26, 56)
HEIGHT: Final = BACKLOG[0] + BACKLOG[1] + 22
DECADES: Final = (-3, 3)
"""The latency's axis, in powers of ten of a second: a millisecond to a thousand seconds at most."""
CELL: Final = 3
"""Dots are so far apart at least, in pixels."""
MOST_DOTS: Final = 1000
MOST_LABELS: Final = 24
COLUMNS: Final = 240


class _Axis(NamedTuple):
    """Seconds of the run to pixels."""

    begin: float
    end: float

    def x(self, at: float) -> float:
        """Where a moment stands; moments outside stand at the edge."""
        share = (at - self.begin) / (self.end - self.begin)
        return round(LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT), 1)


def timeline(evidence: Evidence, judgement: Judgement) -> str:
    """The drawing, an `svg` element; empty for a run in which nothing was told."""
    if not evidence.operations:
        return ""
    known = index(evidence)
    axis = _axis(evidence)
    slowest = max([judgement.p99_seconds or 1.0, *_slowest(known)])
    top = min(DECADES[1], max(1, math.ceil(math.log10(slowest)))) if slowest > 0 else 1
    label = f"{evidence.fault}, seed {evidence.seed}: latency, answers and backlog over {axis.end - axis.begin:.0f} s"
    parts = [
        f'<svg class="run" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">',
        *_bands(evidence.strikes, axis),
        *_frames(axis, top),
        *_dots(known, axis, top),
        *_answers(evidence, axis),
        *_backlog(evidence, judgement, axis),
        "</svg>",
    ]
    return "".join(parts)


def _axis(evidence: Evidence) -> _Axis:
    begins = [one.attempts[0].t0 for one in evidence.operations if one.attempts]
    moments = [*begins, *(one.attempts[-1].t1 for one in evidence.operations if one.attempts)]
    moments += [one.at for one in evidence.effects] + [one.at for one in evidence.samples]
    moments += [at for one in evidence.strikes for at in (one.at, one.until) if at is not None]
    begin = min(moments, default=0.0)
    return _Axis(begin, max(max(moments, default=1.0), begin + 1.0))


def _slowest(known: Known) -> list[float]:
    waits = [
        effects[0].at - known.of_report[report].first
        for (report, _), effects in known.seen.items()
        if report in known.of_report and math.isfinite(known.of_report[report].first)
    ]
    return [max(waits)] if waits else []


def _text(x: float, y: float, said: str, kind: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(said)}</text>'


def _bands(strikes: Sequence[Strike], axis: _Axis) -> list[str]:
    """What was done: a band from beginning to end, a line for a moment; names above, those that fit."""
    drawn: list[str] = []
    free = [0.0, 0.0]
    labels = 0
    bottom = BACKLOG[0] + BACKLOG[1]
    for one in sorted(strikes, key=lambda strike: strike.at):
        x = axis.x(one.at)
        heal = one.what.startswith(HEAL)
        if one.until is not None and one.until > one.at:
            width = max(1.0, axis.x(one.until) - x)
            drawn.append(
                f'<rect class="band" x="{x}" y="{TOP - 22}" width="{width:.1f}" height="{bottom - TOP + 22}"/>'
            )
        drawn.append(f'<path class="{"heal" if heal else "strike"}" d="M{x} {TOP - 22}V{bottom}"/>')
        lane = next((number for number, end in enumerate(free) if end <= x), None)
        if lane is None or labels >= MOST_LABELS:
            continue
        labels += 1
        wide = 6.2 * len(one.what) + 8
        at = min(x, WIDTH - RIGHT - wide)
        free[lane] = at + wide
        drawn.append(_text(at + 2, 11 + 13 * lane, one.what, "heal" if heal else "strike"))
    return drawn


def _frames(axis: _Axis, top: int) -> list[str]:
    """Axes, grid and their words."""
    drawn = []
    for power in range(DECADES[0], top + 1):
        y = _latency_y(10.0**power, top)
        drawn.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        said = f"{10**power} s" if power >= 0 else f"{10 ** (power + 3)} ms"
        drawn.append(_text(LEFT - 6, y + 4, said, "end"))
    for (upper, height), words in ((ANSWERED, ("100 %", "0 %")), (BACKLOG, ())):
        drawn.append(
            f'<path class="grid" d="M{LEFT} {upper}H{WIDTH - RIGHT}M{LEFT} {upper + height}H{WIDTH - RIGHT}"/>'
        )
        drawn += [_text(LEFT - 6, upper + 4 + height * number, word, "end") for number, word in enumerate(words)]
    for (upper, _), said in (
        (LATENCY, "first try to effect"),
        (ANSWERED, f"first tries answered 2xx within {PROMPT_SECONDS:g} s"),
        (BACKLOG, "accepted and not arrived (area), backlog (line)"),
    ):
        drawn.append(_text(LEFT, upper - 6, said, "name"))
    whole = axis.end - axis.begin
    step = next((one for one in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600) if whole / one <= 12), 1800)
    for number in range(int(whole // step) + 1):
        drawn.append(_text(axis.x(axis.begin + number * step), HEIGHT - 8, f"{number * step} s", "middle"))
    return drawn


def _latency_y(seconds: float, top: int) -> float:
    share = (math.log10(max(seconds, 10.0 ** DECADES[0])) - DECADES[0]) / (top - DECADES[0])
    return round(LATENCY[0] + LATENCY[1] * (1 - min(1.0, share)), 1)


def _dots(known: Known, axis: _Axis, top: int) -> list[str]:
    """Each report at each recipient, by the time of its first try; those without an effect at the upper edge."""
    places: defaultdict[str, dict[tuple[int, int], None]] = defaultdict(dict)

    def put(kind: str, x: float, y: float) -> None:
        places[kind][round(x / CELL), round(y / CELL)] = None

    for one, report, recipient in known.pairs():
        x = axis.x(one.first)
        effects = known.seen.get((report, recipient))
        if effects:
            put("urgent" if one.urgent else "dot", x, _latency_y(effects[0].at - one.first, top))
        elif known.settled(one, report, recipient):
            put("aside", x, LATENCY[0] + 5)
        else:
            put("lost", x, LATENCY[0] + 10)
    return [
        f'<path class="{kind}" transform="scale({CELL})" d="{_path(_thin(places[kind]))}"/>'
        for kind in ("dot", "urgent", "aside", "lost")
        if kind in places
    ]


def _path(cells: Sequence[tuple[int, int]]) -> str:
    """Dots as strokes without length, each from where the last one was: short."""
    told, x, y = [], 0, 0
    for at, height in cells:
        told.append(f"m{at - x} {height - y}h0")
        x, y = at, height
    return "".join(told)


def _thin(cells: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Not more than fit; of each column the slowest stays."""
    ordered = sorted(cells)
    if len(ordered) <= MOST_DOTS:
        return ordered
    columns: defaultdict[int, list[int]] = defaultdict(list)
    for x, y in ordered:
        columns[x].append(y)
    each = max(2, MOST_DOTS // len(columns))
    kept = []
    for x, ys in columns.items():
        step = max(1.0, len(ys) / each)
        kept += [(x, ys[int(number * step)]) for number in range(min(each, len(ys)))]
    return kept


def _answers(evidence: Evidence, axis: _Axis) -> list[str]:
    """What share of first tries was answered in time, in each column; where none was made the line breaks."""
    width = (WIDTH - LEFT - RIGHT) / COLUMNS
    seen: defaultdict[int, list[bool]] = defaultdict(list)
    for one in evidence.operations:
        if one.attempts and one.what != BAD:
            first = one.attempts[0]
            prompt = first.outcome == "ok" and first.t1 - first.t0 <= PROMPT_SECONDS
            seen[int((axis.x(first.t0) - LEFT) / width)].append(prompt)
    upper, height = ANSWERED
    missing, line = [], []
    for column, told in sorted(seen.items()):
        share = sum(told) / len(told)
        x, y = LEFT + column * width, upper + height * (1 - share)
        line.append(f"M{x:.0f} {y:.0f}h{width:.1f}")
        if share < 1:
            missing.append(f"M{x:.0f} {upper}h{width:.1f}V{y:.0f}h-{width:.1f}z")
    return [f'<path class="unanswered" d="{"".join(missing)}"/>', f'<path class="answered" d="{"".join(line)}"/>']


def _backlog(evidence: Evidence, judgement: Judgement, axis: _Axis) -> list[str]:
    """Unseen as an area, the sampled backlog as a line, on one scale."""
    samples = [(one.at, one.values["backlog"]) for one in evidence.samples if "backlog" in one.values]
    unseen = [(at, float(count)) for at, count in judgement.unseen]
    most = max([1.0, *(value for _, value in (*samples, *unseen))])
    upper, height = BACKLOG
    drawn = [_text(LEFT - 6, upper + 4, f"{most:,.0f}", "end"), _text(LEFT - 6, upper + height + 4, "0", "end")]

    def points(values: Sequence[tuple[float, float]]) -> str:
        return "L".join(
            f"{axis.x(at)} {upper + height * (1 - value / most):.0f}" for at, value in _columns(values, axis)
        )

    if unseen:
        first, last = axis.x(unseen[0][0]), axis.x(unseen[-1][0])
        drawn.append(f'<path class="unseen" d="M{first} {upper + height}L{points(unseen)}L{last} {upper + height}z"/>')
    if samples:
        drawn.append(f'<path class="backlog" d="M{points(samples)}"/>')
    return drawn


def _columns(values: Sequence[tuple[float, float]], axis: _Axis) -> list[tuple[float, float]]:
    """The highest value of each column, and the last one."""
    width = (WIDTH - LEFT - RIGHT) / COLUMNS
    best: dict[int, tuple[float, float]] = {}
    for at, value in values:
        column = int((axis.x(at) - LEFT) / width)
        if column not in best or value > best[column][1]:
            best[column] = at, value
    return [*best.values(), values[-1]] if values else []

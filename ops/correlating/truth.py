"""What dispatchers decided: which calls were one incident. A lower bound: many merges leave no trace in a feed."""

import csv
import gzip
import io
import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

from ops.correlating.records import Heard
from schemas.errors import Code, Misconfigured
from streams.first_look import METRES_PER_DEGREE, metres_between

GZIP: Final = b"\x1f\x8b"


@dataclass(slots=True)
class Truth:
    """Clusters of calls. A call of no pair is a cluster of its own."""

    _parent: dict[str, str] = field(default_factory=dict)

    def join(self, one: str, other: str) -> None:
        """Both are one incident, and with them whatever each is one with."""
        a, b = self.cluster(one), self.cluster(other)
        if a != b:
            self._parent[max(a, b)] = min(a, b)

    def cluster(self, key: str) -> str:
        """The name of the call's cluster."""
        root = key
        while (above := self._parent.get(root, root)) != root:
            root = above
        while (above := self._parent.get(key, key)) != root:
            self._parent[key], key = root, above
        return root


@dataclass(frozen=True, slots=True)
class Reach:
    """How far apart two calls of one incident may lie to be looked for at all."""

    metres: float = 5_000.0
    minutes: float = 60.0


def pairs(file: Path, columns: tuple[str, str]) -> list[tuple[str, str]]:
    """The pairs of a CSV file, plain or gzip. Misconfigured when it cannot be read or lacks a column."""
    try:
        raw = file.read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(GZIP) else raw).decode("utf-8")
    except (OSError, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        detail = f"{file}: cannot be read ({type(error).__name__})"
        raise Misconfigured(Code.CONFIGURATION_INVALID, detail, "/pairs") from None
    reader = csv.DictReader(io.StringIO(text))
    if lacking := [name for name in columns if name not in (reader.fieldnames or ())]:
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"{file}: no column {', '.join(lacking)}", "/pairs")
    return [(row[columns[0]], row[columns[1]]) for row in reader]


def truth_of(told: Iterable[tuple[str, str]]) -> Truth:
    """The clusters of pairs."""
    truth = Truth()
    for one, other in told:
        truth.join(one, other)
    return truth


def earlier(heard: Sequence[Heard], reach: Reach) -> Iterator[tuple[Heard, list[tuple[float, Heard]]]]:
    """Each call that has earlier ones of its territory within reach, with those and how far off they are (metres)."""
    degrees = reach.metres / METRES_PER_DEGREE
    cells: defaultdict[tuple[str, int, int], deque[Heard]] = defaultdict(deque)
    for one in heard:
        position, unit = one.told.place.position, one.told.unit
        if position is None:
            continue
        # Twice as wide as high: degrees of longitude are shorter, up to 60 degrees north by half.
        x, y = int(position.lon // (2 * degrees)), int(position.lat // degrees)
        around: list[tuple[float, Heard]] = []
        for cell in product((x - 1, x, x + 1), (y - 1, y, y + 1)):
            others = cells.get((unit, *cell))
            if others is not None:
                while others and one.at_ms - others[0].at_ms > reach.minutes * 60_000:
                    others.popleft()
                told = ((metres(one, other), other) for other in others)
                around += [(far, other) for far, other in told if far <= reach.metres]
        if around:
            yield one, around
        cells[unit, x, y].append(one)


def metres(one: Heard, other: Heard) -> float:
    """Between two calls; infinite where one tells no point."""
    here, there = one.told.place.position, other.told.place.position
    return metres_between(here.lat, here.lon, there.lat, there.lon) if here and there else math.inf


def with_partner(heard: Sequence[Heard], truth: Truth, reach: Reach) -> set[str]:
    """Keys of the calls that had an earlier call of their cluster within reach: what can be found at all."""
    before: dict[str, list[Heard]] = {}
    found: set[str] = set()
    for one in heard:
        others = before.setdefault(truth.cluster(one.key), [])
        if any(_within(one, other, reach) for other in others):
            found.add(one.key)
        others.append(one)
    return found


def _within(one: Heard, other: Heard, reach: Reach) -> bool:
    return one.at_ms - other.at_ms <= reach.minutes * 60_000 and metres(one, other) <= reach.metres

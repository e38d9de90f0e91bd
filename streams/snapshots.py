"""What changed between two snapshots of a polled feed. Pure and order-free.

Warnings that are new or changed are told to every unit whose territory they touch, also to those that they no longer
touch. A warning gone before its end counts as withdrawn only when the snapshot is complete: where one row was not
understood, nothing is concluded about missing rows. What ended by its own time just leaves memory.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from schemas.finding import Finding, FindingCode
from schemas.notice import Notice, SnapshotTaken
from streams.territory import Territory


class Change(NamedTuple):
    """One warning for one unit: new or changed, or withdrawn (then as it was)."""

    unit: str
    notice: Notice
    withdrawn: bool


class Compared(NamedTuple):
    """The changes, the warnings to remember from now on, and the ids to forget."""

    changes: tuple[Change, ...]
    kept: Mapping[str, Notice]
    gone: tuple[str, ...]


def compare(known: Mapping[str, Notice], snapshot: SnapshotTaken, now: datetime, territory: Territory) -> Compared:
    """Compare the feed's last set with a snapshot taken at `now`."""
    shown = {notice.notice_id: canonical(notice) for notice in snapshot.items}
    changes: list[Change] = []
    kept: dict[str, Notice] = {}
    for name, notice in sorted(shown.items()):
        before = known.get(name)
        if before == notice:
            continue
        kept[name] = notice
        changes += _told(before, notice, territory)
    missing = sorted(set(known) - set(shown)) if snapshot.complete else []
    for name in missing:
        if not _over(known[name], now):
            changes += (Change(unit, known[name], withdrawn=True) for unit in touched(known[name], territory)[0])
    return Compared(tuple(changes), kept, tuple(missing))


def canonical(notice: Notice) -> Notice:
    """The warning with its codes sorted and single: feeds shuffle and double them at each poll."""
    teryt, areas = tuple(sorted(set(notice.teryt))), tuple(sorted(set(notice.areas)))
    if (teryt, areas) == (notice.teryt, notice.areas):
        return notice
    return notice.model_copy(update={"teryt": teryt, "areas": areas})


def touched(notice: Notice, territory: Territory) -> tuple[tuple[str, ...], bool]:
    """Units that a warning concerns, and whether its area was known; without one it is shown to all, never dropped."""
    if notice.teryt:
        return territory.touched(notice.teryt), True
    with_areas = {unit.name for unit in territory.units.values() if unit.areas}
    if notice.areas and with_areas:
        wanted = set(notice.areas)
        return tuple(name for name, unit in territory.units.items() if wanted & set(unit.areas)), True
    return tuple(territory.units), False


def _told(before: Notice | None, notice: Notice, territory: Territory) -> Iterable[Change]:
    units, known_area = touched(notice, territory)
    told = notice if known_area else _with_finding(notice)
    changes = [Change(unit, told, withdrawn=False) for unit in units]
    left = set(touched(before, territory)[0]) - set(units) if before else set()
    return [*changes, *(Change(unit, before, withdrawn=True) for unit in sorted(left) if before)]


def _with_finding(notice: Notice) -> Notice:
    if any(one.code is FindingCode.AREA_MISSING for one in notice.findings):
        return notice
    said = Finding(code=FindingCode.AREA_MISSING, at="/teryt", detail="no area that we know: shown to every unit")
    return notice.model_copy(update={"findings": (*notice.findings, said)})


def _over(notice: Notice, now: datetime) -> bool:
    return notice.ends_at is not None and notice.ends_at <= now

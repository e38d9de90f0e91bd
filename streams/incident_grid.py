"""Which incidents are near a point: a grid of cells, each with a short list of what stands in it.

A cell lists its incidents with what decides first (`Candidate`), so that those which cannot belong to a report are left
out without being looked at. It is written again when an incident moves, changes its kind, or has news after five quiet
minutes; not with every report.
"""

import math
import sys
from dataclasses import replace
from typing import Final, NamedTuple

from schemas.report import Mode
from streams.first_look import (
    EXTENT_M,
    METRES_PER_DEGREE,
    MOST_EXTENTS,
    SLOT_MS,
    metres_between,
    vagueness,
    worth_a_look,
)
from streams.incident_state import Candidate, Incident, Sighting
from streams.incident_turn import Turn
from streams.match_weights import Weights

CELL_LIMIT: Final = 512
"""How many candidates one cell holds; beyond it the one that came first is no candidate any more."""
_NEIGHBOURS: Final = tuple((x, y) for x in (-1, 0, 1) for y in (-1, 0, 1))


def stand(turn: Turn, incident: Incident) -> Incident:
    """Put the incident into the cell of its place, or list it there as it is now; not saved yet."""
    listed = _listed(turn.reference.weights, incident)
    if listed is None:
        return leave(turn, incident)
    old = incident.listed
    if old is not None and listed[:4] == old[:4] and listed.seen_ms - old.seen_ms < SLOT_MS:
        return incident
    x, y = _grid(turn, listed.lat, listed.lon)
    cell = f"{_cells(turn, incident.summary.mode)}{x}|{y}"
    if cell != incident.cell:
        incident = leave(turn, incident)
        turn.put(cell, (*(turn.get(cell) or ())[-CELL_LIMIT + 1 :], listed))
    else:
        others = tuple(one for one in turn.get(cell) or () if one[0] != listed.incident_id)
        turn.put(cell, (*others[-CELL_LIMIT + 1 :], listed))
    return replace(incident, cell=cell, listed=listed)


def leave(turn: Turn, incident: Incident) -> Incident:
    """Take the incident out of the grid: it is no candidate any more; not saved yet."""
    if not incident.cell:
        return incident
    left = tuple(one for one in turn.get(incident.cell) or () if one[0] != incident.summary.incident_id)
    if left:
        turn.put(incident.cell, left)
    else:
        turn.drop(incident.cell)
    return replace(incident, cell="", listed=None)


class Near(NamedTuple):
    """The incidents near a point that are worth a look, and how many open ones there are around it in all."""

    incidents: tuple[Incident, ...]
    open: int


def near(turn: Turn, mode: Mode, sighting: Sighting) -> Near:
    """What is near the point of a report; nothing where there is no point.

    The nine cells around a point reach at least `search_m` as far north as 60 degrees.
    """
    if sighting.lat is None or sighting.lon is None:
        return Near((), 0)
    x, y = _grid(turn, sighting.lat, sighting.lon)
    prefix = _cells(turn, mode)
    cells = (turn.get(f"{prefix}{x + dx}|{y + dy}") for dx, dy in _NEIGHBOURS)
    candidates = [one for cell in cells if cell for one in cell]
    around = worth_a_look(turn.reference.weights, sighting, candidates)
    found = (turn.incident(one) for one in around.ids)
    return Near(tuple(one for one in found if one is not None), around.open)


def _listed(weights: Weights, incident: Incident) -> Candidate | None:
    """How its cell lists it: at the sighting that gave the place, else at the last one if that has a point.

    Who moves is listed where they were seen last.
    """
    moving = incident.summary.category in weights.moving
    sightings = reversed(incident.sightings) if moving else incident.sightings
    at = next((one for one in sightings if one.lat is not None), None)
    if at is None or at.lat is None or at.lon is None:
        return None
    summary = incident.summary
    last_ms = max(one.at_ms for one in incident.sightings)
    vague, extent = vagueness(at.sigma_m), 0
    for one in incident.sightings:
        if one is not at and one.lat is not None and one.lon is not None:
            vague = max(vague, vagueness(one.sigma_m))
            extent = min(math.ceil(metres_between(at.lat, at.lon, one.lat, one.lon) / EXTENT_M), MOST_EXTENTS)
    kind = sys.intern(f"{summary.category}/{vague}+{extent}")  # many stand beside each other under few kinds
    return Candidate(summary.incident_id, at.lat, at.lon, kind, last_ms)


def _cells(turn: Turn, mode: Mode) -> str:
    return f"c|{turn.unit}|{mode.value}|"


def _grid(turn: Turn, lat: float, lon: float) -> tuple[int, int]:
    degrees = turn.reference.weights.shape.search_m / METRES_PER_DEGREE
    return int(lon // (degrees * 2)), int(lat // degrees)

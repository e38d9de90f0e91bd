"""Whether a report speaks of an incident that we know: match weights in bits, with what they are made of.

Pure. Fellegi and Sunter, "A Theory for Record Linkage" (1969): each feature gives log2 of its likelihood ratio, their
sum with the prior is the log-odds that both are the same. The numbers are data (`streams/weights/`).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from schemas.summary import Evidence, Explanation
from streams import likeness
from streams.incident_state import Candidate, Incident, Sighting
from streams.lifecycle import OVER
from streams.match_weights import SLOT_MS, Bounds, Likeness, Weights, vagueness

METRES_PER_DEGREE: Final = 111_195.0
"""Of latitude, on a sphere of 6,371 km; the error below 0.6 % is nothing beside the positions' own."""
MOST_BITS: Final = 60.0
"""More is as sure."""


def metres_between(lat: float, lon: float, other_lat: float, other_lon: float) -> float:
    """On a plane that touches the first point; far apart (hundreds of km) it is too much."""
    east = (lon - other_lon) * METRES_PER_DEGREE * math.cos(math.radians(lat))
    return math.hypot((lat - other_lat) * METRES_PER_DEGREE, east)


class Around(NamedTuple):
    """What is near a report: ids of the incidents that are worth a look, and how many open ones there are in all."""

    ids: list[str]
    open: int


@dataclass(frozen=True, slots=True)
class Match:
    """One incident that the report may belong to. `bits` is the sum of the parts; `telling` of those beyond place,
    time, kind and source.
    """

    incident: Incident
    bits: float
    telling: float
    parts: tuple[tuple[str, str, float], ...]


def worth_a_look(weights: Weights, report: Sighting, candidates: Iterable[Candidate]) -> Around:
    """The candidates that the best words could still bring to the threshold of suggestion.

    By the place, kind and last time that their cell lists, with `GRACE_M` and a slot of time of grace: what is left out
    could be a match only if the incident's reports lay further apart than that.
    """
    shape = weights.shape
    words = (weights.text.most if report.text else 0.0) + (weights.street.most if report.street else 0.0)
    best = weights.source_most + (shape.direction.same if report.direction else 0.0)
    lacking = weights.suggest_bits - shape.prior_bits - best - words - weights.least_bits
    lat, lon, at_ms, own = report.lat or 0.0, report.lon or 0.0, report.at_ms, vagueness(report.sigma_m)
    east_m = METRES_PER_DEGREE * math.cos(math.radians(lat))
    found: list[str] = []
    rules: dict[str, tuple[float, Bounds]] = {}
    around, crowd = shape.search_m**2 if shape.burst_bits else -1.0, 0
    for incident_id, its_lat, its_lon, kind, seen_ms in candidates:
        rule = rules.get(kind)
        if rule is None:
            bounds = weights.bounds(report.category, kind, own)
            rule = rules[kind] = bounds.reach(lacking - bounds.kind_bits - bounds.time_bits[0]), bounds
        north, east = (lat - its_lat) * METRES_PER_DEGREE, (lon - its_lon) * east_m
        squared = north * north + east * east
        if squared > rule[0] and squared > around:
            continue
        bounds, gap = rule[1], at_ms - seen_ms
        if gap > bounds.longest_ms:
            continue
        crowd += squared <= around
        time_bits = bounds.time_bits[gap // SLOT_MS] if gap > 0 else bounds.time_bits[0]
        if squared <= bounds.reach(lacking - bounds.kind_bits - time_bits):
            found.append(incident_id)
    return Around(found, crowd)


def best(
    weights: Weights, report: Sighting, shared: frozenset[str], incidents: Iterable[Incident], crowd: int = 1
) -> Match | None:
    """The incident that the report most likely belongs to, if by itself it reaches the threshold of suggestion.

    `shared` are the keys of identifiers that the report names, `crowd` how many open incidents are around. Where others
    fit as well the report can belong to one of them only, and the weight of the best is less by that. Of equal ones the
    id decides, so that a replay decides alike.
    """
    matches = [match for one in incidents if (match := score(weights, report, shared, one, crowd)) is not None]
    if not matches:
        return None
    first = max(matches, key=lambda match: (match.bits, match.incident.summary.incident_id))
    return _among(first, [one for one in matches if one is not first and not _perhaps_one(first, one)])


def _among(match: Match, rivals: Sequence[Match]) -> Match:
    """The match in the light of the others: the odds that it is this one, against none and against each of them."""
    bits = -math.log2(1 + sum(2.0 ** min(one.bits, MOST_BITS) for one in rivals))
    if round(bits, 2) == 0:
        return match
    return replace(match, bits=match.bits + bits, parts=(*match.parts, ("rivals", f"{len(rivals)} more fit", bits)))


def _perhaps_one(match: Match, other: Match) -> bool:
    """Whether a person was asked if these two are one incident: then they are no rivals."""
    one, two = match.incident.summary, other.incident.summary
    return any(said.target_id == two.incident_id for said in one.suggestions) or any(
        said.target_id == one.incident_id for said in two.suggestions
    )


def score(
    weights: Weights, report: Sighting, shared: frozenset[str], incident: Incident, crowd: int = 1
) -> Match | None:
    """The match of one report with one incident; None below the threshold of suggestion, or too far away to be one."""
    common = shared.intersection(incident.shared) if shared else frozenset[str]()
    shape, category = weights.shape, incident.summary.category
    nearest = _nearest(weights, report, incident, shape.never_beyond_m if common else shape.search_m)
    if nearest is None:
        return None
    seen, place, time, metres = nearest
    kind = weights.category_bits(report.category, category)
    source = weights.source_bits(report.system, seen.system)
    ids = _shared_bits(weights, common) if common else 0.0
    way = weights.direction_bits(report.direction, seen.direction)
    burst = -shape.burst_bits * math.log2(max(1, crowd))
    sure = shape.prior_bits + burst + place + time + kind + source + ids + way
    if sure + weights.text.most + weights.street.most < weights.suggest_bits:
        return None
    street = max([_likeness(weights.street, report.street, one.street) for one in incident.sightings])
    if sure + weights.text.most + street < weights.suggest_bits:
        return None
    text = max([_likeness(weights.text, report.text, one.text) for one in incident.sightings])
    bits = sure + text + street
    if bits < weights.suggest_bits:
        return None
    parts = [("prior", "before looking", shape.prior_bits)]
    parts += [("burst", f"{crowd} open incidents around", burst)] if burst else []
    if metres is not None:
        parts.append(("distance", f"{metres:.0f} m (±{sigma_m(weights, report, seen):.0f} m)", place))
    parts += [
        ("time-gap", f"{abs(report.at_ms - seen.at_ms) / 60_000:.1f} min", time),
        ("category-pair", f"{report.category} / {category}", kind),
        ("source-pair", f"{report.system} / {seen.system}", source),
    ]
    parts += [("direction", f"{report.direction} / {seen.direction}", way)] if way else []
    parts += [("shared-id", ", ".join(sorted({key.split("|", 1)[0] for key in common})), ids)] if common else []
    parts += [(name, "likeness of the words", part) for name, part in (("text", text), ("street", street)) if part]
    return Match(incident, bits, text + ids, tuple(parts))


def links(weights: Weights, report: Sighting, match: Match) -> bool:
    """Whether the machine links by itself; otherwise a person is asked.

    Never to an incident that is over, and never on place, time and kind alone where the kind is a careful one.
    """
    summary, careful = match.incident.summary, weights.shape.careful
    if match.bits < weights.auto_bits(report.category, summary.category) or summary.state in OVER:
        return False
    return match.telling >= careful.bits or not ({report.category, summary.category} & set(careful.categories))


def explanation(weights: Weights, match: Match) -> Explanation:
    """Why, for people: each feature with what was seen and what it counts. Holds no text and no id of anybody."""
    return Explanation(
        rule="weights",
        weight_bits=round(match.bits, 2),
        evidence=tuple(
            Evidence(feature=name, value=seen, weight_bits=round(bits, 2)) for name, seen, bits in match.parts
        ),
        version=weights.version,
    )


def _nearest(
    weights: Weights, report: Sighting, incident: Incident, reach_m: float
) -> tuple[Sighting, float, float, float | None] | None:
    """The incident's sighting that fits best by place and time, with both weights and the distance.

    None when any sighting is out of reach: so an incident does not drift along neighbours of neighbours.
    """
    found: tuple[Sighting, float, float, float | None] | None = None
    lat, lon = report.lat, report.lon
    east_m = METRES_PER_DEGREE * math.cos(math.radians(lat)) if lat is not None else 0.0
    for seen in incident.sightings:
        metres, place = None, 0.0
        if lat is not None and lon is not None and seen.lat is not None and seen.lon is not None:
            metres = math.hypot((lat - seen.lat) * METRES_PER_DEGREE, (lon - seen.lon) * east_m)
            if metres > reach_m + report.sigma_m + seen.sigma_m:
                return None
            place = weights.distance_bits(metres, sigma_m(weights, report, seen))
        gap = abs(report.at_ms - seen.at_ms)
        if gap > incident.window_ms:
            continue
        time = weights.time_bits(gap, incident.window_ms)
        if found is None or place + time > found[1] + found[2]:
            found = seen, place, time, metres
    return found


def sigma_m(weights: Weights, report: Sighting, seen: Sighting) -> float:
    """Standard deviation along one axis: half the kinds' radius, and both uncertainties (radius of two in three)."""
    spread = weights.spread_m(report.category, seen.category)
    return math.sqrt(spread * spread / 4 + (report.sigma_m**2 + seen.sigma_m**2) / 2.25)


def _shared_bits(weights: Weights, common: Iterable[str]) -> float:
    """The heaviest shared identifier counts whole; further ones say little more and count a bit each."""
    bits = sorted((weights.shape.shared.get(key.split("|", 1)[0], 0.0) for key in common), reverse=True)
    return bits[0] + min(len(bits) - 1, 3)


def _likeness(table: Likeness, one: str, other: str) -> float:
    percent = likeness.percent(one, other) if one and other else None
    return table.bits(percent) if percent is not None else 0.0

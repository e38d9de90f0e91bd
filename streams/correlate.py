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
from streams.feature_bits import Kinds, Likeness
from streams.first_look import METRES_PER_DEGREE
from streams.incident_state import Incident, Sighting
from streams.lifecycle import OVER
from streams.match_weights import Weights

MOST_BITS: Final = 60.0
"""More is as sure."""


Part = tuple[str, str, float]
"""Feature, what was seen of it, bits."""


@dataclass(frozen=True, slots=True)
class Match:
    """One incident that the report may belong to. `bits` is the sum of the parts; `telling` of those beyond place,
    time, kind and source. `apart`: one source told both, as kinds that are seldom one.
    """

    incident: Incident
    bits: float
    telling: float
    apart: bool
    parts: tuple[Part, ...]


def best(
    weights: Weights, report: Sighting, shared: frozenset[str], incidents: Iterable[Incident], crowd: int = 1
) -> Match | None:
    """The incident that the report most likely belongs to, if by itself it reaches the threshold of suggestion.

    `shared` are the keys of identifiers that the report names, `crowd` how many open incidents are around. Where others
    fit as well the report can belong to one of them only, and the weight of the best is less by that. Of equal ones the
    id decides, so that a replay decides alike.
    """
    look = _Look(weights, report, shared, crowd)
    matches = [match for one in incidents if (match := look.score(one)) is not None]
    if not matches:
        return None
    first = max(matches, key=lambda match: (match.bits, match.incident.summary.incident_id))
    return _among(first, [one for one in matches if one is not first and not _perhaps_one(first, one)])


def possible(weights: Weights, report: Sighting, shared: frozenset[str], incident: Incident) -> bool:
    """Whether the report could belong to the incident if only their words were alike enough."""
    return _Look(weights, report, shared, 1).sure(incident) is not None


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


class _Look:
    """One report on its way to an incident, with what is the same for all of them.

    A report meets dozens of incidents and matches hardly one: what rules most of them out comes first, and words, which
    cost most, last.
    """

    def __init__(self, weights: Weights, report: Sighting, shared: frozenset[str], crowd: int) -> None:
        self.weights, self.report, self.shared, self.crowd = weights, report, shared, crowd
        shape = weights.shape
        self.prior = shape.prior_bits - (shape.burst_bits * math.log2(max(1, crowd)) if shape.burst_bits else 0.0)
        self.east_m = METRES_PER_DEGREE * math.cos(math.radians(report.lat)) if report.lat is not None else 0.0
        self.search_m, self.beyond_m = shape.search_m, shape.never_beyond_m
        self.text_most, self.lacking = weights.text.most, weights.suggest_bits - self.prior
        self.words_most = self.text_most + weights.street.most
        self.kinds = weights.kinds(report.category)
        self.street, self.text = likeness.words(report.street), likeness.words(report.text)

    def score(self, incident: Incident) -> Match | None:
        """The match with one incident; None below the threshold of suggestion, or too far away to be one."""
        sure = self.sure(incident)
        if sure is None:
            return None
        weights = self.weights
        street = most_alike(weights.street, self.street, [one.street for one in incident.sightings])
        if sure.bits + street + self.text_most < self.lacking:
            return None
        text = most_alike(weights.text, self.text, [one.text for one in incident.sightings])
        bits = sure.bits + street + text
        if bits < self.lacking:
            return None
        apart = self.report.system == sure.seen.system and sure.kind < weights.one_source_bits
        return Match(incident, self.prior + bits, text + sure.ids, apart, self._parts(incident, sure, text, street))

    def sure(self, incident: Incident) -> "_Sure | None":
        """All but the words; None where not even the best of them would make a suggestion of it."""
        weights, report = self.weights, self.report
        common = self.shared.intersection(incident.shared) if self.shared else _NOTHING
        category = incident.summary.category
        kinds = self.kinds[category]
        moving = report.category in weights.moving or category in weights.moving
        nearest = self._nearest(incident, kinds, self.beyond_m if common else self.search_m, moving=moving)
        if nearest is None:
            return None
        seen, place, time, squared = nearest
        kind = kinds.bits
        source = weights.source_bits(report.system, seen.system)
        ids = _shared_bits(weights, common) if common else 0.0
        way = weights.direction_bits(report.direction, seen.direction) if report.direction else 0.0
        road = weights.road_bits(report.road, seen.road) if report.road else 0.0
        bits = place + time + kind + source + ids + way + road
        if bits + self.words_most < self.lacking:
            return None
        return _Sure(seen, place, time, squared, kind, source, way, road, common, ids, bits)

    def _parts(self, incident: Incident, sure: "_Sure", text: float, street: float) -> tuple[Part, ...]:
        report, shape, seen = self.report, self.weights.shape, sure.seen
        parts = [("prior", "before looking", shape.prior_bits)]
        if burst := self.prior - shape.prior_bits:
            parts.append(("burst", f"{self.crowd} open incidents around", burst))
        if sure.squared is not None:
            around = math.sqrt(_variance(self.kinds[incident.summary.category], report, seen))
            parts.append(("distance", f"{math.sqrt(sure.squared):.0f} m (±{around:.0f} m)", sure.place))
        parts += [
            ("time-gap", f"{abs(report.at_ms - seen.at_ms) / 60_000:.1f} min", sure.time),
            ("category-pair", f"{report.category} / {incident.summary.category}", sure.kind),
            ("source-pair", f"{report.system} / {seen.system}", sure.source),
        ]
        if sure.way:
            parts.append(("direction", _even(report.direction, seen.direction), sure.way))
        if sure.road:
            parts.append(("road", _even(report.road, seen.road), sure.road))
        if sure.common:
            parts.append(("shared-id", ", ".join(sorted({key.split("|", 1)[0] for key in sure.common})), sure.ids))
        parts += [(name, "likeness of the words", bits) for name, bits in (("text", text), ("street", street)) if bits]
        return tuple(parts)

    def _nearest(self, incident: Incident, kinds: Kinds, reach_m: float, *, moving: bool) -> "_Nearest | None":
        """The incident's sighting that fits best by place and time.

        None when any sighting is out of reach: so an incident does not drift along neighbours of neighbours.
        """
        found: _Nearest | None = None
        weights, report, window_ms = self.weights, self.report, incident.window_ms
        lat, lon, curve = report.lat, report.lon, weights.curve(window_ms)
        for seen in incident.sightings:
            squared, place, gap = None, 0.0, abs(report.at_ms - seen.at_ms)
            if lat is not None and lon is not None and seen.lat is not None and seen.lon is not None:
                north, east = (lat - seen.lat) * METRES_PER_DEGREE, (lon - seen.lon) * self.east_m
                squared = north * north + east * east
                vague = report.sigma_m + seen.sigma_m + (weights.driven_m(gap) if moving else 0.0)
                farthest = reach_m + vague
                if squared > farthest * farthest:
                    return None
                place = weights.fall.of(squared, _variance(kinds, report, seen))
                if moving and squared <= vague * vague:
                    place = max(place, weights.shape.moving.least_bits)
            if gap > window_ms:
                continue
            time = curve.bits(gap)
            if found is None or place + time > found[1] + found[2]:
                found = seen, place, time, squared
        return found


_NOTHING: Final[frozenset[str]] = frozenset()


class _Sure(NamedTuple):
    """What a report and an incident have in common beside words: the nearest sighting, bits of each feature, sum."""

    seen: Sighting
    place: float
    time: float
    squared: float | None
    kind: float
    source: float
    way: float
    road: float
    common: frozenset[str]
    ids: float
    bits: float


_Nearest = tuple[Sighting, float, float, float | None]
"""A sighting, the weights of its place and time, and the square of the distance to it, if it has a place."""


def links(weights: Weights, report: Sighting, match: Match) -> bool:
    """Whether the machine links by itself; otherwise a person is asked.

    Never to an incident that is over, and never on place, time and kind alone where the kind is a careful one, or where
    one source has told two kinds that are seldom one.
    """
    summary, careful = match.incident.summary, weights.shape.careful
    if match.bits < weights.auto_bits(report.category, summary.category) or summary.state in OVER:
        return False
    kinds = {report.category, summary.category, *(one.category for one in match.incident.sightings)}
    alone = match.apart or kinds & weights.careful
    return match.telling >= careful.bits or not alone


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


def sigma_m(weights: Weights, report: Sighting, seen: Sighting) -> float:
    """Standard deviation along one axis: half the kinds' radius, and both uncertainties (radius of two in three)."""
    return math.sqrt(_variance(weights.kinds(report.category)[seen.category], report, seen))


def _variance(kinds: Kinds, report: Sighting, seen: Sighting) -> float:
    """`kinds` with that of the incident, which a person or a later report may have corrected."""
    one, other = report.sigma_m, seen.sigma_m
    return kinds.variance + (one * one + other * other) / 2.25


def _even(one: str, other: str) -> str:
    """What an explanation says of two texts: never the texts, for callers put anything into them."""
    return "same" if one == other else "different"


def _shared_bits(weights: Weights, common: Iterable[str]) -> float:
    """The heaviest shared identifier counts whole; further ones say little more and count a bit each."""
    bits = sorted((weights.shape.shared.get(key.split("|", 1)[0], 0.0) for key in common), reverse=True)
    return bits[0] + min(len(bits) - 1, 3)


def most_alike(table: Likeness, one: likeness.Words, others: Sequence[str]) -> float:
    """Bits of the likeness with that of the others which is most alike; one that says nothing counts nothing."""
    if not one.stems:
        return 0.0
    most = -math.inf
    for other in others:
        percent = likeness.percent(one, likeness.words(other))
        bits = 0.0 if percent is None else table.bits(percent)
        most = max(most, bits)
    return most

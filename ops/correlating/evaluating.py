"""One evaluation: the matcher and the best rule of thumb on the same calls, judged on the part after the split."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from connectors.file.mapping import Mapping as FileMapping
from ops.bench.figures import percentile
from ops.correlating import measuring, rule
from ops.correlating.measuring import BUDGETS, Bin, Interval, Judged
from ops.correlating.playing import LINKED, SUGGESTED, Decision, Played, play
from ops.correlating.records import Heard, read
from ops.correlating.truth import Reach, Truth, metres, truth_of, with_partner
from streams import incident_reference, incidents, match_weights, normalise
from streams.categories import Catalogue
from streams.normalise import NormaliseReference

LISTENING_COST: Final = 2.0**-40
"""Of a false suggestion, at which every call with a candidate tells its weight, so that the curve is whole."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be evaluated. `split_ms`: what comes before it is for learning and tuning, None: there is none."""

    files: Sequence[tuple[Path, FileMapping]]
    pairs: Sequence[tuple[str, str]]
    weights: str | None = None
    """Text of a weights file; None: the built-in one."""
    split_ms: int | None = None
    reach: Reach = field(default_factory=Reach)
    seed: int = 1
    resamples: int = measuring.RESAMPLES


@dataclass(frozen=True, slots=True)
class Threshold:
    """What happens from one weight on: calls, how many of them rightly by labels, and the share of partners found."""

    bits: float
    calls: int
    right: int
    found_share: float


@dataclass(frozen=True, slots=True)
class Speed:
    """Of each call: seconds in the step, and incidents looked at."""

    seconds_p50: float
    seconds_p99: float
    looked_at_mean: float
    looked_at_p99: float


@dataclass(frozen=True)
class Evaluation:
    """Everything that came of it. `judged` and `decisions` are of the part after the split; `made` are the decisions
    with the threshold as it is.
    """

    calls: int
    refused: int
    partners: int
    shares: Mapping[str, Interval]
    rule_shares: Mapping[str, float]
    rules: Mapping[str, rule.Rule | None]
    automatic: Threshold
    suggested: Threshold
    suggestions_per_hour: float
    suggestions_right: Interval
    b_cubed: tuple[float, float]
    calibration: Sequence[Bin]
    speed: Speed
    version: str
    judged: Sequence[Judged]
    decisions: Sequence[Decision]
    made: Sequence[Decision]
    heard: Mapping[str, Heard]
    truth: Truth


def evaluate(asked: Asked, catalogue: Catalogue, places: NormaliseReference) -> Evaluation:
    """Play, judge, compare. The same files, weights and seed give the same figures but for the speed."""
    told = read(list(asked.files), normalise.processor("intake.emergency", places))
    truth = truth_of(asked.pairs)
    partners = with_partner(told.heard, truth, asked.reach)
    weights = asked.weights or match_weights.built_in_text()
    real = incident_reference.load(catalogue, weights=weights)
    played = play(told.heard, incidents.processor(real))
    listening = play(told.heard, incidents.processor(incident_reference.load(catalogue, weights=_listening(weights))))
    later = _later(asked.split_ms)
    judged = [_judged(one, truth, partners) for one in listening.decisions if later(one.at_ms)]
    decisions = [one for one in played.decisions if later(one.at_ms)]
    rules, rule_shares = _rules(told.heard, truth, partners, asked, later)
    suggested = [one for one in decisions if one.what == SUGGESTED]
    confirmed = sum(right(one, truth) for one in suggested)
    return Evaluation(
        calls=len(judged),
        refused=told.refused,
        partners=sum(one.partner for one in judged),
        shares=measuring.bootstrap(judged, asked.seed, asked.resamples),
        rule_shares=rule_shares,
        rules=rules,
        automatic=_threshold(
            math.log2(real.weights.shape.costs.false_link),
            [one for one in decisions if one.what == LINKED],
            truth,
            partners,
            judged,
        ),
        suggested=_threshold(real.weights.suggest_bits, suggested, truth, partners, judged),
        suggestions_per_hour=len(suggested) / measuring.hours_of(judged),
        suggestions_right=measuring.wilson(confirmed, len(suggested)),
        b_cubed=_b_cubed(played, truth, {one.key for one in decisions}),
        calibration=measuring.calibration(judged),
        speed=_speed(played),
        version=real.weights.version,
        judged=judged,
        decisions=[one for one in listening.decisions if later(one.at_ms)],
        made=decisions,
        heard={one.key: one for one in told.heard},
        truth=truth,
    )


def _listening(text: str) -> str:
    """The same weights with a threshold of suggestion at which every candidate is told. What is linked stays so, but
    where many weak rivals come together.
    """
    told = yaml.safe_load(text)
    return yaml.safe_dump({**told, "costs": {**told["costs"], "false_suggestion": LISTENING_COST}}, sort_keys=False)


def _later(split_ms: int | None) -> Callable[[int], bool]:
    since = split_ms if split_ms is not None else float("-inf")
    return lambda at_ms: at_ms >= since


def right(one: Decision, truth: Truth) -> bool:
    """Whether labels confirm a decision: its incident held a call of its cluster."""
    cluster = truth.cluster(one.key)
    return any(truth.cluster(member) == cluster for member in one.members)


def nearest(told: Evaluation, one: Decision, keys: Sequence[str]) -> Heard:
    """Of the calls of these keys the one nearest to the decided call."""
    mine = told.heard[one.key]
    return min((told.heard[key] for key in keys), key=lambda other: (metres(mine, other), other.key))


def _judged(one: Decision, truth: Truth, partners: set[str]) -> Judged:
    return Judged(one.key, one.at_ms, one.bits, right(one, truth), one.key in partners)


def _threshold(
    bits: float, ones: Sequence[Decision], truth: Truth, partners: set[str], judged: Sequence[Judged]
) -> Threshold:
    confirmed = [one for one in ones if right(one, truth)]
    found = sum(one.key in partners for one in confirmed)
    return Threshold(bits, len(ones), len(confirmed), found / max(1, sum(one.partner for one in judged)))


def _rules(
    heard: Sequence[Heard], truth: Truth, partners: set[str], asked: Asked, later: Callable[[int], bool]
) -> tuple[dict[str, rule.Rule | None], dict[str, float]]:
    """The best rule for each budget, tuned before the split (without one on everything), and what it finds after."""
    near = rule.near(heard, truth, asked.reach)
    after = [one.key for one in heard if later(one.at_ms)]
    before = [one.key for one in heard if not later(one.at_ms)] or after
    its = max(1, sum(key in partners for key in after))
    rules = {str(budget): rule.best(budget, before, near, partners) for budget in BUDGETS}
    found = {name: rule.counts(one, after, near, partners)[0] / its if one else 0.0 for name, one in rules.items()}
    return rules, found


def _b_cubed(played: Played, truth: Truth, keys: set[str]) -> tuple[float, float]:
    clusters = {key: incident for incident, members in played.members.items() for key in members if key in keys}
    return measuring.b_cubed(clusters, truth.cluster)


def _speed(played: Played) -> Speed:
    looked = played.looked_at
    return Speed(
        percentile(played.seconds, 0.5) or 0.0,
        percentile(played.seconds, 0.99) or 0.0,
        sum(looked) / len(looked) if looked else 0.0,
        percentile(looked, 0.99) or 0.0,
    )


def as_json(told: Evaluation) -> dict[str, Any]:
    """The figures for programs."""

    def interval(one: Interval) -> dict[str, float]:
        return {"value": round(one.value, 4), "low": round(one.low, 4), "high": round(one.high, 4)}

    def threshold(one: Threshold) -> dict[str, float]:
        false = 1000 * (one.calls - one.right) / max(1, told.calls)
        return {
            "bits": one.bits,
            "calls": one.calls,
            "right_by_labels": one.right,
            "found_share": round(one.found_share, 4),
            "labelled_false_per_1000": round(false, 2),
        }

    ours = {name: interval(one) for name, one in told.shares.items()}
    precision, recall = told.b_cubed
    return {
        "weights": told.version,
        "calls": told.calls,
        "refused": told.refused,
        "partners": told.partners,
        "found_at_false_per_1000": {name: one for name, one in ours.items() if name != "average_precision"},
        "average_precision": ours["average_precision"],
        "rule": {
            name: {
                "found": round(told.rule_shares[name], 4),
                "rule": None if one is None else {"metres": one.metres, "minutes": one.minutes, "same": one.same},
            }
            for name, one in told.rules.items()
        },
        "automatic": threshold(told.automatic),
        "suggestion": {
            **threshold(told.suggested),
            "per_hour": round(told.suggestions_per_hour, 2),
            "right": interval(told.suggestions_right),
        },
        "b_cubed": {"precision": round(precision, 4), "recall": round(recall, 4)},
        "calibration": [
            {"calls": one.count, "said": round(one.said, 4), "right_by_labels": round(one.right, 4)}
            for one in told.calibration
        ],
        "per_call": {
            "milliseconds_p50": round(1000 * told.speed.seconds_p50, 3),
            "milliseconds_p99": round(1000 * told.speed.seconds_p99, 3),
            "incidents_looked_at_mean": round(told.speed.looked_at_mean, 2),
            "incidents_looked_at_p99": told.speed.looked_at_p99,
        },
    }

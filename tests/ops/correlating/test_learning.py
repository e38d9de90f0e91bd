"""Weights are fitted together, stay monotone, and say the same again for the same examples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from ops.correlate_cli import correlate
from ops.correlating.expecting import bits, expect_and_learn, expected
from ops.correlating.fitting import fit
from ops.correlating.learning import Example, Kinds, learn
from schemas.errors import Misconfigured
from streams import match_weights
from streams.categories import built_in
from streams.incident_state import Sighting

FREE = np.array([-np.inf])


def test_two_features_that_say_the_same_share_what_one_would_count() -> None:
    """Weighed each for itself both would count whole, and the sum twice too much."""
    dice = np.random.default_rng(1)
    truth = dice.random(4_000) < 0.2
    seen = (truth ^ (dice.random(4_000) < 0.1)).astype(float)
    alone = fit(seen[:, None], truth, FREE)
    both = fit(np.column_stack([seen, seen]), truth, np.array([-np.inf, -np.inf]))
    assert both[1] == pytest.approx(both[2], abs=0.01)
    assert both[1] + both[2] == pytest.approx(alone[1], abs=0.1)


def test_what_was_said_is_what_is_true_on_average() -> None:
    """Calibrated: of calls that the weights call likely by half, half are joined; bits, not nats."""
    dice = np.random.default_rng(2)
    seen = dice.random((20_000, 1)) < 0.5
    truth = dice.random(20_000) < np.where(seen[:, 0], 0.5, 0.125)
    prior, weight = fit(seen.astype(float), truth, FREE)
    assert prior == pytest.approx(np.log2(0.125 / 0.875), abs=0.1)
    assert prior + weight == pytest.approx(0.0, abs=0.1)


def test_a_floor_holds() -> None:
    """A weight that nature forbids stays at its floor, and the others find their best beside it."""
    dice = np.random.default_rng(3)
    truth = dice.random(3_000) < 0.3
    wrong = (~truth).astype(float) * dice.random(3_000)
    right = truth.astype(float) * dice.random(3_000)
    found = fit(np.column_stack([wrong, right]), truth, np.array([0.0, 0.0]))
    assert found[1] == 0.0
    assert found[2] > 1


def test_rare_pairs_of_kinds_lean_on_their_group() -> None:
    """One example says little; a thousand speak for themselves."""
    kinds = Kinds()
    often, once, others = frozenset({"a", "b"}), frozenset({"a", "c"}), frozenset({"d"})
    kinds.joined.update({often: 400.0, once: 1.0, others: 500.0})
    kinds.apart.update({often: 900.0, once: 0.0, others: 8_000.0})
    assert kinds.bits(often, -3.0) == pytest.approx(np.log2(400 / 901 / (900 / 8_900)), abs=0.1)
    assert 0 < kinds.bits(once, -3.0) < 2, "alone it would be without end"
    assert kinds.bits(frozenset({"never met"}), -3.0) == pytest.approx(-3.0, abs=0.2)


def calls(count: int = 600, odd_share: float = 0.15) -> list[Example]:
    """Joined ones are near, soon, worded alike; the others are not. A few of each are the other way round."""
    dice = np.random.default_rng(4)
    told = []
    for number in range(count):
        joined = bool(number % 4 == 0)
        odd = dice.random() < odd_share
        close = joined != odd
        metres = float(dice.exponential(80 if close else 2_500))
        street = "łódzka 19" if close else f"polna {number}"
        first = Sighting("a", 51.76, 18.09, 50.0, 0, "traffic.collision", "cpr", "", "łódzka 19", "n")
        gap = int(dice.exponential(180_000 if close else 1_500_000))
        other = Sighting("b", 51.76, 18.09, 50.0, gap, "traffic.collision", "fire", "", street, "n")
        told.append(Example(other, first, metres, 3, float(joined)))
    return told


def test_what_is_learnt_is_a_file_that_loads_and_is_monotone() -> None:
    """Nearer, sooner and more alike never count less; the same examples give the same file."""
    catalogue, base = built_in(), yaml.safe_load(match_weights.built_in_text())
    found = learn(calls(), base, catalogue, "tried")
    assert found == learn(calls(), base, catalogue, "tried")
    weights = match_weights.load(yaml.safe_dump(found), catalogue)
    bits = [weights.distance_bits(metres, 100.0) for metres in range(0, 3_000, 50)]
    assert bits == sorted(bits, reverse=True)
    times = [weights.time_bits(minutes * 60_000, 5_400_000) for minutes in range(0, 60, 2)]
    assert times == sorted(times, reverse=True)
    likeness = [weights.street.bits(percent) for percent in range(0, 101, 5)]
    assert likeness == sorted(likeness)
    assert likeness[-1] > likeness[0]
    assert found["shared"] == base["shared"]
    assert found["careful"] == base["careful"]


def test_what_nobody_said_is_learnt_from_what_goes_together() -> None:
    """Beginning with weights that know nothing of these calls, about as many are found as there are, and these."""
    catalogue, base = built_in(), yaml.safe_load(match_weights.built_in_text())
    true = calls(odd_share=0.03)
    hidden = [replace(one, joined=0.0, later=one.later._replace(report_id=f"b{n}")) for n, one in enumerate(true)]
    shape, joined = expect_and_learn(hidden, base, catalogue, "alone")
    truth = sum(one.joined for one in true)
    assert 0.7 * truth < joined < 1.6 * truth, "nobody told it how many there are"
    weights = match_weights.load(yaml.safe_dump(shape), catalogue)
    found = sorted(zip([bits(one, weights) for one in hidden], true, strict=True), key=lambda one: -one[0])
    first = [one.joined for _, one in found[: int(truth)]]
    assert sum(first) / len(first) > 0.8
    assert shape["careful"] == base["careful"]


def test_a_call_is_of_one_incident_at_the_most() -> None:
    """Ten earlier calls that fit alike share one certainty."""
    weights = match_weights.built_in(built_in())
    first = Sighting("a", 51.76, 18.09, 50.0, 0, "traffic.collision", "cpr", "", "łódzka 19", "n")
    later = first._replace(report_id="b", system="fire", at_ms=60_000)
    told = expected([Example(later, first._replace(report_id=f"a{n}"), 5.0, 10, 0.0) for n in range(10)], weights)
    assert sum(one.joined for one in told) < 1.0
    assert len({one.joined for one in told}) == 1
    (alone,) = expected([Example(later, first, 5.0, 1, 0.0)], weights)
    assert alone.joined > 0.9


def test_the_command_writes_what_evaluate_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learnt from a file of calls, with a head that says from what; nothing to learn from is said so."""
    monkeypatch.chdir(tmp_path)
    header = "id,created_local,lat,lon,type,place"
    rows, joined = [header], ["survivor_id,duplicate_id"]
    for number in range(40):
        at, lat = f"2017-10-10T{number // 4:02d}:{number % 4 * 15:02d}:00", 34.0 + number % 3 * 0.01
        rows.append(f"171010LA{number:05d},{at},{lat},-118.25,1125-Traffic Hazard,I10 W / {number}th St")
        if number % 5 == 0:
            rows.append(f"171010LA{900 + number:05d},{at},{lat},-118.25,1125-Traffic Hazard,I10 W / {number}th St")
            joined.append(f"171010LA{number:05d},171010LA{900 + number:05d}")
    (tmp_path / "calls.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (tmp_path / "pairs.csv").write_text("\n".join(joined) + "\n", "utf-8")
    told = ["--incidents", "calls.csv", "--mapping", "chp_incidents", "--pairs", "pairs.csv"]
    words = ["learn", *told, "--name", "tried", "--out", "new.yaml", "--until"]
    done = CliRunner().invoke(correlate, [*words, "2017-10-12T00:00:00Z"])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "new.yaml").read_text("utf-8")
    assert "8 of them joined by dispatchers" in done.output
    assert text.startswith("# Weights of correlation, learnt")
    again = CliRunner().invoke(correlate, ["evaluate", *told, "--weights", "new.yaml", "--resamples", "2"])
    assert again.exit_code == 0, again.output
    alone = ["learn", *told[:-2], "--name", "alone", "--out", "alone.yaml", "--until", "2017-10-12T00:00:00Z"]
    done = CliRunner().invoke(correlate, alone)
    assert done.exit_code == 0, done.output
    assert "expected to be one (nobody said)" in (tmp_path / "alone.yaml").read_text("utf-8")
    nothing = CliRunner().invoke(correlate, [*words, "2017-10-01T00:00:00Z"])
    assert isinstance(nothing.exception, Misconfigured)

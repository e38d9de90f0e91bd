"""Totals, table, line and page: figures add up, what is bad is seen at once, and finished runs are not made again."""

import random
import re
from dataclasses import replace
from typing import cast

import orjson
import pytest

from ops.prove.system.history import Evidence
from ops.prove.system.judge import judge
from ops.prove.system.mutations import MUTATIONS
from ops.prove.system.report import (
    FIGURES,
    Run,
    Skipped,
    Store,
    convictions,
    json_line,
    page,
    rows,
    table,
    timeline,
    total,
)
from ops.prove.system.totals import loss_upper_bound
from tests.ops.prove.histories import perfect

GOOD = perfect(random.Random(7), 120, fault=(2.0, 4.0))
LOST = cast("Evidence", MUTATIONS["one-removed"][0](GOOD))
SKIPPED = (Skipped("slow-line", "packet loss", "needs root & <nftables>"),)


def run(fault="kill", seed=1, evidence=GOOD, **told):
    """A run of this evidence."""
    return Run(fault, seed, 30.0, "b1", judge(evidence), **told)


RUNS = [run(), run(seed=2), run("stop", evidence=LOST), run(off="fence", evidence=LOST)]


@pytest.mark.parametrize(
    ("lost", "accepted", "bound"),
    [
        (0, 0, None),
        (0, 300_000, 1e-5),
        (1, 1_000_000, 4.744e-6),
        (2, 1_000_000, 6.296e-6),
        (10, 1_000_000, 16.962e-6),
        (100, 1_000_000, 118.079e-6),
        (3, 4, 1.0),
    ],
)
def test_the_bound_is_that_of_a_poisson_count(lost, accepted, bound):
    """3/N for none (rule of three), else half the 95 % quantile of chi-square with 2(k+1) degrees (known tables)."""
    assert loss_upper_bound(lost, accepted) == (None if bound is None else pytest.approx(bound, rel=1e-3))


def test_rows_add_up_over_runs():
    """Counts are sums, times the worst, shares those of all tries; a build without a safety is in no total."""
    kill, stop = rows(RUNS, SKIPPED)
    one = judge(GOOD)
    assert (kill.fault, kill.runs, kill.seeds) == ("kill", 2, (1, 2))
    assert (kill.accepted, kill.quarantined) == (2 * one.accepted, 2 * one.quarantined)
    assert kill.answered_2xx_share == pytest.approx(one.answered_2xx_share)
    assert kill.recovery_seconds == one.recovery_seconds
    assert kill.passed
    assert (stop.lost, stop.passed) == (1, False)
    assert stop.failures[0].startswith("stop seed 1: 1 lost")
    whole = total(RUNS)
    assert (whole.runs, whole.lost, whole.accepted) == (3, 1, 3 * one.accepted)
    assert whole.loss_upper_bound == loss_upper_bound(1, 3 * one.accepted)


def test_a_run_whose_judge_is_blind_or_whose_alerts_are_wrong_does_not_pass():
    """What the judge missed in its own test, a missing alert and an alert too many each fail the run."""
    assert run(caught={"one-removed": True, "two-swapped": None}).passed
    assert run(caught={"one-removed": False}).reasons == ("the judge missed one-removed",)
    assert run(alerts_missing=("Silent",)).reasons == ("alert Silent missing",)
    assert rows([run(alerts_unexpected=("Loud",))])[0].alerts_unexpected == ("Loud",)
    assert not rows([run(alerts_unexpected=("Loud",))])[0].passed


def test_a_spoilt_build_is_convicted_only_if_each_of_its_runs_was():
    """One run without a conviction is enough to say that the proof proves nothing."""
    assert convictions(RUNS) == {"fence": True}
    assert convictions([*RUNS, run(seed=2, off="fence")]) == {"fence": False}


def test_the_line_for_programs_has_exactly_the_figures():
    """One line; of each fault the eleven figures, in order."""
    line = json_line(rows(RUNS, SKIPPED), SKIPPED, convictions(RUNS))
    assert b"\n" not in line
    told = orjson.loads(line)
    assert list(told["faults"]) == ["kill", "stop"]
    assert all(tuple(one) == FIGURES for one in told["faults"].values())
    assert told["faults"]["stop"]["lost"] == 1
    assert told["skipped"] == [{"fault": "slow-line", "variant": "packet loss", "reason": "needs root & <nftables>"}]
    assert told["convictions"] == {"fence": True}
    assert told["details"]["kill"]["seeds"] == [1, 2]


def test_the_table_shows_at_once_what_is_bad():
    """Columns line up; a figure that must be 0 and is not is marked; failures, skips and convictions stand below."""
    printed = table(rows(RUNS), total(RUNS), SKIPPED, convictions([*RUNS, run(seed=3, off="journal")]))
    lines = printed.splitlines()
    column = lines[0].index("lost") + len("lost")
    assert [line[column - 2 : column].strip() for line in lines if line.startswith(("kill", "stop", "total"))] == [
        "0",
        "!1",
        "!1",
    ]
    assert [line.split()[-1] for line in lines if line.startswith(("kill", "stop", "total"))] == [
        "ok",
        "FAILED",
        "FAILED",
    ]
    for words in (
        "stop seed 1: 1 lost",
        "slow-line, packet loss: needs root",
        "journal: NOT CONVICTED",
        "fence: convict",
    ):
        assert words in printed


def test_no_runs_are_an_empty_table_and_a_failed_page():
    """Nothing proven is not a proof."""
    assert "total" not in table([])
    assert "Failed" in page([], [])


def test_runs_are_kept_and_not_made_again(tmp_path):
    """What one invocation appended the next one finds, whole; the same run is known by fault, seed, time and build."""
    file = tmp_path / "runs.jsonl"
    store = Store(file)
    for one in RUNS:
        assert not store.has(one.key)
        store.append(one)
    again = Store(file)
    assert again.runs == RUNS
    assert again.has(RUNS[0].key)
    for other in (replace(RUNS[0], seed=9), replace(RUNS[0], build="b2"), replace(RUNS[0], seconds=31.0)):
        assert not again.has(other.key)
    assert rows(again.runs) == rows(RUNS)


def test_a_torn_line_is_passed_over_and_a_damaged_one_is_named(tmp_path):
    """An invocation that was killed costs its last run; a file that is something else is refused."""
    file = tmp_path / "runs.jsonl"
    store = Store(file)
    store.append(RUNS[0])
    store.append(RUNS[1])
    file.write_bytes(file.read_bytes()[:-20])
    again = Store(file)
    assert again.runs == RUNS[:1]
    again.append(RUNS[2])
    assert Store(file).runs == [RUNS[0], RUNS[2]]
    file.write_bytes(b'{"fault": "kill"}\n')
    with pytest.raises(ValueError, match="line 1: not a run"):
        Store(file)


def test_the_page_stands_alone_and_escapes_what_it_is_told():
    """No script, no foreign address; words of a run cannot become markup; every run has its drawing."""
    evil = replace(LOST, fault="<b>stop</b>")
    runs = [*RUNS[:2], run("<b>stop</b>", 3, evil, timeline=timeline(evil, judge(evil)))]
    told = page(rows(runs), runs, SKIPPED, {"fence": True, "journal": False}, "today")
    assert not re.search(r"<script|https?://|<b>stop", told)
    assert told.count("<svg") == 1
    for words in ("Failed.", "1 lost", "&lt;nftables&gt;", "not convicted: the proof proves nothing", "today"):
        assert words in told
    assert "Passed." in page(rows(RUNS[:2]), RUNS[:2])


def test_the_drawing_shows_bands_dots_losses_and_stays_small():
    """Faults, heal, dots of every kind and the curves are there; a large run draws no more than a page can carry."""
    drawn = timeline(LOST, judge(LOST))
    for part in ('class="band"', 'path class="heal"', 'class="dot"', 'class="urgent"', 'class="lost"', 'class="aside"'):
        assert part in drawn
    for part in ('class="unseen"', 'class="backlog"', 'class="answered"', ">stop<", ">heal<"):
        assert part in drawn
    assert 'class="lost"' not in timeline(GOOD, judge(GOOD))
    large = perfect(random.Random(1), 4000, rate=200)
    assert len(timeline(large, judge(large))) < 25_000
    assert timeline(replace(GOOD, operations=[]), judge(GOOD)) == ""

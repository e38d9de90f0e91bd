"""The shell under attack on three brokers: a short seeded set. The long one is `sztab prove shell`, three seeds each.

The verdict simulates the same step over the input topic: nothing lost, nothing wrong, repeats identical, state equal.
Battles that disturb nobody else run at the same time, each with topics of its own.
"""

import asyncio
from dataclasses import replace

import pytest

from ops.prove import attacks
from ops.prove.cli import line

pytestmark = pytest.mark.timeout(300)
SEED = 11


def battles(cluster, folder, wanted, rate=300.0):
    """Run attacks at the same time; verdicts by name. `wanted`: name -> (attack, scale, rules switched off).

    `rate` of the load for all of them; None: as each attack has it.
    """

    async def all_of_them():
        known = attacks.catalogue(SEED)
        running = {}
        for name, (attack, scale, off) in wanted.items():
            one = known[attack]
            plan = replace(one.plan, rate=rate or one.plan.rate, off=(*one.plan.off, *off))
            running[name] = attacks.run(replace(one, plan=plan), cluster, folder, scale)
        return dict(zip(running, await asyncio.gather(*running.values()), strict=True))

    return asyncio.run(all_of_them())


@pytest.fixture(scope="module")
def killed(cluster, tmp_path_factory):
    """Kills at every armed point and at random, with all rules and without the two that the kills are about."""
    wanted = {
        "all rules": ("kills", 0.2, ()),
        "without marker": ("kills-alone", 0.1, ("marker",)),
        "without order": ("kills-alone", 0.1, ("order",)),
        "poison": ("poison", 0.1, ()),
        "too-large": ("too-large", 0.1, ()),
    }
    return battles(cluster, tmp_path_factory.mktemp("killed"), wanted)


@pytest.fixture(scope="module")
def frozen(cluster, tmp_path_factory):
    """Workers stopped beyond the session time-out, with and without the pause detector; members that come and go."""
    wanted = {
        "zombie": ("zombie", 0.25, ()),
        "unnoticed": ("zombie-unnoticed", 0.25, ()),
        "storm": ("storm", 0.2, ()),
        "compaction": ("compaction", 0.2, ()),
        "empty-partition": ("empty-partition", 0.1, ()),
    }
    return battles(cluster, tmp_path_factory.mktemp("frozen"), wanted)


def test_kills_lose_and_double_nothing(killed):
    """SIGKILL at the four armed points and at random, two workers: every output right, the state as simulated."""
    verdict = killed["all rules"]
    assert verdict.passed, line(verdict)
    assert verdict.exits.get("-9", 0) == len(attacks.POINTS), line(verdict)


def test_without_the_marker_the_same_kills_are_found_wrong(killed):
    """Conviction: state saved, input stepped again, counted twice."""
    verdict = killed["without marker"]
    assert verdict.wrong > 0, line(verdict)


def test_with_state_before_outputs_the_same_kills_lose_records(killed):
    """Conviction: the state remembers an input whose output nobody got."""
    verdict = killed["without order"]
    assert verdict.lost > 0, line(verdict)


def test_a_frozen_worker_ends_itself_when_it_wakes(frozen):
    """A peer took over and went on; the pause detector ends the process (75) before it writes again."""
    verdict = frozen["zombie"]
    assert verdict.passed, line(verdict)
    assert verdict.exits.get("75"), line(verdict)


def test_a_zombie_that_notices_nothing_does_no_harm(frozen):
    """Without the pause detector its late writes land; the append fence and the replay rule keep the state right."""
    verdict = frozen["unnoticed"]
    assert verdict.passed, line(verdict)
    assert "75" not in verdict.exits, line(verdict)


def test_members_that_come_and_go_lose_and_double_nothing(frozen):
    """A rebalance every 3 s, by SIGTERM and SIGKILL in turn."""
    assert frozen["storm"].passed, line(frozen["storm"])


@pytest.mark.parametrize("attack", ["poison", "too-large"])
def test_what_cannot_be_handled_is_set_aside_and_nothing_else(killed, attack):
    """Rejected records, bugs of the step, outputs too large: all in quarantine, the others as simulated."""
    assert killed[attack].rejected > 0
    assert killed[attack].passed, line(killed[attack])


def test_a_compacted_changelog_is_enough(frozen):
    """Restarts from a changelog that lost records to compaction, and keys to deletion, while it was in use."""
    verdict = frozen["compaction"]
    assert verdict.passed, line(verdict)
    assert verdict.deletions > 0, line(verdict)
    assert verdict.compacted > 0, line(verdict)


def test_a_partition_without_records_stops_nobody(frozen):
    """Restarts with a partition that never had a record."""
    assert frozen["empty-partition"].passed, line(frozen["empty-partition"])


def test_two_hundred_thousand_keys_are_read_again(cluster, tmp_path):
    """A worker is killed and starts from a changelog of that many keys; nobody takes it for one that stands still."""
    verdict = battles(cluster, tmp_path, {"much-state": ("much-state", 0.67, ())}, rate=None)["much-state"]
    assert verdict.passed, line(verdict)
    assert verdict.keys == 200_000, line(verdict)


@pytest.mark.parametrize(("attack", "scale"), [("brokers", 0.34), ("brokers-all", 0.34)])
def test_killed_brokers_delay_and_lose_nothing(cluster, tmp_path, attack, scale):
    """One of three brokers dies and comes back; then all of them at once."""
    verdict = battles(cluster, tmp_path, {attack: (attack, scale, ())})[attack]
    assert verdict.passed, line(verdict)

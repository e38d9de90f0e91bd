"""The shell under every attack at full length, three seeds each: `make prove-shell`, which takes more than an hour.

One alone: `make prove-shell SHELL_ARGS="-k zombie"`.
"""

import asyncio
from dataclasses import replace

import click
import pytest

from ops.prove import attacks
from ops.prove.cli import line

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SEEDS = (1, 2, 3)
RESTART_SECONDS = 10.0
"""Generous for the start of a Python process and its recovery on a busy machine."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", attacks.catalogue())
def test_the_shell_survives(cluster, tmp_path, capsys, name, seed):
    """Nothing lost, nothing wrong, repeats identical, state as the simulation has it."""
    attack = attacks.catalogue(seed)[name]
    verdict = asyncio.run(attacks.run(attack, cluster, tmp_path))
    with capsys.disabled():
        click.echo(f"\n{line(verdict)}")
    assert verdict.passed, line(verdict)
    if name == "kills":
        longest = attack.plan.session_seconds + RESTART_SECONDS
        assert verdict.stall_max_seconds <= longest, line(verdict)
    if name == "compaction":
        assert verdict.deletions > 0, line(verdict)
        assert verdict.compacted > 0, line(verdict)
    if name == "much-state":
        assert verdict.keys == 200_000, line(verdict)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("rule", ["marker", "order"])
def test_without_a_rule_the_kills_are_found_wrong(cluster, tmp_path, rule, seed):
    """Conviction: the attack bites."""
    known = attacks.catalogue(seed)["kills-alone"]
    plan = replace(known.plan, off=(rule,))
    verdict = asyncio.run(attacks.run(replace(known, plan=plan), cluster, tmp_path))
    assert not verdict.passed, line(verdict)
    assert verdict.lost + verdict.wrong > 0, line(verdict)

"""`sztab prove shell`: the attacks on the shell, and what came of them."""

import asyncio
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click
import orjson

from ops.broker import EmbeddedKafka
from ops.prove import attacks
from ops.prove.cluster_io import CLEANING
from ops.prove.verdict import Verdict


@click.group("prove")
def prove() -> None:
    """Attack a running part and judge by simulation."""


@prove.command("shell")
@click.option("--attack", "names", multiple=True, default=("all",), help="Name of an attack (repeatable), or all.")
@click.option("--seed", default=1, show_default=True, help="First seed.")
@click.option("--runs", default=1, show_default=True, help="Runs with seeds one after the other.")
@click.option("--scale", default=1.0, show_default=True, help="Less than 1: less of the same.")
@click.option("--without", multiple=True, help="Switch a rule off (the verdict must then be bad).")
@click.option("--nodes", type=click.Choice(["1", "3"]), default="3", show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="For the brokers' data and the workers' logs.")
@click.option("--list", "listed", is_flag=True, help="Name the attacks and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per run.")
def shell(
    names: tuple[str, ...],
    seed: int,
    runs: int,
    scale: float,
    without: tuple[str, ...],
    nodes: str,
    folder: Path | None,
    listed: bool,
    as_json: bool,
) -> None:
    """Attack the shell on real brokers. Exit status 1 when any run was not perfect."""
    known = attacks.catalogue(seed)
    if listed:
        click.echo("\n".join(known))
        return
    chosen = list(known) if "all" in names else list(names)
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise click.BadParameter(f"no such attack: {', '.join(unknown)}; there are: {', '.join(known)}")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what happens to its connections is the attack
    with tempfile.TemporaryDirectory(prefix="sztab-prove-", ignore_cleanup_errors=True) as scratch:
        place = folder or Path(scratch)
        kafka = EmbeddedKafka(place / "brokers", int(nodes), extra=CLEANING)
        kafka.up()
        bad = 0
        try:
            for turn in range(seed, seed + runs):
                for name in chosen:
                    attack = attacks.catalogue(turn)[name]
                    attack = replace(attack, plan=replace(attack.plan, off=(*attack.plan.off, *without)))
                    verdict = asyncio.run(attacks.run(attack, kafka, place, scale))
                    bad += not verdict.passed
                    click.echo(orjson.dumps(verdict.as_dict()).decode() if as_json else line(verdict))
        finally:
            kafka.down(0 if folder is None else 15)
    sys.exit(1 if bad else 0)


def line(verdict: Verdict) -> str:
    """One run in one line."""
    said = "ok  " if verdict.passed else "BAD "
    state = "state ok" if verdict.state_ok and verdict.naive_state_ok else "STATE WRONG"
    return (
        f"{said}{verdict.attack} seed {verdict.seed}{' without ' + verdict.off if verdict.off else ''}:"
        f" {verdict.inputs} in, lost {verdict.lost}, wrong {verdict.wrong}, repeats {verdict.repeats}"
        f" (differing {verdict.differing}), unordered {verdict.unordered}, aside {verdict.aside}/{verdict.rejected},"
        f" {state}, {verdict.keys} keys, deleted {verdict.deletions}, compacted {verdict.compacted},"
        f" stale batches {verdict.stale_batches}, events {verdict.events}, exits {verdict.exits},"
        f" stall {verdict.stall_median_seconds:.1f}/{verdict.stall_max_seconds:.1f} s,"
        f" drained {'in ' + str(verdict.drain_seconds) + ' s' if verdict.committed else 'NOT'} {verdict.note}"
    )

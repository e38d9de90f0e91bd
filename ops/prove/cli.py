"""`sztab prove`: faults on a whole installation; `sztab prove shell`: attacks on the shell alone."""

import asyncio
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson

from ops.broker import EmbeddedKafka
from ops.prove import attacks
from ops.prove.cluster_io import CLEANING
from ops.prove.system.catalogue import FAULTS
from ops.prove.system.cli import RATE, Asked, prove_system
from ops.prove.verdict import Verdict


@click.group("prove", invoke_without_command=True)
@click.option("--faults", default="all", show_default=True, help="Names with commas, `all`, or `quick`: the short set.")
@click.option("--list", "listed", is_flag=True, help="Name the faults and end.")
@click.option("--seconds", type=click.FloatRange(min=5), help="Load of each run; as each fault has it by default.")
@click.option("--runs", type=click.IntRange(min=1), help="Runs of each fault, with seeds one after the other.")
@click.option("--seed", default=1, show_default=True, help="First seed.")
@click.option("--rate", default=RATE, show_default=True, help="Reports a second, of all producers together.")
@click.option("--resume", type=click.Path(path_type=Path), help="File of runs: those in it are not made again.")
@click.option("--html", type=click.Path(path_type=Path), help="Write the page with every run's timeline.")
@click.option("--folder", type=click.Path(path_type=Path), help="For logs and evidence; else none are kept.")
@click.option("--convict/--no-convict", default=True, help="Also run builds with a safety taken out.")
@click.option("--alerts/--no-alerts", default=True, help="Let Prometheus judge our alert rules meanwhile.")
@click.option("--evidence", is_flag=True, help="Keep every run's evidence in --folder, not only of those that failed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line at the end.")
@click.pass_context
def prove(context: click.Context, /, *, faults: str, listed: bool, **asked: Any) -> None:
    """Attack an installation with faults and prove that nothing accepted is lost or doubled.

    Starts three real brokers, two intake nodes, workers, deliver and recipients. Exit status 0 only when nothing was
    lost or doubled and every build with a safety taken out was convicted.
    """
    if context.invoked_subcommand is not None:
        return
    if listed:
        click.echo("\n".join(f"{one.name:<22} {one.row:>2}  {one.what}" for one in FAULTS.values()))
        return
    if not prove_system(Asked(faults=faults, **asked)):
        context.exit(1)


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

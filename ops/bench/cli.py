"""`sztab bench`: figures that anyone can measure again, as ratios within one run."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import click
import orjson

from ops.bench.correlate import command as correlate
from ops.bench.journal import command as journal
from ops.bench.load import UNITS
from ops.invocation import run
from schemas.errors import Code, Misconfigured

PEERS: Final = Path(__file__).resolve().parents[3] / "shared" / "peers"


@click.group()
def bench() -> None:
    """Measure the journal, the linking, the pipeline and the engine."""


bench.add_command(journal)
bench.add_command(correlate)


UNITS_OPTION: Final = click.option(
    "--units", type=click.IntRange(1, 1000), default=UNITS, show_default=True, help="Territories that share the load."
)


@bench.command()
@UNITS_OPTION
@click.option("--rates", default="10,50,150,1000", show_default=True, help="Reports per second, one run each.")
@click.option("--seconds", type=click.FloatRange(min=1), default=60.0, show_default=True, help="Length of each run.")
@click.option("--reports", type=click.IntRange(min=0), default=60_000, show_default=True, help="Backlog; 0: none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line per rate, and one for the backlog.")
def pipeline(*, units: int, rates: str, seconds: float, reports: int, as_json: bool) -> None:
    """Open loop over the HTTP intake to the outbox and the webhook, rate by rate; then a backlog (`bench backlog`)."""
    from ops.bench.pipeline import measure

    try:
        wanted = [float(one) for one in rates.split(",")]
    except ValueError:
        raise click.BadParameter("numbers, separated by commas", param_hint="--rates") from None
    with tempfile.TemporaryDirectory(prefix="sztab-bench-") as folder:
        for figures in run(measure(Path(folder), wanted, seconds, units)):
            if as_json:
                click.echo(orjson.dumps(figures))
                continue
            click.echo(f"{figures['rate']:g}/s: reached {figures['achieved']}/s, failed {figures['failed']}")
            for name in ("answer_ms", "outbox_ms", "webhook_ms", "cpu_percent", "rss_mb"):
                click.echo(f"  {name:12} {figures[name]}")
    if reports:
        _backlog(reports, units, as_json=as_json)


@bench.command()
@UNITS_OPTION
@click.option("--reports", type=click.IntRange(min=1), default=60_000, show_default=True, help="How many wait.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def backlog(*, units: int, reports: int, as_json: bool) -> None:
    """Reports that wait in the intake topics, taken to the outboxes by one worker process."""
    _backlog(reports, units, as_json=as_json)


def _backlog(reports: int, units: int, *, as_json: bool) -> None:
    from ops.bench.backlog import measure

    with tempfile.TemporaryDirectory(prefix="sztab-bench-") as folder:
        figures = run(measure(Path(folder), reports, units))
    click.echo(orjson.dumps(figures) if as_json else "\n".join(f"{name:22}{told}" for name, told in figures.items()))
    if figures["arrived"] < reports:
        sys.exit(1)


@bench.command()
def worker() -> None:
    """Run the peers' reference job through our shell, as one of their contenders (settings in the environment)."""
    from ops.bench.worker import main

    run(main())


@bench.command()
@click.option("--peers", type=click.Path(path_type=Path), default=PEERS, help="Folder of the peers' harness.")
@click.option(
    "--contenders",
    default="aiokafka-batch-safe,aiokafka,quix,kstreams-alo,faust-tuned",
    show_default=True,
    help="Beside ours; the first two are plain loops over the client, the floor.",
)
@click.option("--python", default="python", show_default=True, help="The harness's, as its activate script sets it.")
@click.option("--runs", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--latency", type=click.IntRange(min=1), help="Measure latency at this rate instead of throughput.")
@click.option("--seconds", type=click.IntRange(min=10), default=60, show_default=True, help="Length, with --latency.")
@click.option("--kills", type=click.IntRange(min=1), help="Kill ours so often instead, and count what is lost.")
def engine(
    *, peers: Path, contenders: str, python: str, runs: int, latency: int | None, seconds: int, kills: int | None
) -> None:
    """Our shell beside other engines, same job, same broker, one run. Needs the peers' harness, set up once.

    With --latency also the harness alone (`floor`).
    """
    if not (peers / "run.py").is_file():
        raise Misconfigured(Code.TOOL_MISSING, f"no harness in {peers}; name its folder with --peers")
    found = shutil.which(python)
    asked = [found or "", "-c", "import confluent_kafka"]
    if found is None or subprocess.run(asked, check=False, capture_output=True).returncode:
        raise Misconfigured(Code.TOOL_MISSING, f"{python} is not the harness's: activate it, or name it with --python")
    if "BS" not in os.environ:
        raise Misconfigured(Code.TOOL_MISSING, "no broker: eval the line that the harness's `broker.py start 0` prints")
    ours = ["--contender", f"ours={sys.executable} -m ops.bench.worker"]
    calls = [["run.py", *ours, f"ours,{contenders}", str(runs)]]
    if latency is not None:
        names = ("floor", "ours", *contenders.split(","))
        calls = [["lat.py", *ours, name, str(latency), str(seconds)] for name in names]
    elif kills is not None:
        calls = [["kill.py", *ours, "ours", str(kills)]]
    status = 0
    for script, *words in calls:
        status |= subprocess.run([found, str(peers / script), *words], check=False).returncode
    sys.exit(status)

"""`sztab tally rebuild`: the derived figures anew, from the topics they are derived from."""

import asyncio
import time

import click
import orjson

from ops import kafka, runtime
from ops.invocation import run, settings_of
from ops.roles.tally import ROLE, request_file, tally_settings
from ops.settings import Settings
from ops.tallying import reset
from schemas.errors import Code, Unavailable


@click.group("tally")
def tally() -> None:
    """The derived figures."""


@tally.command("rebuild")
@click.option("--wait", "wait_seconds", default=60.0, show_default=True, help="Longest wait for the reset, in seconds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def rebuild(context: click.Context, wait_seconds: float, *, as_json: bool) -> None:
    """Empty the figures and count them anew. A tally that runs here does it by itself; else it counts when started."""
    told = run(rebuild_figures(settings_of(context), wait_seconds))
    click.echo(orjson.dumps(told) if as_json else "\n".join(f"{name:<12}{value}" for name, value in told.items()))


async def rebuild_figures(settings: Settings, wait_seconds: float) -> dict[str, object]:
    """Reset the tally: by the running role, asked through the data folder, or here when none runs.

    Unavailable when the running role has not done it in time, or when one runs on another machine.
    """
    here = runtime.running(settings, ROLE)
    if here is None or not here.alive:
        done = await reset(kafka.cluster(settings), tally_settings(settings).app_id, wait_seconds)
        return {"by": "this command", "entries": done.entries, "figures": done.figures, "partitions": done.partitions}
    request = request_file(settings)
    request.parent.mkdir(parents=True, exist_ok=True)
    request.touch()
    end = time.monotonic() + wait_seconds
    while request.exists():
        if time.monotonic() > end:
            raise Unavailable(Code.OVERLOADED, f"the running tally has not been reset within {wait_seconds:g} s")
        await asyncio.sleep(0.1)
    return {"by": f"the running tally, process {here.pid}"}

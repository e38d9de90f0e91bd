"""`sztab demo`: an evening in Kalisz on this machine, with everything real but the people."""

import asyncio
import shutil
import signal
import tempfile
import webbrowser
from pathlib import Path

import click
import orjson

from ops.demo.show import Show
from ops.invocation import run


@click.command()
@click.option("--for", "seconds", type=click.FloatRange(min=5), help="Length of the evening; else until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of figures.")
@click.option("--headless", is_flag=True, help="Open no browser.")
@click.option("--keep", is_flag=True, help="Keep the folder with data and logs, and say where it is.")
@click.pass_context
def demo(context: click.Context, /, *, seconds: float | None, as_json: bool, headless: bool, keep: bool) -> None:
    """Start broker, roles and far sides, play an evening, deliver everything, count it, and stop.

    Exit status 0 when the ledger balances with nothing in flight.
    """
    folder = Path(tempfile.mkdtemp(prefix="sztab-demo-"))

    def say(line: str) -> None:
        click.echo(line, err=as_json)
        if "the page: " in line and not headless:
            webbrowser.open(line.rpartition("the page: ")[2])

    try:
        summary = run(_played(Show(folder, seconds, say)))
    finally:
        if keep:
            click.echo(f"data and logs: {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    click.echo(orjson.dumps(summary) if as_json else orjson.dumps(summary, option=orjson.OPT_INDENT_2))
    if summary["balanced"] is not True or summary["in_flight"]:
        context.exit(1)


async def _played(show: Show) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, show.stop.set)
    return await show.run()

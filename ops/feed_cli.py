"""The command `sztab feed`."""

import asyncio
import re
import sys
import time
from pathlib import Path

import click
import orjson

from ops import log
from ops.feed import feed as feeding
from ops.feed_summary import Order, Summary
from ops.invocation import run, settings_of


class Speed(click.ParamType):
    """`max`, or how many times faster than the file's own times: `60x`, `1x`, `0.5x`."""

    name = "speed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """None for `max`."""
        text = str(value)
        if text == "max":
            return None
        found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)x", text)
        if found is None or float(found[1]) <= 0:
            self.fail("max, or a number with x: 60x plays an hour in a minute", param, ctx)
        return float(found[1])


@click.command
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--mapping", required=True, help="Name of a shipped mapping, or a YAML file.")
@click.option("--speed", type=Speed(), default="max", show_default=True, help="max, or 60x: an hour in a minute.")
@click.option("--source", default="", help="Name of the source instance; else the mapping's.")
@click.option("--again", is_flag=True, help="From the first row, also where an earlier feed stopped or ended.")
@click.option(
    "--wait", "wait_seconds", default=60.0, show_default=True, help="Patience with standing processors, seconds."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def feed(
    context: click.Context,
    file: Path,
    mapping: str,
    speed: float | None,
    source: str,
    *,
    again: bool,
    wait_seconds: float,
    as_json: bool,
) -> None:
    """Play FILE as a source of this installation, row by row; run again, it goes on where it stopped.

    Exit status 0: the broker has every row, and fed time has come to its end. Rows in quarantine are counted, not
    failures.
    """
    settings = settings_of(context)
    log.configure(settings.operation.model_copy(update={"log_level": "warning"}), "feed", settings.node)
    order = Order(file.absolute(), mapping, source, speed, again, wait_seconds)
    shown = _Progress(on=sys.stderr.isatty())
    try:
        done = run(feeding(settings, order, shown))
    except (KeyboardInterrupt, asyncio.CancelledError):
        shown.end()
        click.echo("stopped; what was read is kept, and the next feed of this source goes on from there", err=True)
        context.exit(130)
    shown.end()
    click.echo(orjson.dumps(done.as_json()) if as_json else text(done))
    context.exit(0 if done.good else 1)


def text(done: Summary) -> str:
    """The summary for a person."""
    known = f", {done.before} fed before" if done.before else ""
    lines = [
        f"{done.rows} rows{known}: {done.accepted} accepted, {done.repeated} repeated, {done.quarantined} quarantined",
        f"{done.seconds:.1f} s, {done.messages_per_second:.0f} messages/s, journal of node {done.node}",
    ]
    if done.nothing_new:
        lines.append("nothing new")
    if done.clock:
        lines.append(f"clock of the territory: {done.clock}" if done.ticked else f"clock not set: {done.clock}")
    if not done.complete:
        lines.append("the file breaks before its end: see `sztab quarantine list`")
    return "\n".join(lines)


class _Progress:
    """One line on a terminal, rewritten twice a second."""

    def __init__(self, *, on: bool) -> None:
        self._on, self._said_at, self._begun = on, 0.0, time.monotonic()

    def __call__(self, now: Summary) -> None:
        if self._on and time.monotonic() - self._said_at > 0.5:
            self._said_at = time.monotonic()
            rate = now.rows / max(self._said_at - self._begun, 0.001)
            click.echo(
                f"\r{now.before + now.rows} rows, {now.quarantined} quarantined, {rate:.0f}/s ", nl=False, err=True
            )

    def end(self) -> None:
        """Leave the line."""
        if self._on and self._said_at:
            click.echo(err=True)

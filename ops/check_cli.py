"""`sztab check`: every mistake of the configuration at once, and what a right one means."""

from typing import Any

import click
import orjson

from ops import settings as settings_module
from ops.invocation import Invocation, settings_of
from ops.reference import references
from ops.settings import Settings
from ops.settings_checks import loopback_only


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Read the configuration and the files it names; explain every mistake, start nothing.

    Exit status 0: it may be started. 2: mistakes, each with its path and what is allowed there.
    """
    told = settings_of(context)
    versions = references(told).versions
    invocation = context.find_object(Invocation)
    file = settings_module.find(invocation.config if invocation else None)
    notes = [*loopback_only(told), *(f"{name} is no setting of ours" for name in settings_module.unused_variables())]
    summary = _summary(told, str(file) if file else "the built-in example")
    summary["reference_data"] = [f"{name} {version}" for name, version in sorted(versions.items())]
    if as_json:
        click.echo(orjson.dumps({**summary, "notes": notes, "mistakes": []}))
        return
    for name, value in summary.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name.replace('_', ' '):<16}{shown or 'none'}")
    for note in notes:
        click.echo(f"note: {note}")
    click.echo("no mistakes")


def _summary(told: Settings, where: str) -> dict[str, Any]:
    return {
        "configuration": where,
        "installation": f"{told.installation.name} ({told.installation.mode}, topics {told.installation.prefix}*)",
        "data_folder": str(told.data_dir),
        "cluster": told.kafka.bootstrap_servers or f"embedded broker, {told.kafka.nodes} node(s)",
        "sources": [f"{one.name} ({one.connector.name})" for one in told.sources],
        "recipients": [f"{one.name} ({one.connector.name})" for one in told.recipients],
        "accounts": [f"{one.name} ({'/'.join(one.roles)})" for one in told.accounts],
    }

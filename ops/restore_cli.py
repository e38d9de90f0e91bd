"""`sztab restore DIR`."""

import os
from pathlib import Path

import click
import orjson

from ops import settings as settings_module
from ops.invocation import Invocation, settings_of
from ops.restore import bring_configuration, restore


@click.command("restore")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--damaged", is_flag=True, help="Although the backup is damaged; what is wrong is named.")
@click.option("--old", is_flag=True, help="Although it is older than what the processors remember (14 days).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def command(context: click.Context, folder: Path, *, damaged: bool, old: bool, as_json: bool) -> None:
    """Put journals, key and configuration of a backup back, and begin a new epoch.

    The data folder must have no journal. What the backup does not mark as published is held for a person: see `sztab
    journal held`. What was received after the backup is not in it: the gap is named here, in the log and in quarantine.
    """
    invocation = context.find_object(Invocation)
    named = (invocation.config if invocation else None) or os.environ.get("SZTAB_CONFIG")
    file = Path(named or settings_module.FILE)
    brought = bring_configuration(folder, file)
    found = restore(settings_of(context), folder, damaged=damaged, old=old)
    if as_json:
        click.echo(orjson.dumps({**found.as_dict(), "configuration": str(file) if brought else None}))
        return
    for fault in found.damage:
        click.echo(f"damaged: {fault}", err=True)
    if brought:
        click.echo(f"the configuration was put back as {file}")
    for name, epoch in found.epochs.items():
        click.echo(f"{name}: epoch {epoch.number} begins with row {epoch.row}, after row {epoch.previous_row}")
    click.echo(
        f"GAP: what was received from {found.made_at:%Y-%m-%d %H:%M:%S} to {found.restored_at:%Y-%m-%d %H:%M:%S} UTC"
        " is not in these journals"
    )
    click.echo(f"{found.held} rows are held for a person" + ("; look: sztab journal held" if found.held else ""))

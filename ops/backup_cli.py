"""`sztab backup DIR [--check]`."""

from dataclasses import asdict
from pathlib import Path

import click
import orjson

from ops import settings as settings_module
from ops.backup import back_up, faults
from ops.invocation import Invocation, settings_of


@click.command("backup")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Check an existing backup instead: digests, chain, checksums, seals.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def backup(context: click.Context, folder: Path, *, check: bool, as_json: bool) -> None:
    """Copy journals, key and configuration into a new folder DIR while everything runs; then check the copy.

    Whoever has the folder can open what is sealed: keep it as you keep the key. Exit status 1 when the copy has faults.
    """
    told = None
    if not check:
        invocation = context.find_object(Invocation)
        file = settings_module.find(invocation.config if invocation else None)
        told = back_up(settings_of(context), folder, file)
    found = faults(folder)
    if as_json:
        manifest = asdict(told) if told else None
        click.echo(orjson.dumps({"folder": str(folder), "manifest": manifest, "faults": found}))
    else:
        for fault in found:
            click.echo(fault, err=True)
        if told is not None:
            rows = ", ".join(f"{name} up to row {row}" for name, row in told.last_rows.items())
            click.echo(f"{len(told.files)} files; {rows}")
        click.echo(f"{len(found)} faults" if found else "the copy is whole")
    if found:
        context.exit(1)

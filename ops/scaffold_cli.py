"""The command `sztab new connector`."""

import click
import orjson

from ops.scaffold import scaffold


@click.group
def new() -> None:
    """Begin something in this checkout."""


@new.command
@click.argument("name")
@click.option("--title", default="", help="What it is, for people.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def connector(name: str, title: str, *, as_json: bool) -> None:
    """Write a connector NAME (far-system): settings, translation, lab, README, golden case, contract test.

    It takes JSON documents over HTTP, is registered, and passes the contract of sources at once; make it speak the far
    system's language from there.
    """
    written = scaffold(name, title)
    if as_json:
        click.echo(orjson.dumps({"name": name, "files": written}))
        return
    click.echo("\n".join(written))
    click.echo(f"now: pytest tests/connectors/test_{name.replace('-', '_')}.py")

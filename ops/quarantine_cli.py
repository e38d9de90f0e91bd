"""`sztab quarantine list` and `sztab quarantine show ID`."""

import base64
import getpass
from typing import Any, Final

import click
import orjson

from ops import quarantine as aside
from ops.invocation import run, settings_of
from ops.settings import Settings

SHOWN_BYTES: Final = 65_536


@click.group("quarantine")
def quarantine() -> None:
    """What was set aside and waits for a person."""


@quarantine.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON array, for programs.")
@click.pass_context
def list_command(context: click.Context, /, *, as_json: bool) -> None:
    """Every item once, oldest first."""
    found = run(aside.items(settings_of(context)))
    if as_json:
        click.echo(orjson.dumps(found))
        return
    for one in found:
        where = f"{one['stage']} {one.get('source') or one.get('topic') or ''}".rstrip()
        click.echo(
            f"{one['first_seen']}  {one['item_id']}  {one['code']} {one.get('at', '')} ({where}) x{one['times']}"
        )
    click.echo(f"{len(found)} set aside")


@quarantine.command("show")
@click.argument("id")
@click.option("--bytes", "with_bytes", is_flag=True, help="Show the document's bytes too; they may name persons.")
@click.option("--purpose", help="Why you look at the bytes; goes to the audit log with your name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def show_command(context: click.Context, /, *, id: str, with_bytes: bool, purpose: str | None, as_json: bool) -> None:
    """One item, by its own id or that of its document, report or delivery. Exit status 1: there is none."""
    if with_bytes and not purpose:
        raise click.UsageError("--bytes needs --purpose: whoever looks at personal data says why")
    settings = settings_of(context)
    one = run(aside.item(settings, id))
    if one is None:
        click.echo(orjson.dumps(None) if as_json else f"nothing is set aside under {id}", err=not as_json)
        context.exit(1)
    body = run(_looked_at(settings, one, purpose)) if purpose and with_bytes else None
    if as_json:
        more: dict[str, Any] = {"bytes": base64.b64encode(body).decode()} if body is not None else {}
        click.echo(orjson.dumps({**one, **more}))
        return
    for name, value in one.items():
        click.echo(f"{name.replace('_', ' '):<14}{value}")
    if with_bytes:
        _show(body)


async def _looked_at(settings: Settings, one: dict[str, Any], purpose: str) -> bytes | None:
    body = await aside.document(settings, one)
    if body is not None:
        await aside.consulted(settings, one, f"cli:{getpass.getuser()}", purpose)
    return body


def _show(body: bytes | None) -> None:
    """The bytes as text, control characters escaped so that they command no terminal, and in hexadecimal."""
    if body is None:
        click.echo("its bytes are not kept")
        return
    part = body[:SHOWN_BYTES]
    text = part.decode(errors="replace")
    click.echo("".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text))
    for row in aside.hexed(part):
        click.echo(row)
    if len(body) > SHOWN_BYTES:
        click.echo(f"the first {SHOWN_BYTES} of {len(body)} bytes")

"""`sztab quarantine list`, `show` and `diff`: looking at what was set aside."""

import base64
import getpass
import os
from pathlib import Path
from typing import Any

import click
import orjson

from ops import quarantine as aside
from ops.aside.api import wanted_of
from ops.aside.documents import SHOWN_BYTES, as_text, difference, hexed, legible
from ops.aside.shelf import Item, State, histogram
from ops.invocation import run, settings_of
from ops.quarantine_act_cli import discard_command, filtered, filters, replay_command, replays_command
from ops.settings import Settings


@click.group("quarantine")
def quarantine() -> None:
    """What was set aside and waits for a person."""


quarantine.add_command(replay_command)
quarantine.add_command(replays_command)
quarantine.add_command(discard_command)


@quarantine.command("list")
@filters
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([*(one.value for one in State), "all"]),
    default=("open",),
    show_default=True,
    help="Only these (repeatable).",
)
@click.option("--histogram", "as_histogram", is_flag=True, help="How many by reason, stage and source, most first.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array, for programs.")
@click.pass_context
def list_command(
    context: click.Context, /, *, states: tuple[str, ...], as_histogram: bool, as_json: bool, **told: Any
) -> None:
    """Every item once, oldest first: those that are open, unless other states are named."""
    wanted = wanted_of(filtered(told) | ({} if "all" in states else {"state": list(states)}))
    shelf = run(aside.shelf(settings_of(context)))
    found = wanted.of(shelf.items.values())
    shown = histogram(found) if as_histogram else [one.shown() for one in found]
    if as_json:
        click.echo(orjson.dumps(shown))
        return
    for one in shown:
        click.echo(_reason(one) if as_histogram else _line(one))
    click.echo(f"{len(found)} set aside")
    if shelf.passed_over:
        click.echo(f"{shelf.passed_over} records could not be read", err=True)


def _line(one: dict[str, Any]) -> str:
    where = f"{one['stage']} {one.get('source') or one.get('recipient') or one.get('topic') or ''}".rstrip()
    seen = f"x{one['times']}" + (f", {one['tries']} tries" if one["tries"] else "")
    state = "" if one["state"] == State.OPEN else f"  {one['state']}"
    at = f" {one['at']}" if one.get("at") else ""
    return f"{one['first_seen']}  {one['item_id']}  {one['code']}{at} ({where}) {seen}{state}"


def _reason(one: dict[str, Any]) -> str:
    return f"{one['items']:>7}  {one['code']:<24} {one['stage']} {one['source']}  oldest {one['oldest']}"


@quarantine.command("show")
@click.argument("id")
@click.option("--bytes", "with_bytes", is_flag=True, help="Show the document's bytes too; they may name persons.")
@click.option("--view", type=click.Choice(["text", "hex", "both"]), default="both", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the bytes into this file instead.")
@click.option("--purpose", help="Why you look at the bytes; goes to the audit log with your name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def show_command(
    context: click.Context,
    /,
    *,
    id: str,
    with_bytes: bool,
    view: str,
    out: Path | None,
    purpose: str | None,
    as_json: bool,
) -> None:
    """One item, by its own id or that of its document, report or delivery. Exit status 1: there is none."""
    wanted = with_bytes or out is not None
    if wanted and not purpose:
        raise click.UsageError("--bytes needs --purpose: whoever looks at personal data says why")
    settings = settings_of(context)
    one = _found(context, settings, id, as_json=as_json)
    body = run(_looked_at(settings, one, purpose)) if purpose and wanted else None
    if out is not None and body is not None:
        _written(out, body)
    if as_json:
        more: dict[str, Any] = {"bytes": base64.b64encode(body).decode()} if body is not None and with_bytes else {}
        click.echo(orjson.dumps({**one.shown(), **more}))
        return
    for name, value in one.shown().items():
        if name == "history":
            for act in value:
                click.echo(f"{'':<14}{_act(act)}")
        else:
            click.echo(f"{name.replace('_', ' '):<14}{_act(value) if name == 'resolved' else value}")
    if with_bytes:
        _show(body, view)


@quarantine.command("diff")
@click.argument("id")
@click.argument("corrected", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--purpose", required=True, help="Why you look at the bytes; goes to the audit log with your name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def diff_command(context: click.Context, /, *, id: str, corrected: Path | None, purpose: str, as_json: bool) -> None:
    """What CORRECTED, else the correction that was sent, changes: by fields of JSON, else by lines or bytes.

    Exit status 0: something differs, or nothing does. 1: there is nothing to compare.
    """
    settings = settings_of(context)
    one = _found(context, settings, id, as_json=as_json)
    original = run(_looked_at(settings, one, purpose))
    other = corrected.read_bytes() if corrected is not None else _correction(settings, one)
    if original is None or other is None:
        click.echo(
            orjson.dumps(None) if as_json else "its bytes, or those of a correction, are not kept", err=not as_json
        )
        context.exit(1)
    told = difference(original, other)
    if as_json:
        click.echo(orjson.dumps({"item_id": one.item_id, **told}))
        return
    for line in told["lines"]:
        click.echo(line)
    if not told["lines"]:
        click.echo("no difference")


def _correction(settings: Settings, one: Item) -> bytes | None:
    corrected_by = one.shown().get("resolved", {}).get("corrected_by")
    return run(aside.document(settings, corrected_by, one.told.get("node"))) if corrected_by else None


def _found(context: click.Context, settings: Settings, id: str, *, as_json: bool) -> Item:
    one = run(aside.item(settings, id))
    if one is None:
        click.echo(orjson.dumps(None) if as_json else f"nothing is set aside under {id}", err=not as_json)
        context.exit(1)
    return one


async def _looked_at(settings: Settings, one: Item, purpose: str) -> bytes | None:
    await aside.consulted(settings, one, f"cli:{getpass.getuser()}", purpose)
    return await aside.content(settings, one)


def _act(one: dict[str, Any]) -> str:
    further = "".join(
        f" {name.replace('_', ' ')} {one[name]}" for name in ("corrected_by", "code", "job") if name in one
    )
    return f"{one['acted_at']}  {one['handling']} by {one['actor']}{further}: {legible(one['reason'])}"


def _written(out: Path, body: bytes) -> None:
    """Into a file that only its owner reads: the bytes may name persons."""
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(body)


def _show(body: bytes | None, view: str) -> None:
    """The bytes as text, control characters escaped so that they command no terminal, and in hexadecimal."""
    if body is None:
        click.echo("its bytes are not kept")
        return
    part = body[:SHOWN_BYTES]
    if view != "hex":
        click.echo(as_text(part))
    if view != "text":
        for row in hexed(part):
            click.echo(row)
    if len(body) > SHOWN_BYTES:
        click.echo(f"the first {SHOWN_BYTES} of {len(body)} bytes")

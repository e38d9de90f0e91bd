"""`sztab quarantine replay`, `replays` and `discard`: what changes something, through the running intake."""

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import click
import orjson

from ops.aside.client import ask
from ops.invocation import run, settings_of
from ops.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

LOOK_SECONDS: Final = 0.5
_INTAKE: Final = click.option("--intake", metavar="URL", help="Address of the intake node that has the bytes.")
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="The answer as it came.")


def filters(command: Command) -> Command:
    """The options that choose items by reason, source, stage and time."""
    options = (
        click.option("--code", "codes", multiple=True, help="Only with this reason (repeatable)."),
        click.option("--source", "sources", multiple=True, help="Only of this source (repeatable)."),
        click.option("--stage", "stages", multiple=True, help="Only set aside at this stage (repeatable)."),
        click.option("--since", help="Only seen since this time (ISO 8601 with zone)."),
        click.option("--until", help="Only seen before this time."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def filtered(told: dict[str, Any]) -> dict[str, list[str]]:
    """What those options said, by the names of the API."""
    several = {name: list(told[f"{name}s"]) for name in ("code", "source", "stage")}
    return {name: some for name, some in several.items() if some} | {
        name: [told[name]] for name in ("since", "until") if told[name]
    }


@click.command("replay")
@click.argument("id", required=False)
@click.option(
    "--corrected",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A corrected copy: it goes through the same source as a new document; the original stays.",
)
@click.option("--content-type", help="Media type of the corrected copy, where it is not the source's usual one.")
@filters
@click.option("--purpose", help="Why; stands with the item and in the audit log.")
@click.option("--yes", is_flag=True, help="Without ID: begin the job. Else it is only told what would be replayed.")
@_INTAKE
@_JSON
@click.pass_context
def replay_command(
    context: click.Context,
    /,
    *,
    id: str | None,
    corrected: Path | None,
    content_type: str | None,
    purpose: str | None,
    yes: bool,
    intake: str | None,
    as_json: bool,
    **told: Any,
) -> None:
    """Let one item re-enter at its stage as it is, or a corrected copy of it; or many, by reason, source and time.

    Exit status 0: it re-entered, or the job came to its end. 1: it was refused, and stays open.
    """
    settings, wanted = settings_of(context), filtered(told)
    if (id is None) is not bool(wanted):
        raise click.UsageError("name one item, or choose many by --code, --source, --stage, --since, --until")
    if id is None and corrected is not None:
        raise click.UsageError("--corrected is the copy of one item")
    if purpose is None and (id is not None or yes):
        raise click.UsageError("--purpose is needed: whoever acts says why")
    body: dict[str, Any] = {"purpose": purpose}
    if id is None:
        said = _answer(context, settings, "/v1/replays", body | wanted | {"dry_run": not yes}, intake, as_json=as_json)
        _followed(context, settings, said, intake, as_json=as_json)
        return
    if corrected is not None:
        body |= {"corrected": base64.b64encode(corrected.read_bytes()).decode(), "content_type": content_type}
    said = _answer(context, settings, f"/v1/quarantine/{quote(id, safe='')}/replay", body, intake, as_json=as_json)
    if as_json:
        click.echo(orjson.dumps(said))
    elif said["handling"] == "corrected":
        click.echo(f"corrected by document {said['document_id']}, reports: {', '.join(said['reports']) or 'none'}")
    else:
        click.echo(f"replayed: {said['item_id']}")


def _followed(
    context: click.Context, settings: Settings, said: dict[str, Any], intake: str | None, *, as_json: bool
) -> None:
    """What would be replayed; or the job's progress until its end, which goes on if nobody looks."""
    if said["dry_run"]:
        if as_json:
            click.echo(orjson.dumps(said))
            return
        for outcome, count in said["would"].items():
            click.echo(f"{count:>7}  {outcome}")
        click.echo(f"{said['selected']} would be replayed, {said['elsewhere']} cannot be from here; --yes does it")
        return
    shown = ""
    while True:
        said = _answer(context, settings, f"/v1/replays/{said['job']}", None, intake, as_json=as_json)
        line = f"job {said['job']}: {said['done']} of {said['selected']}, {said['state']}"
        if not as_json and line != shown:
            click.echo(line)
            shown = line
        if said["state"] == "done":
            break
        time.sleep(LOOK_SECONDS)
    _told_job(said, as_json=as_json)


def _told_job(said: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(said))
        return
    for outcome, count in said["outcomes"].items():
        click.echo(f"{count:>7}  {outcome}")


@click.command("replays")
@click.argument("job", required=False)
@_INTAKE
@_JSON
@click.pass_context
def replays_command(context: click.Context, /, *, job: str | None, intake: str | None, as_json: bool) -> None:
    """The replays of many on a node, newest first; or one, with what became of each item."""
    settings = settings_of(context)
    path = f"/v1/replays/{quote(job, safe='')}" if job else "/v1/replays"
    said = _answer(context, settings, path, None, intake, as_json=as_json)
    if as_json:
        click.echo(orjson.dumps(said))
        return
    for one in [said] if job else said["replays"]:
        click.echo(f"{one['created_at']}  {one['job']}  {one['done']} of {one['selected']}, {one['state']}")
    for item, outcome in said.get("items", {}).items():
        click.echo(f"  {item}  {outcome}")


@click.command("discard")
@click.argument("id")
@click.option("--reason", required=True, help="Why it is nothing; stands with the item and in the audit log.")
@_INTAKE
@_JSON
@click.pass_context
def discard_command(context: click.Context, /, *, id: str, reason: str, intake: str | None, as_json: bool) -> None:
    """Note that an item is nothing. It stays to be seen; so do its bytes, as long as any others."""
    path = f"/v1/quarantine/{quote(id, safe='')}/discard"
    said = _answer(context, settings_of(context), path, {"reason": reason}, intake, as_json=as_json)
    click.echo(orjson.dumps(said) if as_json else f"discarded: {said['item_id']}")


def _answer(
    context: click.Context,
    settings: Settings,
    path: str,
    body: dict[str, Any] | None,
    intake: str | None,
    *,
    as_json: bool,
) -> dict[str, Any]:
    """The answer of the intake; a refusal is told and ends with status 1."""
    status, said = run(ask(settings, "GET" if body is None else "POST", path, body, intake))
    if status < 400:
        return said
    if as_json:
        click.echo(orjson.dumps(said))
    else:
        click.echo(f"refused: {said.get('code')} {said.get('pointer', '')} {said.get('detail', '')}", err=True)
    return context.exit(1)

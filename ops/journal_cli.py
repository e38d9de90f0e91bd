"""`sztab journal verify`: is it whole? `sztab journal held`: what a restore left for a person."""

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import click
import orjson

from connectors.holding import chosen_of
from connectors.journal_check import Fault
from connectors.journal_reader import HeldRow, JournalReader
from connectors.journal_rows import Decision
from connectors.journal_store import JournalStore, Limits
from connectors.kits.problems import problem_error
from ops import runtime
from ops.invocation import run, settings_of
from ops.settings import Settings
from schemas.errors import Code, Misconfigured, Unavailable
from schemas.privacy import derive, installation_key

TOKEN: Final = "SZTAB_TOKEN"  # noqa: S105 - the variable's name
SECONDS: Final = 60.0


@click.group("journal")
def journal() -> None:
    """The intake's journal: is it whole, and what does it hold for a person?"""


@journal.command("verify")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def verify_command(context: click.Context, /, *, files: tuple[Path, ...], as_json: bool) -> None:
    """Check journals (default: all of this machine, also while they are written): chain, seals, ids, pages.

    Each damaged row is named; all others are still served. Exit status 1 when anything is damaged.
    """
    settings = settings_of(context)
    chosen = files or tuple(runtime.journals(settings.node, runtime.journal_file(settings)).values())
    if not chosen:
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"there is no journal in {settings.data_dir}")
    key_file = runtime.key_file(settings)
    key = installation_key(key_file) if key_file.exists() else None
    found = {str(file): _faults(file, key) for file in chosen}
    if as_json:
        told = {name: [one._asdict() for one in faults] for name, faults in found.items()}
        click.echo(orjson.dumps({"files": told, "sealed_bytes_opened": key is not None}))
    else:
        for name, faults in found.items():
            for one in faults:
                which = f"row {one.row}, document {one.document_id or 'unknown'}: " if one.row else ""
                click.echo(f"{name}: {which}{one.what}", err=True)
            click.echo(f"{name}: {len(faults)} faults" if faults else f"{name}: whole")
        if key is None:
            click.echo("without the installation's key seals and ids were not checked", err=True)
    if any(found.values()):
        context.exit(1)


def _faults(file: Path, key: bytes | None) -> list[Fault]:
    reader = JournalReader(file, key)
    try:
        return list(reader.verify())
    finally:
        reader.close()


@journal.command("held")
@click.option("--release", "rows", type=int, multiple=True, metavar="ROW", help="Let this row go (repeatable).")
@click.option("--release-all", is_flag=True, help="Let all held rows go; needs a reason.")
@click.option("--discard", "unwanted", type=int, multiple=True, metavar="ROW", help="Never send this row (repeatable).")
@click.option("--discard-all", is_flag=True, help="Never send any of them; needs a reason.")
@click.option("--reason", default="", help="Why; kept with your name. Compulsory to discard and for all at once.")
@click.option("--node", help="Whose journal: this node (default), or a feed's node.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def held_command(
    context: click.Context,
    /,
    *,
    rows: tuple[int, ...],
    release_all: bool,
    unwanted: tuple[int, ...],
    discard_all: bool,
    reason: str,
    node: str | None,
    as_json: bool,
) -> None:
    """List the rows that are held since a restore, or decide on them.

    A row let go is published with its own ids: whoever has it already ignores it. With accounts configured and the
    intake running, your token stands in SZTAB_TOKEN.
    """
    settings = settings_of(context)
    acts = [bool(rows), release_all, bool(unwanted), discard_all]
    if sum(acts) > 1:
        raise click.UsageError("one of --release, --release-all, --discard, --discard-all")
    place = _place(settings, node)
    if not any(acts):
        _show(place.held(), as_json=as_json)
        return
    released = bool(rows) or release_all
    decided = place.decide(list(rows or unwanted) or None, released=released, reason=reason)
    done = "let go" if released else "discarded"
    click.echo(orjson.dumps({"rows": decided, "done": done}) if as_json else f"{len(decided)} rows {done}")


def _show(found: list[HeldRow], *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps({"rows": [one._asdict() for one in found]}))
        return
    for one in found:
        at = datetime.fromtimestamp(one.received_ms / 1000, UTC).isoformat(timespec="seconds")
        click.echo(f"{one.row:>12}  {at}  {one.source:<20}  {one.document_id}")
    click.echo(f"{len(found)} rows are held")


class _File:
    """A journal that nobody has open for writing."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self._settings, self._path = settings, path

    def held(self) -> list[HeldRow]:
        reader = JournalReader(self._path)
        try:
            return reader.held()
        finally:
            reader.close()

    def decide(self, rows: list[int] | None, *, released: bool, reason: str) -> list[int]:
        chosen = chosen_of(self.held(), rows, released=released, reason=reason)
        key = installation_key(runtime.key_file(self._settings))
        store = JournalStore(self._path, derive(key, "journal"), Limits(self._settings.journal.max_bytes))
        by, at_ms = f"cli:{getpass.getuser()}", round(datetime.now(UTC).timestamp() * 1000)
        try:
            store.commit([], [Decision(row, released, by, reason, at_ms) for row in chosen])
        finally:
            store.close()
        return chosen


class _Running:
    """The journal of an intake that runs here: asked by HTTP, for it alone writes."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/v1/journal/held"

    def held(self) -> list[HeldRow]:
        return [HeldRow(**one) for one in run(self._ask("GET", None))["rows"]]

    def decide(self, rows: list[int] | None, *, released: bool, reason: str) -> list[int]:
        told: dict[str, Any] = {"act": "release" if released else "discard", "reason": reason}
        told |= {"all": True} if rows is None else {"rows": rows}
        return [int(row) for row in run(self._ask("POST", told))["rows"]]

    async def _ask(self, method: str, told: dict[str, Any] | None) -> dict[str, Any]:
        token = os.environ.get(TOKEN, "")
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        body = None if told is None else orjson.dumps(told)
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
                session.request(method, self._url, data=body, headers=headers) as answer,
            ):
                said: dict[str, Any] = orjson.loads(await answer.read())
        except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            detail = f"the intake does not answer ({type(error).__name__})"
            raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, detail) from None
        if answer.status != 200:
            raise problem_error(said)
        return said


def _place(settings: Settings, node: str | None) -> _File | _Running:
    intake = runtime.running(settings, "intake")
    if (node is None or node == settings.node) and intake is not None and intake.alive and intake.url:
        return _Running(intake.url)
    files = runtime.journals(settings.node, runtime.journal_file(settings))
    found = files.get(node or settings.node)
    if found is None:
        known = ", ".join(files) or "none"
        raise Misconfigured(
            Code.CONFIGURATION_INVALID, f"no journal of {node or settings.node} here; there are: {known}"
        )
    return _File(settings, found)

"""`sztab ledger`: the account of everything accepted, for people and programs."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import click
import orjson

from ops import kafka, ledger_shown, runtime
from ops.bookkeeping import showing
from ops.invocation import run, settings_of
from ops.ledger import Ledger, balance
from ops.ledger_sources import Where, read
from ops.settings import Settings

SHOWN: Final = 1_000
"""Ids shown of each kind; the count is always whole."""
AGAIN_SECONDS: Final = 1.0


@click.group("ledger", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait until nothing is in flight.")
@click.option("--node", "nodes", multiple=True, metavar="NAME=URL", help="Another intake node (repeatable).")
@click.option("--gone", multiple=True, metavar="NAME", help="A node that was taken out of service (repeatable).")
@click.pass_context
def ledger(
    context: click.Context, /, *, as_json: bool, wait: float, nodes: tuple[str, ...], gone: tuple[str, ...]
) -> None:
    """Is everything that was accepted delivered, quarantined or in flight?

    Without a further command everything is read anew from journals and topics; `show`, `overdue` and `acts` ask what
    the role `ledger` keeps on this machine. Exit status 0: it balances. 1: it does not, or that could not be found
    out (`balanced` null).
    """
    if context.invoked_subcommand is not None:
        return
    told = run(account(settings_of(context), wait, _addresses(nodes), gone))
    if as_json:
        click.echo(orjson.dumps(told))
    else:
        _show(told)
    if told["balanced"] is not True:
        context.exit(1)


@ledger.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def show(context: click.Context, /, *, id: str, as_json: bool) -> None:
    """What became of a document, report, command or delivery: who was to get it by which rule, and how that ended.

    Exit status 1 when the ledger does not know the id: it is too old (sztab trace reads the topics), or nobody's.
    """
    told = showing.shown(runtime.ledger_file(settings_of(context)), id, datetime.now(UTC))
    if as_json:
        click.echo(orjson.dumps(told))
    elif told is None:
        click.echo(f"the ledger does not know {id}; sztab trace {id} looks in the topics", err=True)
    else:
        ledger_shown.show(told)
    if told is None:
        context.exit(1)


@ledger.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def overdue(context: click.Context, /, *, as_json: bool) -> None:
    """Deliveries past their deadline without a receipt, as the role `ledger` saw them last.

    Exit status 0: none. 1: some, or it is not known.
    """
    told = showing.overdue(runtime.ledger_file(settings_of(context)))
    if as_json:
        click.echo(orjson.dumps(told))
    else:
        ledger_shown.overdue(told)
    if told["overdue_count"] or told["balanced"] is None:
        context.exit(1)


@ledger.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list, for programs.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="The last so many.")
@click.pass_context
def acts(context: click.Context, /, *, as_json: bool, limit: int) -> None:
    """What the reconciler did about what was missing: what, why, when, and what came of it."""
    told = showing.acts(runtime.ledger_file(settings_of(context)), limit)
    if as_json:
        click.echo(orjson.dumps(told))
    else:
        ledger_shown.acts(told)


async def account(
    settings: Settings, wait: float = 0.0, others: Mapping[str, str] | None = None, gone: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The ledger as an object for JSON; asked again until nothing is in flight or `wait` seconds have passed."""
    where = Where(
        kafka.cluster(settings), settings.node, runtime.journal_file(settings), dict(others or {}), frozenset(gone)
    )
    until = time.monotonic() + wait
    while True:
        began = time.monotonic()
        found = balance(await read(where))
        drained = not (found.in_flight or found.changes["in_flight"] or found.commands["in_flight"])
        if drained or time.monotonic() >= until:
            return {**_told(found), "read_seconds": round(time.monotonic() - began, 2)}
        await asyncio.sleep(AGAIN_SECONDS)


def _told(found: Ledger) -> dict[str, Any]:
    """What is shown: numbers whole, long lists of ids cut, times as text."""
    told = asdict(found)
    told["overdue"] = [
        {
            "delivery": one["delivery"],
            "recipient": one["recipient"],
            "deadline_at": datetime.fromtimestamp(one["deadline_ms"] / 1000, UTC).isoformat(),
        }
        for one in found.overdue[:SHOWN]
    ]
    told["missing"] = {name: ids[:SHOWN] for name, ids in found.missing.items()}
    told["untraced"] = found.untraced[:SHOWN]
    told["untraced_count"] = len(found.untraced)
    told["missing_counts"] = {name: len(ids) for name, ids in found.missing.items()}
    return told


def _show(told: dict[str, Any]) -> None:
    verdict = {True: "balanced", False: "NOT BALANCED", None: "unknown"}[told["balanced"]]
    click.echo(f"{verdict}: {told['reports']} reports, counted per report and recipient")
    for name in ("accepted", "delivered", "quarantined", "in_flight"):
        click.echo(f"  {name.replace('_', ' '):<12}{told[name]:>10}")
    for rule, count in sorted(told["nobody"].items()):
        click.echo(f"  to nobody by the rule {rule}: {count}")
    for name, numbers in (("changes", told["changes"]), ("commands", told["commands"])):
        click.echo(f"  {name}: " + ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in numbers.items()))
    if told["beyond_retention"]:
        click.echo(f"  too old to be held against topics that delete: {told['beyond_retention']}")
    if told["overdue"]:
        click.echo(f"  overdue: {len(told['overdue'])}, first {told['overdue'][0]['delivery']}")
    for name, ids in told["missing"].items():
        click.echo(f"  {name.replace('_', ' ')}: {told['missing_counts'][name]}, first {ids[0]}")
    if told["untraced"]:
        click.echo(f"  lost with a journal, fate unknown: {told['untraced_count']}, first {told['untraced'][0]}")
    for node in told["unreachable"]:
        click.echo(f"  the journal of {node} cannot be reached")


def _addresses(nodes: tuple[str, ...]) -> dict[str, str]:
    parts = [one.partition("=") for one in nodes]
    if any(not name or not url for name, _, url in parts):
        raise click.UsageError("--node is NAME=URL")
    return {name: url for name, _, url in parts}

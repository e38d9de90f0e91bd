"""`sztab provision [--dry-run] [--json]`: make the cluster's topics as the catalogue wants them."""

import asyncio
from collections.abc import Sequence

import click
import orjson

from ops.invocation import settings_of
from ops.kafka import client_options
from ops.provision import nodes, wanted
from ops.provision import provision as bring
from ops.provision_plan import Action, Leave, replicas_on
from ops.settings import Settings
from schemas.topic import DAY_MS
from schemas.topics import catalogue


def provision_installation(settings: Settings, *, dry_run: bool) -> list[Action]:
    """Provision this installation's topics and answer the plan; for `sztab provision`, `run all` and `demo`.

    Raises Misconfigured (retention or partitions refused, no broker ever started) and Unavailable (no answer, or new
    topics want more replicas than brokers live).
    """
    return asyncio.run(_provision(settings, dry_run=dry_run))


async def _provision(settings: Settings, *, dry_run: bool) -> list[Action]:
    client = client_options(settings)
    recipients = [recipient.name for recipient in settings.recipients]
    retention_ms = {name: int(days * DAY_MS) for name, days in settings.kafka.retention_days.items()}
    replicas = settings.kafka.replicas or replicas_on(await nodes(client))
    desired = wanted(catalogue(recipients), settings.installation.prefix, replicas, settings.kafka.wide, retention_ms)
    return await bring(client, desired, dry_run=dry_run)


@click.command
@click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def provision(context: click.Context, *, dry_run: bool, as_json: bool) -> None:
    """Create and alter the topics that the catalogue names; again changes nothing."""
    actions = provision_installation(settings_of(context), dry_run=dry_run)
    click.echo(_object(actions, dry_run=dry_run) if as_json else _text(actions, dry_run=dry_run))


def _text(actions: Sequence[Action], *, dry_run: bool) -> str:
    if not actions:
        return "every topic is as the catalogue wants it"
    left = sum(isinstance(one, Leave) for one in actions)
    told = f", {left} left" if left else ""
    count = len(actions) - left
    end = f"{count} to do{told}, nothing changed (dry run)" if dry_run else f"{count} done{told}"
    return "\n".join([*map(str, actions), end])


def _object(actions: Sequence[Action], *, dry_run: bool) -> bytes:
    plan = [{"action": type(one).__name__.lower(), "text": str(one)} for one in actions]
    return orjson.dumps({"dry_run": dry_run, "plan": plan})

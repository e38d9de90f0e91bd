"""`sztab replay`: history for a developer's test consumers, or once more for recipients who agreed."""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
import orjson

from ops import kafka
from ops.aside.topic import pen
from ops.invocation import run, settings_of
from ops.moments import milliseconds
from ops.reference import references
from ops.replay import COPIED, Span, Told, check_consent, check_target, check_topics, copied, delivered
from ops.settings import Settings
from schemas.audit import Act, Audited
from schemas.errors import Code, Rejected
from schemas.topics import AUDIT
from schemas.wire import derived_id, record
from streams.contract import Output


@click.command("replay")
@click.option("--from", "since", required=True, help="Begin of the window: ISO 8601 with zone.")
@click.option("--to", "until", required=True, help="End of the window; what lies on it is outside.")
@click.option("--topics", help=f"With --into, by commas: {', '.join(COPIED)}.")
@click.option("--into", metavar="PREFIX", help="Topic prefix of the test consumers, with its dot; its topics are made.")
@click.option("--recipients", metavar="NAMES", help="By commas; each one's settings must say replay = true.")
@click.option("--purpose", help="Why; goes to the audit log with your name. Needed with --yes.")
@click.option("--yes", is_flag=True, help="Do it. Else it is only counted.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def replay(
    context: click.Context,
    /,
    *,
    since: str,
    until: str,
    topics: str | None,
    into: str | None,
    recipients: str | None,
    purpose: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Copy a window of topics into those of a test prefix, or put its deliveries into recipients' outboxes again.

    Without --yes it is only counted. Copies keep order, key and headers and say when they were appended first.
    """
    if (into is None) is (recipients is None):
        raise click.UsageError("either --into or --recipients")
    if (into is None) is not (topics is None):
        raise click.UsageError("--topics belongs to --into: deliveries stand in the recipients' outboxes alone")
    if yes and not (purpose or "").strip():
        raise click.UsageError("--yes needs --purpose: history holds what people told")
    settings, span = settings_of(context), Span(milliseconds(since, "from"), milliseconds(until, "to"))
    if span.since_ms >= span.until_ms:
        raise Rejected(Code.FIELD_INVALID, "the window ends before it begins", "/to")
    names = [one.strip() for one in (topics or recipients or "").split(",") if one.strip()]
    told = run(_replayed(settings, span, into, names, purpose if yes else None))
    if as_json:
        click.echo(orjson.dumps({"dry_run": not yes, **{name: dict(one) for name, one in vars(told).items()}}))
        return
    for topic, count in sorted(told.read.items()):
        click.echo(f"{count:>9}  read from {topic}")
    for topic, count in sorted(told.written.items()):
        click.echo(f"{count:>9}  {'written to' if yes else 'would go to'} {into or ''}{topic}")
    for why, count in sorted(told.left.items()):
        click.echo(f"{count:>9}  left: {why}")
    if not yes:
        click.echo("nothing was written; --yes does it")


async def _replayed(
    settings: Settings, span: Span, into: str | None, names: Sequence[str], purpose: str | None
) -> Told:
    """Check, write down who does it and why, do it. `purpose` None: only count."""
    cluster, dry_run = kafka.cluster(settings), purpose is None
    known: dict[str, Any] = {one.name: one.settings for one in settings.recipients}
    if into is not None:
        check_target(cluster.prefix, into)
        check_topics(names)
    else:
        check_consent(known, names)
    if purpose is not None:
        async with pen(cluster) as writing:
            await writing.write(_audited(purpose.strip(), into, names))
    if into is not None:
        return await copied(cluster, kafka.client_options(settings), names, span, into, dry_run=dry_run)
    routing = references(settings).route.routing
    return await delivered(cluster, known, names, span, routing, dry_run=dry_run)


def _audited(purpose: str, into: str | None, names: Sequence[str]) -> Output:
    """Who gave history to whom. Each delivery that goes again has its own record besides."""
    actor, at = f"cli:{getpass.getuser()}", datetime.now(UTC)
    told = Audited(
        audit_id=derived_id("replay", actor, at.isoformat()),
        act=Act.DISCLOSURE,
        actor=actor,
        purpose=f"replay: {purpose}",
        at=at,
        recipient=into or ",".join(names),
        fields=tuple(names) if into else ("body",),
    )
    value, headers = record(
        told, id=told.audit_id, source="/sztab/replay", time=at.isoformat(), extensions={"kind": told.act.value}
    )
    return Output(AUDIT, actor.encode(), value, headers)

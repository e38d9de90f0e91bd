"""`sztab trace ID`: where one thing came from, what became of it, and when."""

from typing import Any

import click
import orjson

from ops.invocation import run, settings_of
from ops.ledger_shown import acts
from ops.trace import traced


@click.command("trace")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def trace(context: click.Context, /, *, id: str, as_json: bool) -> None:
    """The way of a document, report, incident, fact, command or delivery, without personal data.

    Exit status 0: something is known of it. 1: nothing.
    """
    told = run(traced(settings_of(context), id))
    if told is None:
        click.echo(orjson.dumps(None) if as_json else f"nothing is known of {id}", err=not as_json)
        context.exit(1)
    if as_json:
        click.echo(orjson.dumps(told))
    else:
        show(told)


def show(told: dict[str, Any]) -> None:
    """The trace for a person."""
    click.echo(f"{told['kind']} {told['id']}")
    for one in told["documents"]:
        place = f"journal of {one['node']}, row {one['row']}"
        click.echo(f"{one['received_at']}  document {one['document_id']} from {one['source']}: {one['state']}, {place}")
    for one in told["records"]:
        name = one.get("kind") or one.get("recipient") or ""
        click.echo(f"{one['at']}  {one['topic']} {one['partition']}/{one['offset']}  {name}")
    if told["cut"]:
        click.echo("more records belong to it than are shown")
    for one in told["links"]:
        click.echo(f"{one['at']}  {one['kind']}{_link(one)}")
    for one in told["decisions"]:
        to = ", ".join(sorted(one["deliveries"])) or "nobody"
        click.echo(f"{one['decided_at']}  {one['kind']} to {to} by {', '.join(one['rules'])}")
    for one in told["deliveries"]:
        end = f"{one['outcome']}{' ' + one['code'] if one.get('code') else ''} after {one['attempts']} tries"
        click.echo(f"{one['receipted_at']}  delivery {one['delivery_id']} to {one['recipient']}: {end}")
    for one in told["quarantine"]:
        click.echo(
            f"{one.get('set_aside_at', '')}  set aside at {one['stage']}: {one['code']} {one.get('at', '')}".rstrip()
        )
    for one in told["handled"]:
        click.echo(_handled(one))
    acts(told["acts"])


def _handled(one: dict[str, Any]) -> str:
    further = "".join(f" {name} {one[name]}" for name in ("code", "job") if name in one)
    by = f": document {one['corrected_by']} corrects it" if "corrected_by" in one else ""
    return f"{one['acted_at']}  {one['handling']} by {one['actor']}{further}{by}"


def _link(one: dict[str, Any]) -> str:
    parts = [f" {name} {one[name]}" for name in ("verb", "before", "after", "flag", "deadline") if name in one]
    if "rule" in one:
        evidence = ", ".join(f"{e['feature']} {e['value']} {e['weight_bits']:+.1f}" for e in one.get("evidence", ()))
        parts.append(f" by {one['rule']} ({one.get('weight_bits', 0):+.1f} bits{': ' + evidence if evidence else ''})")
    return "".join(parts)

"""What `sztab ledger show`, `overdue` and `acts` print for a person."""

from collections.abc import Iterable, Mapping
from typing import Any

import click


def show(told: Mapping[str, Any]) -> None:
    """One id."""
    click.echo(f"{told['id']}: {'settled ' + told['settled_at'] if told['settled_at'] else 'open'}")
    for one in told["documents"]:
        click.echo(
            f"{one['received_at']}  document {one['document_id']}, {one['node']} row {one['row']}: {one['state']}"
        )
    for fact in told["facts"]:
        click.echo(f"{fact['at'] or '?'}  {fact['kind']} {fact['fact_id']}")
        if fact["decided_at"] is None:
            click.echo("    not routed yet")
            continue
        until = f", until {fact['deadline_at']}" if fact["deadline_at"] else ""
        to = ", ".join(one["recipient"] for one in fact["deliveries"]) or "nobody"
        click.echo(f"    {fact['decided_at']}  to {to} by {', '.join(fact['rules'])}{until}")
        for one in fact["deliveries"]:
            when = f" {one['receipted_at']}" if one["receipted_at"] else ""
            click.echo(f"      {one['recipient']}: {one['state']}{when} (delivery {one['delivery_id']})")
    for one in told["quarantine"]:
        click.echo(f"  set aside at {one['stage']}")
    for name, what in told["missing"].items():
        click.echo(f"  MISSING {what.replace('_', ' ')}: {name}")
    acts(told["acts"])


def overdue(told: Mapping[str, Any]) -> None:
    """What is past its deadline."""
    known = f"as of {told['judged_at']}" if told.get("judged_at") else "not known: no verdict yet, or no broker"
    click.echo(f"{told['overdue_count']} overdue ({known})")
    for one in told["overdue"]:
        click.echo(f"  {one['deadline_at']}  {one['recipient']}: delivery {one['delivery_id']}")


def acts(told: Iterable[Mapping[str, Any]]) -> None:
    """What the reconciler did."""
    for one in told:
        why = f"{one['why'].replace('_', ' ')} since {one['missed_since']}"
        code = f" ({one['code']})" if one.get("code") else ""
        click.echo(
            f"{one['acted_at']}  reconciler, {one['stage']}, try {one['attempt']}: {one['outcome']}{code};"
            f" {one['subject_id']} {why}"
        )

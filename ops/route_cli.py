"""`sztab route test`: who would get a fact, by which rule, until when, and which fields; nothing is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
import orjson

from ops.invocation import settings_of
from ops.reference import references
from schemas.report import Mode, Urgency
from streams import route_subject
from streams.routing import KINDS, Named, Routing, View


@dataclass(frozen=True)
class Answer:
    """What the tree decides about a fact."""

    rules: tuple[str, ...]
    named: tuple[Named, ...]
    fields: Mapping[str, tuple[str, ...]]
    bodies: Mapping[str, Mapping[str, Any]]


def answer(routing: Routing, view: View) -> Answer:
    """Who gets a fact that looks like this."""
    decision = routing.decide(view)
    fields = {one.recipient: routing.profiles[one.profile].fields for one in decision.named}
    return Answer(decision.rules, decision.named, fields, {})


def answer_fact(routing: Routing, fact: dict[str, Any], mode: str) -> Answer:
    """Who gets this very fact, and the body of each delivery. `mode`: the one that its record's headers name."""
    subject = route_subject.subject(fact, mode)
    decision = route_subject.decide(routing, subject)
    fields = {one.recipient: routing.profiles[one.profile].fields for one in decision.named}
    bodies = {one.recipient: route_subject.body(routing, one.profile, subject) for one in decision.named}
    return Answer(decision.rules, decision.named, fields, bodies)


@click.group("route")
def route() -> None:
    """The routing tree."""


@route.command("test")
@click.option("--kind", type=click.Choice(KINDS), default="IncidentOpened", show_default=True, help="Kind of fact.")
@click.option("--category", default="unknown", show_default=True, help="Code of the catalogue.")
@click.option("--unit", default="", help="Territory; else the default one.")
@click.option("--urgency", type=click.Choice([one.value for one in Urgency]), default="ordinary", show_default=True)
@click.option(
    "--mode",
    type=click.Choice([one.value for one in Mode]),
    default=None,
    help="Else the fact's, else the installation's.",
)
@click.option("--flag", "flags", multiple=True, help="A mark of the incident or the report (repeatable).")
@click.option("--severity", default="", help="CAP severity, for notices.")
@click.option("--source", default="", help="Source instance.")
@click.option("--deadline", default="", help="Which deadline passed, for DeadlinePassed.")
@click.option("--fact", "file", type=click.File("rb"), help="A fact as JSON instead of these; `-`: standard input.")
@click.option("--fields", "with_fields", is_flag=True, help="Name every field that goes out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def test(
    context: click.Context,
    kind: str,
    category: str,
    unit: str,
    urgency: str,
    mode: str | None,
    flags: tuple[str, ...],
    severity: str,
    source: str,
    deadline: str,
    file: Any,
    *,
    with_fields: bool,
    as_json: bool,
) -> None:
    """Who would get a fact, and which fields of it. Nothing is sent."""
    settings = settings_of(context)
    known = references(settings)
    routing = known.route.routing
    if category not in known.normalise.catalogue.categories:
        raise click.BadParameter(f"no category {category!r} in the catalogue", param_hint="--category")
    if file is not None:
        fact = _fact(file.read())
        found = answer_fact(routing, fact, mode or _mode_in(fact) or settings.installation.mode.value)
    else:
        view = View(
            kind=kind,
            category=category,
            group=category.split(".", 1)[0],
            unit=unit or known.normalise.territory.default,
            urgency=urgency,
            mode=mode or settings.installation.mode,
            flags=frozenset(flags),
            severity=severity,
            source=source,
            deadline=deadline,
        )
        found = answer(routing, view)
    click.echo(_object(found, routing, with_fields=with_fields) if as_json else _text(found, with_fields=with_fields))


def _fact(raw: bytes) -> dict[str, Any]:
    try:
        fact = orjson.loads(raw)
        if isinstance(fact["change"]["kind"], str) and fact["at"] and fact["fact_id"]:
            return dict(fact)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    raise click.BadParameter("not a fact as it stands on incident.facts", param_hint="--fact")


def _mode_in(fact: dict[str, Any]) -> str:
    """The mode that a fact itself names, as far as it holds anything that has one."""
    report = (fact["change"].get("report") or {}).get("report")
    return next((str(one["mode"]) for one in (fact.get("summary"), report, fact["change"].get("notice")) if one), "")


def _object(found: Answer, routing: Routing, *, with_fields: bool) -> bytes:
    recipients = [
        {
            "recipient": one.recipient,
            "rule": one.rule,
            "profile": one.profile,
            "deadline_seconds": one.deadline_seconds,
            **({"fields": found.fields[one.recipient]} if with_fields else {}),
            **({"body": found.bodies[one.recipient]} if one.recipient in found.bodies else {}),
        }
        for one in found.named
    ]
    return orjson.dumps({"rules": found.rules, "version": routing.version, "recipients": recipients})


def _text(found: Answer, *, with_fields: bool) -> str:
    lines = [f"rules: {', '.join(found.rules)}"]
    if not found.named:
        lines.append("nobody gets it")
    for one in found.named:
        until = f", within {one.deadline_seconds:g} s" if one.deadline_seconds else ""
        lines.append(f"{one.recipient}: rule {one.rule}, profile {one.profile}{until}")
        if with_fields:
            lines += [f"    {field}" for field in found.fields[one.recipient]]
        if one.recipient in found.bodies:
            lines.append(f"    body: {orjson.dumps(found.bodies[one.recipient]).decode()}")
    return "\n".join(lines)

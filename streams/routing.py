"""The routing tree: who gets a fact, by which rule, with which profile, until when. Data: `routing.yaml`.

A fact enters at the root, which matches everything. The first child that matches takes it; a child with `continue`
lets the next ones look as well; where no child matches, the node itself decides. A node inherits profile, deadline and
escalation from its parent. What no recipient gets is delivered to nobody, by the rule's name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

from pydantic import ConfigDict, Field

from schemas.incident import Change
from schemas.notice import Severity
from schemas.report import Mode, Urgency
from streams.loading import Shape, checked, digest, read_yaml, refused
from streams.profiles import Tree, compiled, expand

NAME: Final = r"^[a-z0-9][a-z0-9-]*$"
PASSED: Final = "DeadlinePassed"
KINDS: Final = tuple(str(one.model_fields["kind"].default) for one in get_args(get_args(Change)[0]))
"""Every kind of fact."""


class MatchShape(Shape):
    """Conditions of a rule: each that is given must hold, one of its values suffices."""

    kind: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    unit: tuple[str, ...] = ()
    urgency: tuple[Urgency, ...] = ()
    mode: tuple[Mode, ...] = ()
    flags: tuple[str, ...] = ()
    severity: tuple[Severity, ...] = ()
    source: tuple[str, ...] = ()


class EscalationShape(Shape):
    """Who else is told when a deadline of the incident passes; `deadlines` empty: any."""

    recipients: Annotated[tuple[str, ...], Field(min_length=1)]
    deadlines: tuple[str, ...] = ()


class RouteShape(Shape):
    """A node of the tree."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: Annotated[str, Field(pattern=NAME)]
    match: MatchShape = MatchShape()
    recipients: tuple[str, ...] = ()
    profile: str | None = None
    deadline_seconds: Annotated[float | None, Field(gt=0)] = None
    escalation: EscalationShape | None = None
    go_on: Annotated[bool, Field(alias="continue")] = False
    routes: "tuple[RouteShape, ...]" = ()


class ProfileShape(Shape):
    """The fields that a recipient gets, as dotted paths."""

    title: str = ""
    fields: Annotated[tuple[str, ...], Field(min_length=1)]


class RecipientShape(Shape):
    """What a recipient takes: `test` reaches only who says so."""

    title: str = ""
    modes: Annotated[tuple[Mode, ...], Field(min_length=1)] = (Mode.REAL,)


class RoutingShape(Shape):
    """`routing.yaml` as a whole."""

    version: Literal[1]
    recipients: dict[str, RecipientShape]
    profiles: dict[str, ProfileShape]
    route: RouteShape


class View(NamedTuple):
    """What rules look at."""

    kind: str
    category: str
    group: str
    unit: str
    urgency: str
    mode: str
    flags: frozenset[str]
    severity: str
    source: str
    deadline: str


LEFT: Final = "left"
"""Rule and profile of who was told of an incident that no rule gives to it any more."""
LEFT_FIELDS: Final = (
    *("fact.fact_id", "fact.at", "fact.incident_id", "change.kind", "change.moved_to"),
    *("summary.sequence", "summary.state", "summary.merged_into"),
)
"""What they get where the file has no profile of that name: ids and the state, nothing of what it is now."""


class Named(NamedTuple):
    """A recipient that a rule named, with the profile and the deadline that hold for it."""

    recipient: str
    rule: str
    profile: str
    deadline_seconds: float | None


class Decision(NamedTuple):
    """The rules that decided, and whom they named; a recipient named twice goes by the first rule."""

    rules: tuple[str, ...]
    named: tuple[Named, ...]


class Profile(NamedTuple):
    """A compiled profile: its fields one by one, and the tree that picks them."""

    fields: tuple[str, ...]
    tree: Tree


@dataclass(frozen=True)
class Routing:
    """The tree with its profiles. `version` names exactly this content."""

    root: RouteShape
    profiles: Mapping[str, Profile]
    recipients: Mapping[str, RecipientShape]
    version: str

    def decide(self, view: View) -> Decision:
        """Which rules hold for a fact, and whom they name. Recipients that do not take its mode are left out."""
        rules: list[str] = []
        named: dict[str, Named] = {}
        self._visit(self.root, view, (None, None, None), rules, named)
        return Decision(tuple(rules), tuple(named.values()))

    def _visit(
        self,
        node: RouteShape,
        view: View,
        above: tuple[str | None, float | None, EscalationShape | None],
        rules: list[str],
        named: dict[str, Named],
    ) -> None:
        profile = node.profile or above[0]
        deadline = node.deadline_seconds or above[1]
        escalation = node.escalation or above[2]
        taken = False
        for child in node.routes:
            if _matches(child.match, view):
                self._visit(child, view, (profile, deadline, escalation), rules, named)
                taken = True
                if not child.go_on:
                    return
        if taken:
            return
        rules.append(node.name)
        recipients = node.recipients
        if escalation and view.kind == PASSED and view.deadline in (escalation.deadlines or (view.deadline,)):
            recipients = (*recipients, *escalation.recipients)
        for recipient in recipients:
            taker = self.recipients.get(recipient)
            if taker is not None and view.mode in taker.modes:
                named.setdefault(recipient, Named(recipient, node.name, profile or "", deadline))


def _matches(match: MatchShape, view: View) -> bool:
    return (
        (not match.kind or view.kind in match.kind)
        and (not match.category or view.category in match.category)
        and (not match.group or view.group in match.group)
        and (not match.unit or view.unit in match.unit)
        and (not match.urgency or view.urgency in match.urgency)
        and (not match.mode or view.mode in match.mode)
        and (not match.flags or not view.flags.isdisjoint(match.flags))
        and (not match.severity or view.severity in match.severity)
        and (not match.source or view.source in match.source)
    )


class Known(NamedTuple):
    """What a tree may refer to; None where it is not known and nothing is checked."""

    categories: Collection[str] | None = None
    units: Collection[str] | None = None
    recipients: Collection[str] | None = None


def load(data: Any, known: Known, where: str = "routing.yaml") -> Routing:
    """The tree from the data of its file. Misconfigured names all mistakes: shapes, names, fields, targets."""
    shape = checked(RoutingShape, data, where)
    mistakes = _profile_mistakes(shape) + _recipient_mistakes(shape, known)
    mistakes += _node_mistakes(shape.route, shape, known, "route", None, set())
    if shape.route.match != MatchShape():
        mistakes.append("route.match: the root matches everything and has no condition")
    if mistakes:
        raise refused([f"{where}: {mistake}" for mistake in mistakes])
    fields = {LEFT: LEFT_FIELDS} | {name: one.fields for name, one in shape.profiles.items()}
    profiles = {
        name: Profile(tuple(leaf.path for path in paths for leaf in expand(path)), compiled(paths))
        for name, paths in fields.items()
    }
    return Routing(shape.route, profiles, shape.recipients, digest(data))


def built_in(known: Known) -> Routing:
    """The example that comes with the project, without the recipients that the installation has not."""
    text = (files("streams") / "defaults" / "routing.yaml").read_text(encoding="utf-8")
    whole = load(read_yaml(text, "routing.yaml"), known._replace(recipients=None, units=None))
    if known.recipients is None:
        return whole
    there = {name: one for name, one in whole.recipients.items() if name in known.recipients}
    return replace(whole, recipients=there, version=digest([whole.version, sorted(there)]))


def _profile_mistakes(shape: RoutingShape) -> list[str]:
    found = []
    for name, profile in shape.profiles.items():
        for path in profile.fields:
            try:
                expand(path)
            except ValueError as error:
                found.append(f"profiles.{name}.fields: {error}")
    return found


def _recipient_mistakes(shape: RoutingShape, known: Known) -> list[str]:
    if known.recipients is None:
        return []
    there = ", ".join(sorted(known.recipients)) or "none"
    return [
        f"recipients.{name}: is no configured recipient; there are: {there}"
        for name in shape.recipients
        if name not in known.recipients
    ]


def _node_mistakes(
    node: RouteShape, shape: RoutingShape, known: Known, at: str, profile: str | None, names: set[str]
) -> list[str]:
    profile = node.profile or profile
    found = [f"{at}.name: {node.name!r} stands twice"] if node.name in names else []
    names.add(node.name)
    everybody = node.recipients + (node.escalation.recipients if node.escalation else ())
    found += [f"{at}: {who!r} is not among recipients" for who in everybody if who not in shape.recipients]
    if profile is not None and profile not in shape.profiles:
        found.append(f"{at}.profile: no profile {profile!r}; there are {', '.join(sorted(shape.profiles))}")
    if everybody and profile is None:
        found.append(f"{at}.profile: names recipients, but no profile holds")
    for field, allowed in (("kind", KINDS), ("category", known.categories), ("unit", known.units)):
        values = getattr(node.match, field)
        found += [f"{at}.match.{field}: no {one!r}" for one in values if allowed is not None and one not in allowed]
    groups = None if known.categories is None else {code.split(".", 1)[0] for code in known.categories}
    found += [f"{at}.match.group: no {one!r}" for one in node.match.group if groups is not None and one not in groups]
    for number, child in enumerate(node.routes):
        found += _node_mistakes(child, shape, known, f"{at}.routes.{number}", profile, names)
    return found

"""Urgency of a report (pilne, zwykłe) by named rules that are data: `schemas/catalogue/urgency.yaml`."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from schemas.report import Casualties, Telling, Urgency
from streams.categories import Category
from streams.loading import Shape, checked, digest, read_yaml, refused


class WhenShape(Shape):
    """Conditions of a rule; all that are given must hold."""

    source_word: Urgency | None = None
    casualties: bool | None = None
    flags: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class RuleShape(Shape):
    """One rule: its name travels with the report that it decided."""

    name: str
    when: WhenShape
    then: Literal["urgent", "ordinary", "category"]


class RulesShape(Shape):
    """`urgency.yaml` as a whole."""

    version: Literal[1]
    rules: tuple[RuleShape, ...]


class Decided(NamedTuple):
    """The urgency and the name of the rule that decided."""

    urgency: Urgency
    rule: str


@dataclass(frozen=True, slots=True)
class UrgencyRules:
    """The rules in order; the last one holds for everything."""

    rules: tuple[RuleShape, ...]
    version: str

    def decide(self, told: Telling, category: Category) -> Decided:
        """The first rule whose conditions hold."""
        for rule in self.rules:
            if _holds(rule.when, told, category):
                urgency = category.urgency if rule.then == "category" else Urgency(rule.then)
                return Decided(urgency, rule.name)
        return Decided(category.urgency, "category-default")


def load(text: str, where: str = "urgency.yaml") -> UrgencyRules:
    """The rules from their file; names must differ, the last must always hold. Misconfigured names all mistakes."""
    data: Any = read_yaml(text, where)
    shape = checked(RulesShape, data, where)
    names = [rule.name for rule in shape.rules]
    mistakes = [f"{where}: rules: {name!r} stands twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if not shape.rules or shape.rules[-1].when != WhenShape():
        mistakes.append(f"{where}: rules: the last rule must have no condition")
    if mistakes:
        raise refused(mistakes)
    return UrgencyRules(shape.rules, digest(data))


@lru_cache(maxsize=1)
def built_in() -> UrgencyRules:
    """The rules that come with the project."""
    return load((files("schemas") / "catalogue" / "urgency.yaml").read_text(encoding="utf-8"))


def _holds(when: WhenShape, told: Telling, category: Category) -> bool:
    return (
        (when.source_word is None or told.urgency == when.source_word)
        and (when.casualties is None or _anybody(told.casualties) == when.casualties)
        and (not when.flags or any(flag in when.flags for flag in told.flags))
        and (not when.categories or category.code in when.categories)
        and (not when.groups or category.group in when.groups)
    )


def _anybody(casualties: Casualties | None) -> bool:
    return casualties is not None and any((casualties.injured, casualties.in_danger, casualties.dead))

"""Urgency by named rules."""

import pytest

from schemas.errors import Misconfigured
from schemas.report import Urgency
from streams import categories, urgency
from tests.streams.places import report


@pytest.mark.parametrize(
    ("told", "category", "expected", "rule"),
    [
        ({"urgency": "urgent", "casualties": None}, "order.noise", Urgency.URGENT, "source-urgent"),
        ({"urgency": "ordinary", "casualties": {"injured": 1}}, "order.noise", Urgency.URGENT, "casualties"),
        ({"urgency": None, "casualties": {"injured": 0}}, "order.noise", Urgency.ORDINARY, "category-default"),
        ({"urgency": None, "casualties": None, "flags": ("dangerous",)}, "order.noise", Urgency.URGENT, None),
        ({"urgency": None, "casualties": None, "flags": ("ongoing",)}, "order.noise", Urgency.ORDINARY, None),
        ({"urgency": None, "casualties": None, "flags": ("ongoing",)}, "crime.theft", Urgency.URGENT, "flag-ongoing"),
        ({"urgency": "ordinary", "casualties": None}, "fire.building", Urgency.ORDINARY, "source-ordinary"),
        ({"urgency": None, "casualties": None}, "fire.building", Urgency.URGENT, "category-default"),
    ],
)
def test_the_first_rule_that_holds_decides(told, category, expected, rule):
    """Source's word, casualties, flags, category: in this order, and the rule is named."""
    decided = urgency.built_in().decide(report(told).told, categories.built_in().category(category))
    assert decided.urgency is expected
    assert rule in {None, decided.rule}


def test_conditions_on_category_and_group():
    """A rule may name categories or groups; all its conditions must hold."""
    rules = urgency.load(
        "{version: 1, rules: [{name: a, when: {categories: [order.noise], source_word: urgent}, then: ordinary},"
        " {name: z, when: {}, then: urgent}]}"
    )
    noise = categories.built_in().category("order.noise")
    assert rules.decide(report({"urgency": "urgent"}).told, noise).rule == "a"
    assert rules.decide(report({"urgency": "ordinary"}).told, noise).rule == "z"


def test_mistakes_are_named():
    """A name twice, a missing last rule, a wrong word: refused, all named."""
    with pytest.raises(Misconfigured, match=r"'a' stands twice.*must have no condition"):
        urgency.load(
            "{version: 1, rules: [{name: a, when: {casualties: true}, then: urgent},"
            " {name: a, when: {casualties: true}, then: urgent}]}"
        )
    with pytest.raises(Misconfigured, match=r"rules\.0\.then"):
        urgency.load("{version: 1, rules: [{name: a, when: {}, then: now}]}")


def test_without_any_rule_the_category_decides():
    """Rules that none holds leave the category's default."""
    noise = categories.built_in().category("order.noise")
    assert urgency.UrgencyRules((), "x").decide(report().told, noise) == (Urgency.ORDINARY, "category-default")

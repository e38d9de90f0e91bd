"""The alert rules of `ops/alerts/`, as they are or with their durations divided: the same rules, only faster.

What is divided: each `for`, each range in brackets, and each number that carries the comment `# seconds`. Thresholds of
anything but durations stay. A range keeps at least four scrapes, or a rate over it would have nothing to compare.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import yaml

UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
FOR: Final = re.compile(r"^(\s+for: )(\d+)(ms|s|m|h|d)$", re.MULTILINE)
RANGE: Final = re.compile(r"\[(\d+)(ms|s|m|h|d)\]")
SECONDS: Final = re.compile(r"([<>=]=?\s*)(\d+)( # seconds)")
LEAST_RANGE_MS: Final = 4000
"""Four scrapes at one a second."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert rule, as it stands in the file."""

    name: str
    expr: str
    severity: str
    annotations: dict[str, str]


def text() -> str:
    """The rules file."""
    return (files("ops") / "alerts" / "sztab.rules.yml").read_text(encoding="utf-8")


def rules(told: str | None = None) -> list[Rule]:
    """Every rule of the file."""
    groups: list[dict[str, Any]] = yaml.safe_load(told or text())["groups"]
    return [
        Rule(one["alert"], one["expr"], one["labels"]["severity"], one["annotations"])
        for group in groups
        for one in group["rules"]
    ]


def scaled(factor: float, told: str | None = None) -> str:
    """The rules with their durations divided by the factor. ValueError for one that would make them slower."""
    if factor < 1:
        raise ValueError("the rules are made faster, never slower")
    if factor == 1:
        return told or text()
    made = FOR.sub(lambda one: f"{one[1]}{_shorter(one[2], one[3], factor, 0)}", told or text())
    made = RANGE.sub(lambda one: f"[{_shorter(one[1], one[2], factor, LEAST_RANGE_MS)}]", made)
    return SECONDS.sub(lambda one: f"{one[1]}{float(one[2]) / factor:g}{one[3]}", made)


def _shorter(number: str, unit: str, factor: float, least_ms: int) -> str:
    return f"{max(least_ms, round(int(number) * UNITS_MS[unit] / factor))}ms"

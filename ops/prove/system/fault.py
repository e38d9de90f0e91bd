"""What a fault of a proof is: a name, what it stands for, what it needs, and what it does to a running installation."""

import dataclasses
from collections.abc import Awaitable, Callable

from ops.prove.system.battle import Battle
from ops.prove.system.configured import Shape

Strike = Callable[[Battle], Awaitable[None]]
Needs = Callable[[], str]
"""Why a variant cannot run here; empty: it can."""


def nothing_needed() -> str:
    """The answer of what runs anywhere."""
    return ""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `row` of the fault matrix; `runs` and `seconds` of the full campaign."""

    name: str
    row: int
    what: str
    strike: Strike
    runs: int = 2
    seconds: float = 30.0
    shape: Shape = dataclasses.field(default_factory=Shape)
    raising: tuple[str, ...] = ()
    """Processors whose step raises for some reports."""
    needs: Needs = nothing_needed
    quick: bool = False
    """Whether it is in the short set."""
    alone: bool = False
    """Whether it leaves something that a later run on the same installation would take for its own."""
    variants: tuple[tuple[str, str], ...] = ()
    """Ways of the fault that are not tried, each with its reason."""

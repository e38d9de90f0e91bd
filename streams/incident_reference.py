"""Everything the incidents processor is given to decide by: catalogue, weights, deadlines, roles. Immutable."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from schemas.topic import DAY_MS
from streams import match_weights
from streams.categories import Catalogue, Category
from streams.lifecycle import ROLES
from streams.loading import Shape, checked
from streams.match_weights import Weights

DECIDING: Final = frozenset({"cpr_id", "jed", "swd_psp", "incident"})
"""Systems whose id names the matter itself: equal ids are one incident, without any weight."""


class DeadlinesShape(Shape):
    """`[deadlines]` of the configuration."""

    unanswered_seconds: Annotated[float, Field(gt=0, le=86_400)] = 45
    """From opening to `accept` or `refuse`."""
    receive_seconds: Annotated[float, Field(gt=0, le=86_400)] = 120
    """From hand-over to `receive`."""
    seen_days: Annotated[float, Field(gt=0, le=365)] = 15
    """How long ids are kept: journal age (7), intake retention (7), one day."""


class PracticeShape(Shape):
    """Rules of the exchange that are practice rather than law, each a setting."""

    reopening_statuses: tuple[str, ...] = ("REOPENED", "ponownie otwarte")
    """Words of a far side's `handling_status` that reopen a refused incident."""


@dataclass(frozen=True)
class IncidentsReference:
    """What decides. `clocks` fixes the clock of each configured unit; any other territory gets its first report's.
    `roles` by actor.
    """

    catalogue: Catalogue
    weights: Weights
    clocks: Mapping[str, str]
    roles: Mapping[str, str]
    reopening: frozenset[str]
    unanswered_ms: int = 45_000
    receive_ms: int = 120_000
    seen_ms: int = 15 * DAY_MS

    @property
    def versions(self) -> Mapping[str, str]:
        """Digest of each reference data set that decides."""
        return {"catalogue": self.catalogue.version, "weights": self.weights.version}

    def knows(self, unit: str) -> bool:
        """Whether the unit is a configured one; where none is, any may be."""
        return not self.clocks or unit in self.clocks

    def category(self, code: str) -> Category:
        """The category of this code; `unknown` for any other text."""
        return self.catalogue.category(code)


class _TerritoryShape(Shape):
    clocks: dict[str, Literal["wall", "records"]]
    roles: dict[str, str]

    @field_validator("roles")
    @classmethod
    def known(cls, roles: dict[str, str]) -> dict[str, str]:
        """Refuse a role that the life-cycle does not know."""
        if wrong := sorted(set(roles.values()) - set(ROLES)):
            raise ValueError(f"{wrong[0]!r} is none of {', '.join(ROLES)}")
        return roles


def load(
    catalogue: Catalogue,
    *,
    weights: str | None = None,
    deadlines: Mapping[str, Any] | None = None,
    practice: Mapping[str, Any] | None = None,
    clocks: Mapping[str, str] | None = None,
    roles: Mapping[str, str] | None = None,
) -> IncidentsReference:
    """The reference from texts and settings: `weights` is the text of a YAML file (None: the built-in ones),
    `deadlines` and `practice` tables of the configuration, `clocks` by unit, `roles` (officer, partner, system) by
    actor; an actor without one is an officer. Misconfigured names what is wrong.
    """
    times = checked(DeadlinesShape, dict(deadlines or {}), "deadlines")
    rules = checked(PracticeShape, dict(practice or {}), "practice")
    fixed = checked(_TerritoryShape, {"clocks": dict(clocks or {}), "roles": dict(roles or {})}, "territory")
    chosen = match_weights.built_in(catalogue) if weights is None else match_weights.load(weights, catalogue)
    return IncidentsReference(
        catalogue=catalogue,
        weights=chosen,
        clocks=fixed.clocks,
        roles=fixed.roles,
        reopening=frozenset(word.casefold() for word in rules.reopening_statuses),
        unanswered_ms=round(times.unanswered_seconds * 1_000),
        receive_ms=round(times.receive_seconds * 1_000),
        seen_ms=round(times.seen_days * DAY_MS),
    )

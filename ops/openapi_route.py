"""One HTTP operation as OpenAPI tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `answers` maps a status to (description, schema name or None); problems are named by status."""

    method: str
    path: str
    id: str
    summary: str
    tag: str
    answers: Mapping[int, tuple[str, str | None]]
    body: str | None = None
    problems: tuple[int, ...] = ()
    media: str = "application/json"
    parameters: Mapping[str, str] = field(default_factory=dict)

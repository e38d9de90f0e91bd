"""State of a processor that runs in this process alone, as the shell gives it: by key only."""

from dataclasses import dataclass, field
from typing import Any, Final

from streams.contract import Outcome

INCIDENT: Final = "i|"


@dataclass(slots=True)
class Memory:
    """`get` and `apply`; `incidents` counts how many incidents were looked at."""

    values: dict[str, Any] = field(default_factory=dict)
    incidents: int = 0

    def get(self, key: str, /) -> Any:
        """The value; None when there is none."""
        self.incidents += key.startswith(INCIDENT)
        return self.values.get(key)

    def apply(self, outcome: Outcome) -> None:
        """What the shell does with an outcome: puts, then deletes."""
        self.values.update(outcome.puts)
        for key in outcome.deletes:
            self.values.pop(key, None)

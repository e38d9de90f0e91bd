"""What a shell tells about itself: an observer that does nothing, and its figures at a moment."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from schemas.errors import Code
from streams.contract import Record


class Unobserved:
    """An observer that does nothing; also the base of one that does little."""

    def stepped(self, partition: int, records: int, seconds: float) -> None:
        """See `streams.contract.Observer`."""

    def set_aside(self, record: Record, code: Code) -> None:
        """See `streams.contract.Observer`."""

    def settled(self, records: int, outputs: int, seconds: float) -> None:
        """See `streams.contract.Observer`."""

    def committed(self, offsets: Mapping[int, int]) -> None:
        """See `streams.contract.Observer`."""

    def held(self, partitions: Collection[int]) -> None:
        """See `streams.contract.Observer`."""

    def recovered(self, partition: int, keys: int, seconds: float) -> None:
        """See `streams.contract.Observer`."""


@dataclass(frozen=True, slots=True)
class Health:
    """Figures of a running shell. Times are monotonic seconds; lag is in records, by position, of held partitions."""

    held: tuple[int, ...]
    ready: bool
    records: int
    rounds: int
    quarantined: int
    gaps: int
    last_commit: float | None
    lag: Mapping[int, int]

"""One recipient's health as its deliveries show it: logged once down and once up, an alarm after a minute. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops.delivering import messages
from ops.delivering.retry import TELL_SECONDS
from schemas.errors import Unavailable
from schemas.feed import AlarmClass
from streams.contract import Output


@dataclass
class Outage:
    """Which deliveries fail at the moment, since when. `down` says whether any does."""

    recipient: str
    code: str = ""
    _since: dict[str, datetime] = field(default_factory=dict)
    _urgent: set[str] = field(default_factory=set)
    _told_at: datetime | None = None
    _loud: AlarmClass = AlarmClass.IMPORTANT

    @property
    def down(self) -> bool:
        """Whether a delivery waits for another try."""
        return bool(self._since)

    @property
    def waiting(self) -> int:
        """How many deliveries wait for another try."""
        return len(self._since)

    def seconds(self, now: datetime) -> float:
        """For how long the oldest of them has failed; 0 when none does."""
        oldest = min(self._since.values(), default=now)
        return max(0.0, (now - oldest).total_seconds())

    def failed(self, delivery_id: str, error: Unavailable, now: datetime, *, urgent: bool) -> bool:
        """A try failed; True when it is the first of an outage (to be logged)."""
        first = not self._since
        self._since.setdefault(delivery_id, now)
        if urgent:
            self._urgent.add(delivery_id)
        self.code = error.code.value
        return first

    def over(self, delivery_id: str) -> bool:
        """The delivery waits no longer; True when it was the last (to be logged)."""
        if self._since.pop(delivery_id, None) is None:
            return False
        self._urgent.discard(delivery_id)
        return not self._since

    def alarm(self, now: datetime) -> Output | None:
        """The alarm to raise, make louder or end; None when it stands as it should. Asked every second."""
        oldest = min(self._since.values(), default=None)
        if oldest is None:
            return self._ended(now)
        if now - oldest < timedelta(seconds=TELL_SECONDS):
            return None
        loud = AlarmClass.URGENT if self._urgent else AlarmClass.IMPORTANT
        if self._told_at is not None and loud is self._loud:
            return None
        self._told_at, self._loud = self._told_at or now, loud
        waits = int((now - oldest).total_seconds())
        return messages.alarm(
            messages.STUCK,
            self.recipient,
            active=True,
            at=now,
            raised_at=self._told_at,
            loud=loud,
            detail=f"{len(self._since)} deliveries wait, the oldest for {waits} s: {self.code}",
        )

    def _ended(self, now: datetime) -> Output | None:
        raised, self._told_at = self._told_at, None
        if raised is None:
            return None
        return messages.alarm(
            messages.STUCK,
            self.recipient,
            active=False,
            at=now,
            raised_at=raised,
            loud=self._loud,
            detail="deliveries go out again",
        )

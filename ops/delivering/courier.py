"""One delivery from its outbox record to its end: tries, order within its subject, receipt and audit."""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol

import structlog

from connectors.contract import Receipt, Sink
from ops.delivering import messages
from ops.delivering.memory import Memory, Place
from ops.delivering.outage import Outage
from ops.delivering.retry import pause_seconds
from schemas.delivery import Delivery, Outcome
from schemas.errors import Code, Denied, Rejected, SztabError, Unavailable
from schemas.report import Urgency
from streams.contract import Output

BUGS_A_MINUTE: Final = 5

log = structlog.get_logger()


class StoppedError(Exception):
    """The recipient takes nothing more until a person has looked: its lanes end, no offset is passed."""


class Writer(Protocol):
    """Where the records go."""

    async def write(self, outputs: Sequence[Output]) -> None:
        """Returns once the broker has acknowledged all of them; waits as long as it takes."""


class Observer(Protocol):
    """Told what happens, for metrics. Must be quick and never raise."""

    def tried(self, recipient: str, result: str) -> None:
        """A try ended: `yes`, or the code of what went wrong."""

    def ended(self, recipient: str, lane: str, outcome: Outcome, seconds: float) -> None:
        """A delivery has its end, so long after the decision to make it."""


class Silent:
    """An observer for nobody."""

    def tried(self, recipient: str, result: str) -> None:
        """Nothing."""

    def ended(self, recipient: str, lane: str, outcome: Outcome, seconds: float) -> None:
        """Nothing."""


@dataclass
class _Subject:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


@dataclass
class Courier:
    """One recipient's, shared by its lanes; `carry` runs for many subjects at a time.

    `clock` is the wall clock, `sleep` passes a pause, `chance` gives the jitter: tests put their own in their place.
    """

    recipient: str
    sink: Sink
    memory: Memory
    writer: Writer
    observer: Observer = field(default_factory=Silent)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    outage: Outage = field(init=False)
    stopped: Code | None = field(init=False)
    _subjects: dict[str, _Subject] = field(default_factory=dict)
    _bugs: deque[float] = field(default_factory=deque)
    _greeted: bool = False

    def __post_init__(self) -> None:
        self.outage = Outage(self.recipient)
        self.stopped: Code | None = None

    async def carry(
        self,
        delivery: Delivery,
        place: Place,
        slots: asyncio.Semaphore,
        passed_on: Mapping[str, str] | None = None,
        *,
        follows: bool = False,
    ) -> None:
        """Bring it to its end: returns when receipt and audit are acknowledged.

        Called again with the same delivery after a crash: the far side gets the same id. `slots` bounds how many
        tries of a lane run at once; a delivery that waits for its next try holds none. One of the lane that `follows`
        waits for every newer one of its subject that the recipient perhaps has. StoppedError when the sink stops.
        """
        if self.memory.receipted(place, delivery.delivery_id):
            self.memory.settled(delivery.subject_id, delivery.sequence)
            return
        attempts = 0
        try:
            while True:
                error = await self._one_try(delivery, place, slots, attempts, passed_on or {}, follows=follows)
                if error is None:
                    return
                attempts += 1
                if self.outage.failed(
                    delivery.delivery_id, error, self.clock(), urgent=delivery.urgency is Urgency.URGENT
                ):
                    log.warning("recipient_unavailable", recipient=self.recipient, code=error.code.value)
                await self.sleep(pause_seconds(attempts, self.chance(), error.retry_after_seconds))
        finally:
            if self.outage.over(delivery.delivery_id):
                log.info("recipient_waits_for_nothing", recipient=self.recipient)

    async def refuse(self, delivery_id: str | None, value: bytes | None, place: Place, error: Rejected) -> None:
        """Set aside an outbox record that is no delivery."""
        at = self.clock()
        aside = messages.set_aside(self.recipient, place, value, error, at, delivery_id)
        await self.writer.write([aside, self._aside_alarm(error, at)])
        log.error("outbox_record_set_aside", recipient=self.recipient, code=error.code.value, lane=place[0])

    async def _one_try(
        self,
        delivery: Delivery,
        place: Place,
        slots: asyncio.Semaphore,
        attempts: int,
        passed_on: Mapping[str, str],
        *,
        follows: bool,
    ) -> Unavailable | None:
        """None when the delivery has its end, else why it must be tried again."""
        async with self._turn(delivery, follows=follows):
            if self.memory.superseded(delivery.subject_id, delivery.sequence):
                ended = (Outcome.SUPERSEDED, None, None)
                await self._end(delivery, place, attempts, ended, passed_on, disclosed=False)
                return None
            try:
                async with slots:
                    receipt = await self.sink.write(delivery)
            except Unavailable as error:
                self.observer.tried(self.recipient, error.code.value)
                if not follows:
                    # Its answer may be what was lost: an older one must not follow before this one has its end.
                    self.memory.unsure(delivery.subject_id, delivery.sequence)
                return error
            except Denied as error:
                self.observer.tried(self.recipient, error.code.value)
                await self.stop(error)
                raise StoppedError(error.code.value) from None
            except Rejected as error:
                self.observer.tried(self.recipient, error.code.value)
                await self._refused(delivery, place, attempts + 1, error, passed_on)
                return None
            except Exception as bug:  # noqa: BLE001 - a sink's bug must not end its neighbours
                await self._bug(bug)
                wrong = Rejected(Code.STEP_BUG, f"the sink raised {type(bug).__name__}")
                await self._refused(delivery, place, attempts + 1, wrong, passed_on)
                return None
            self.observer.tried(self.recipient, "yes")
            if not receipt.superseded:
                # Before the receipt: if that is never written, an older one must not follow all the same.
                self.memory.note(delivery.subject_id, delivery.sequence, int(self.clock().timestamp() * 1000))
            await self._delivered(delivery, place, attempts + 1, receipt, passed_on)
            return None

    async def _delivered(
        self, delivery: Delivery, place: Place, attempts: int, receipt: Receipt, passed_on: Mapping[str, str]
    ) -> None:
        if not self._greeted:
            self._greeted = True
            at = self.clock()
            kinds = (messages.STUCK, messages.STOPPED)
            await self.writer.write(
                [messages.alarm(k, self.recipient, at, "deliveries go out", active=False) for k in kinds]
            )
        outcome = Outcome.SUPERSEDED if receipt.superseded else Outcome.DELIVERED
        ended = (outcome, None, receipt.far_reference)
        await self._end(delivery, place, attempts, ended, passed_on, disclosed=receipt.sent)

    async def _refused(
        self, delivery: Delivery, place: Place, attempts: int, error: Rejected, passed_on: Mapping[str, str]
    ) -> None:
        at = self.clock()
        report = delivery.report_ids[0] if delivery.report_ids else None
        body = delivery.to_json()
        aside = messages.set_aside(self.recipient, place, body, error, at, delivery.delivery_id, report)
        await self.writer.write([aside, self._aside_alarm(error, at)])
        await self._end(delivery, place, attempts, (Outcome.QUARANTINED, error, None), passed_on)
        log.error("delivery_set_aside", recipient=self.recipient, delivery=delivery.delivery_id, code=error.code.value)

    async def _end(
        self,
        delivery: Delivery,
        place: Place,
        attempts: int,
        ended: tuple[Outcome, SztabError | None, str | None],
        passed_on: Mapping[str, str],
        *,
        disclosed: bool = True,
    ) -> None:
        """Audit first, then the receipt: whoever sees the receipt may rely on the audit record.

        `disclosed` is False when the body never left: what we superseded ourselves, what a sink did not send. A far
        side that calls it superseded has read it.
        """
        outcome, error, far_reference = ended
        at = self.clock()
        if disclosed:
            await self.writer.write([messages.audited(delivery, at)])
        receipt = messages.receipted(delivery, outcome, place, at, attempts, error, far_reference, passed_on=passed_on)
        await self.writer.write([receipt])
        self.memory.settled(delivery.subject_id, delivery.sequence)
        self.observer.ended(self.recipient, place[0], outcome, (at - delivery.decided_at).total_seconds())

    def _aside_alarm(self, error: SztabError, at: datetime) -> Output:
        return messages.alarm(
            messages.SET_ASIDE, self.recipient, at, f"a delivery was set aside: {error.code}", active=True
        )

    async def stop(self, error: SztabError) -> None:
        """Page: this recipient gets nothing more until a person has looked."""
        self.stopped = error.code
        log.error("recipient_stopped", recipient=self.recipient, code=error.code.value)
        detail = f"deliveries are kept until the role is started again: {error.code}"
        await self.writer.write([messages.alarm(messages.STOPPED, self.recipient, self.clock(), detail, active=True)])

    async def _bug(self, bug: Exception) -> None:
        """More than five in a minute stop the recipient: then it is not this delivery that is wrong."""
        log.error("sink_bug", recipient=self.recipient, error=type(bug).__name__)
        now = time.monotonic()
        self._bugs.append(now)
        while self._bugs[0] < now - 60:
            self._bugs.popleft()
        if len(self._bugs) > BUGS_A_MINUTE:
            await self.stop(Denied(Code.STEP_BUG, "the sink fails again and again"))
            raise StoppedError(Code.STEP_BUG.value)

    @asynccontextmanager
    async def _turn(self, delivery: Delivery, *, follows: bool) -> AsyncIterator[None]:
        """The subject is this delivery's alone; and for one that follows, no newer one is perhaps with the recipient.

        The lane that leads never waits so: within a lane the older one comes first anyway, and a newer one behind it
        would wait for ever. A newer one in the lane that follows there is not, for urgency is sticky.
        """
        subject, sequence = delivery.subject_id, delivery.sequence
        while True:
            if follows:
                await self.memory.sure(subject, sequence)
            async with self._only(subject):
                # Another try may have ended while the lock was waited for.
                if not follows or self.memory.is_sure(subject, sequence):
                    yield
                    return

    @asynccontextmanager
    async def _only(self, subject_id: str) -> AsyncIterator[None]:
        """One try at a time within a subject, over both lanes. Between tries the subject is free for a newer one."""
        subject = self._subjects.setdefault(subject_id, _Subject())
        subject.users += 1
        try:
            async with subject.lock:
                yield
        finally:
            subject.users -= 1
            if not subject.users:
                self._subjects.pop(subject_id, None)

"""The shell: one consumer loop for a processor whose loss would matter, on aiokafka alone.

    fetch -> gather -> round: step, send outputs, save state (rounds.py) -> commit
    ownership change -> settle what is in flight or drop it -> replay and claim the changelog (recovery.py)

`ops/decisions/0001-own-shell.md` names the rules it keeps and says why it is our own, and
`ops/prove` attacks it. An error that nobody foresaw ends the process before anything is acknowledged (leaving.py).
"""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    TopicAuthorizationFailedError,
    UnknownMemberIdError,
)

from schemas.errors import Code, Denied, SztabError, Unavailable
from streams.clients import AiokafkaClients, Clients, begin
from streams.committing import Commits
from streams.contract import Observer, Processor, State
from streams.fetching import Fetching
from streams.gear import Gear, Held
from streams.leaving import Exit, Leaving, Left, whereabouts
from streams.observer import Health, Unobserved
from streams.pulse import Pulse
from streams.recovery import Recovery, learn_topics
from streams.rounds import Rounds
from streams.shell_settings import ShellSettings
from streams.stepping import Part, Stepper
from streams.twins import Twins

log: Final = structlog.get_logger("streams.shell")
PASSING: Final = (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaTimeoutError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
"""Errors that aiokafka calls final, but that pass: an ownership that changes, an answer that did not come in time."""
LOST: Final = -1
"""aiokafka's generation of a member that the group has put out."""
CLOSING_SECONDS: Final = 0.01
"""How often the loop looks whether what is being given up is gone."""


class Shell(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs one processor until `stop` is called.

    `run` raises Misconfigured when a topic is missing or the state belongs to another one, Denied when the cluster
    does not let us, Unavailable when no broker can be reached at the start. Everything else that goes wrong is waited
    out, or ends the process.
    """

    def __init__(
        self,
        processor: Processor,
        settings: ShellSettings,
        observer: Observer | None = None,
        clients: Clients | None = None,
    ) -> None:
        leave = Leaving(self._exit)
        told = observer or Unobserved()
        self.processor: Final = processor
        self._settings = settings
        self._clients = clients or AiokafkaClients()
        self._gear = Gear(
            processor=processor,
            settings=settings,
            leave=leave,
            pulse=Pulse(settings.session_seconds / 2, leave, armed=settings.switches.pulse),
            observer=told,
            stepper=Stepper(processor, settings, told),
            changelog=settings.changelog or settings.prefix + processor.changelog,
            group=settings.group or processor.group(settings.prefix),
        )
        self._held = Held()
        self._twins = Twins(self._gear, self._clients)
        self._commits = Commits(self._gear, self._held)
        self._rounds = Rounds(self._gear, self._held, self._commits)
        self._recovery = Recovery(self._gear, self._held, self._clients)
        self._fetching = Fetching(self._gear, self._held, self._rounds)
        self._stop = asyncio.Event()

    # For the roles

    def stop(self) -> None:
        """End `run` gracefully: what is in flight is settled and committed."""
        self._stop.set()

    def states(self) -> dict[int, State]:
        """The states of the partitions that are held and recovered, for the ticker. Read only, now, not later."""
        return {part.partition: part.state for part in self._held.parts.values() if part.ready}

    def health(self) -> Health:
        """How it goes."""
        parts = self._held.parts.values()
        return Health(
            held=tuple(sorted(part.partition for part in parts)),
            ready=bool(self._held.parts) and self._held.ready(),
            records=self._rounds.records,
            rounds=self._rounds.done,
            quarantined=self._gear.stepper.quarantined,
            gaps=self._fetching.gaps,
            last_commit=self._commits.last,
            lag={part.partition: self._lag(part) for part in parts if part.ready},
        )

    def _exit(self, code: int) -> None:
        self._settings.exit(code)
        self._stop.set()  # only a test comes so far

    def _lag(self, part: Part) -> int:
        try:
            end = self._gear.consumer.highwater(part.tp)
        except KafkaError:
            return 0
        return max(0, (end or 0) - (part.settled or part.next or 0))

    # The life of a shell

    async def run(self) -> None:
        """Run until `stop`. Returns when everything stepped is acknowledged and committed."""
        gear = self._gear
        gear.producer = self._clients.producer(self._settings)
        gear.consumer = self._clients.consumer(self._settings, gear.group)
        helpers: list[asyncio.Task[None]] = []
        try:
            await self._start()
            works = (gear.pulse.run(), self._rounds.run(), self._commits.run(), self._watch())
            helpers = [self._helper(work) for work in works]
            gear.pulse.start()
            await self._loop_until_stopped()
            if gear.leave.left is None:
                await self._settle_all()
        finally:
            tasks = (*helpers, *self._recovery.claims.writing)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close(gear.consumer)
            await self._close(gear.producer)
        if gear.leave.left is not None:
            raise gear.leave.left

    async def _close(self, client: Any) -> None:
        """Give a client back, bounded: everything is settled, and one that cannot flush must not hold the exit."""
        stop = asyncio.ensure_future(client.stop())
        await asyncio.wait({stop}, timeout=self._settings.session_seconds)
        if not stop.done() or stop.cancelled() or stop.exception() is not None:
            stop.cancel()
            log.warning("client_not_stopped", group=self._gear.group, client=type(client).__name__)

    async def _start(self) -> None:
        try:
            await begin(self._gear.producer)
            await learn_topics(self._gear, self._clients)
            await self._twins.first()
            self._gear.consumer.subscribe([self._settings.prefix + self.processor.input], listener=self)
            await begin(self._gear.consumer)
        except KafkaError as error:
            raise Unavailable(Code.BROKER_UNAVAILABLE, f"the cluster cannot be used: {type(error).__name__}") from error

    def _helper(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        task.add_done_callback(self._helper_ended)
        return task

    def _helper_ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, Left):
            try:
                self._gear.leave(Exit.UNKNOWN, f"a part of the shell ended: {whereabouts(error)}")
            except Left:
                return

    async def _watch(self) -> None:
        """Ends a process whose client is stuck (aiokafka 1017), in a round or in a recovery."""
        limit = self._settings.settle_seconds
        while True:
            await asyncio.sleep(min(1.0, limit / 4))
            if self._held.stuck_seconds() > limit:
                self._gear.leave(Exit.UNKNOWN, f"a recovery did not get on for {limit:.0f} s")
            if self._rounds.oldest_seconds() > limit:
                self._gear.leave(Exit.UNKNOWN, f"a round was not acknowledged for {limit:.0f} s")

    async def _loop_until_stopped(self) -> None:
        loop, stopped = asyncio.create_task(self._loop()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({loop, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if loop.done():
            stopped.cancel()
            loop.result()
        else:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)

    async def _loop(self) -> None:
        """Recover after each ownership change, fetch otherwise."""
        while True:
            try:
                if self._held.closing:
                    await asyncio.sleep(CLOSING_SECONDS)
                elif self._held.ready():
                    await self._fetching.once()
                else:
                    await self._recover()
            except SztabError:
                raise
            except Exception as error:  # noqa: BLE001 - nobody foresaw it: nothing more may be acknowledged
                self._gear.leave(Exit.UNKNOWN, f"the loop failed: {whereabouts(error)}")

    async def _recover(self) -> None:
        epoch, pause = self._held.epoch, 0.05
        try:
            done = await self._recovery.run()
        except (GroupAuthorizationFailedError, TopicAuthorizationFailedError) as error:
            raise Denied(Code.FORBIDDEN, f"may not recover {self._gear.changelog}") from error
        except (KafkaError, Unavailable) as error:
            self._recovery_failed(epoch, error)
            done, pause = False, self._settings.heartbeat_seconds / 10
        if done:
            self._gear.observer.held(sorted(part.partition for part in self._held.parts.values()))
        else:
            await asyncio.sleep(pause)

    def _recovery_failed(self, epoch: int, error: KafkaError | Unavailable) -> None:
        """Again, where that can help: what aiokafka calls final is mended only by a new producer (aiokafka 1017)."""
        if self._held.still(epoch):
            final = isinstance(error, KafkaError) and not error.retriable and not isinstance(error, PASSING)
            if final or self._held.failing_seconds() > self._settings.settle_seconds:
                self._gear.leave(Exit.UNKNOWN, f"the state cannot be recovered: {whereabouts(error)}")
        log.warning("recovery_repeated", group=self._gear.group, error=type(error).__name__)

    # Ownership: called by aiokafka, which swallows exceptions

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:  # noqa: ARG002 - aiokafka's interface
        """A rebalance begins. Still a member: settle what is in flight, commit, give up. Else write nothing more."""
        try:
            await self._give_up()
        except Exception as error:  # noqa: BLE001 - aiokafka would go on as if nothing had happened
            self._gear.leave(Exit.UNKNOWN, f"giving up partitions failed: {whereabouts(error)}")

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        """A rebalance ended. The replay happens in the loop, where a newer rebalance can interrupt it."""
        self._forget()
        self._twins.joined(self._gear.consumer._coordinator.member_id)  # noqa: SLF001 - likewise
        self._held.parts = {tp: Part(tp, tp.partition) for tp in sorted(assigned)}
        if self._held.parts:
            self._gear.consumer.pause(*self._held.parts)
        log.info("ownership", group=self._gear.group, partitions=sorted(tp.partition for tp in assigned))

    async def _give_up(self) -> None:
        member = self._gear.consumer._coordinator.generation != LOST  # noqa: SLF001 - aiokafka tells it nowhere else
        self._held.close()
        if member:
            await self._settle_all()
        self._forget()
        self._gear.observer.held(())
        if not member:
            self._twins.put_out()

    async def _settle_all(self) -> None:
        """Wait, bounded, for what is in flight, and commit it."""
        self._held.close()
        limit = self._settings.session_seconds
        if not await self._rounds.idle(limit):
            self._gear.leave(Exit.UNKNOWN, "rounds in flight did not settle in time")
        if not await self._recovery.claims.idle(limit):
            self._gear.leave(Exit.UNKNOWN, "a claim on the wire did not settle in time")
        await self._commits.within(limit / 2)

    def _forget(self) -> None:
        if not self._settings.switches.overlay and self._held.parts:
            self._recovery.kept = {part.partition: part.state for part in self._held.parts.values()}
        self._held.forget()
        self._rounds.forget()

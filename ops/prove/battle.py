"""One run of an attack: topics of its own, load, workers under supervision, and the verdict at the end."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ops.prove import cluster_io, counter, verdict
from ops.prove.cluster_io import Wanted
from ops.prove.plan import Plan
from ops.prove.worker import ENVIRONMENT
from schemas.topics import MAX_MESSAGE_BYTES
from streams.clients import begin
from streams.murmur import positive_hash

PAD: Final = b"." * 150
TERM_SECONDS: Final = 20.0
PAUSE_SECONDS: Final = 0.01
MOST_EXITS: Final = 60
"""After so many exits a worker is not started again: the run is lost, and its log is long enough."""
APPEND_TIME: Final = {"message.timestamp.type": "LogAppendTime"}


class Battle:
    """Runs one plan on a cluster. `folder` takes the workers' logs."""

    def __init__(self, plan: Plan, bootstrap: str, folder: Path, names: tuple[str, ...] = ("w0",)) -> None:
        self.plan: Final = plan
        self.names: Final = names
        self.bootstrap: Final = bootstrap
        self.random: Final = random.Random(plan.seed)
        self.prefix: Final = f"{plan.attack}-{plan.seed}-{uuid.uuid4().hex[:6]}."
        self._folder = folder
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._kept: set[str] = set()
        self._events: list[float] = []
        self._exits: Counter[str] = Counter()
        self._fed = 0
        self.striking = False
        """The load goes on while this is true."""
        self._drained = False
        self._drain_seconds = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self.notes: list[str] = []
        self.missed: list[str] = []
        """What the attack was to do and could not: the run proves nothing."""
        self.frozen: list[tuple[float, float]] = []
        """When a worker stood still, seconds since the epoch: somebody else must have gone on with its partitions."""

    # Topics and load

    def topic(self, logical: str) -> str:
        """The name on the cluster."""
        return self.prefix + logical

    @property
    def changelog(self) -> str:
        """The changelog on the cluster."""
        return self.topic(counter.processor().changelog)

    async def prepare(self) -> None:
        """Make the topics of this run."""
        plan = self.plan
        limited = {"max.message.bytes": str(plan.output_bytes)} if plan.output_bytes else {}
        wanted = {
            self.topic(counter.INPUT): Wanted(plan.partitions, APPEND_TIME),
            self.topic(counter.ASIDE): Wanted(1, APPEND_TIME),
            self.changelog: Wanted(
                plan.partitions,
                {"cleanup.policy": "compact", "max.message.bytes": str(MAX_MESSAGE_BYTES), **plan.changelog_config},
            ),
        }
        for name, count in zip(counter.OUTPUTS, counter.OUTPUT_PARTITIONS, strict=True):
            wanted[self.topic(name)] = Wanted(count, APPEND_TIME | limited)
        await cluster_io.create(self.bootstrap, wanted, plan.replicas)
        self._tasks.append(asyncio.create_task(self._supervise()))

    def load(self) -> None:
        """Begin to write the inputs at the plan's rate; goes on past the plan's number until `drain` is called."""
        self.striking = True
        self._tasks.append(asyncio.create_task(self._feed()))

    async def _feed(self) -> None:
        """Write the load; a producer that fails for good is replaced. What it had not written may be missing."""
        began, keys = time.monotonic(), self._keys()
        while self._fed < self.plan.messages or self.striking:
            try:
                await self._feed_with_one_producer(began, keys)
            except KafkaError as error:
                self.notes.append(f"the load's producer was replaced: {type(error).__name__}")

    async def _feed_with_one_producer(self, began: float, keys: Iterator[bytes]) -> None:
        plan, failed = self.plan, asyncio.get_running_loop().create_future()

        def look(sent: "asyncio.Future[Any]") -> None:
            error = None if sent.cancelled() else sent.exception()
            if error is not None and not failed.done():
                failed.set_result(error)

        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", enable_idempotence=True, linger_ms=5, max_batch_size=65_536
        )
        await begin(producer)
        try:
            while (self._fed < plan.messages or self.striking) and not failed.done():
                value = plan.special.get(self._fed, b"i%07d|%s" % (self._fed, PAD))
                self._fed += 1
                sent = await producer.send(self.topic(counter.INPUT), value, key=next(keys))
                sent.add_done_callback(look)
                ahead = self._fed / plan.rate - (time.monotonic() - began)
                if ahead > PAUSE_SECONDS:
                    await asyncio.sleep(ahead)
        finally:
            await producer.stop()
        if failed.done():
            self.notes.append(f"the load's producer was replaced: {type(failed.result()).__name__}")

    def _keys(self) -> Iterator[bytes]:
        """The keys of the messages, for ever: the same for the same seed."""
        rng, plan = random.Random(self.plan.seed), self.plan
        names = [b"k%04d" % number for number in range(plan.keys)]
        if plan.without_partition is not None:
            names = [name for name in names if self._place(name) != plan.without_partition]
        if plan.each_key_first:
            yield from names
        while True:
            yield names[rng.randrange(len(names))]

    def _place(self, key: bytes) -> int:
        return positive_hash(key) % self.plan.partitions

    # Workers

    def told(self, name: str, **further: Any) -> dict[str, Any]:
        """What a worker of this name is told."""
        plan = self.plan
        return {
            "bootstrap": self.bootstrap,
            "prefix": self.prefix,
            "instance": name if plan.static else None,
            "session_seconds": plan.session_seconds,
            "member_file": str(self._folder / f"{self.prefix}{name}.member"),
            "off": plan.off,
            "output_bytes": plan.output_bytes,
            "deleted_at": plan.deleted_at,
            **further,
        }

    def start(self, name: str, armed: tuple[str, int] | None = None, **further: Any) -> None:
        """Start a worker; it is started again when it ends by itself, then without an armed point."""
        told = self.told(name, armed=armed, **further)
        with self._log(name).open("ab") as log:
            self._workers[name] = subprocess.Popen(
                [sys.executable, "-m", "ops.prove.worker"],
                stdout=log,
                stderr=log,
                env=os.environ | {ENVIRONMENT: orjson.dumps(told).decode()},
            )
        self._kept.add(name)

    async def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send the signal and wait for the end (SIGSTOP and SIGCONT: only send). It is not started again by itself."""
        process = self._workers[name]
        ends = how not in {signal.SIGSTOP, signal.SIGCONT}
        if ends:
            self._kept.discard(name)
        self.event()
        if process.poll() is None:
            process.send_signal(how)
        if ends:
            try:
                await asyncio.to_thread(process.wait, TERM_SECONDS)
            except subprocess.TimeoutExpired:
                self._exits["hung"] += 1
                process.kill()
                process.wait()
            if how == signal.SIGTERM and process.returncode:
                self._exits[str(process.returncode)] += 1

    async def ended(self, name: str, seconds: float = 90.0) -> bool:
        """Wait until the worker's present process has ended and another one runs."""
        process, deadline = self._workers[name], time.monotonic() + seconds
        while self._workers[name] is process:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def frozen_itself(self, name: str, seconds: float = 90.0) -> bool:
        """Wait until the worker, armed to freeze, stands still (state T of proc(5))."""
        status, deadline = Path(f"/proc/{self._workers[name].pid}/stat"), time.monotonic() + seconds
        while b") T" not in await asyncio.to_thread(status.read_bytes):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        self.event()
        return True

    async def joined(self, name: str, seconds: float = 60.0) -> None:
        """Wait until the worker is a member of the group: its log says what it owns. TimeoutError when it never is."""
        log, deadline = self._log(name), time.monotonic() + seconds
        while b"ownership" not in await asyncio.to_thread(log.read_bytes):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} did not join: see {log}")
            await asyncio.sleep(0.05)

    def _log(self, name: str) -> Path:
        return self._folder / f"{self.prefix}{name}.log"

    def event(self) -> None:
        """Something happened now; the stall around it will be measured."""
        self._events.append(time.time() * 1000)

    async def _supervise(self) -> None:
        while True:
            for name in list(self._kept):
                code = self._workers[name].poll()
                if code is not None:
                    self._exits[str(code)] += 1
                    self.event()
                    self.start(name)
            if sum(self._exits.values()) > MOST_EXITS:
                self._kept.clear()
            await asyncio.sleep(0.05)

    # The end

    async def drain(self, seconds: float = 90.0) -> None:
        """Wait until all inputs are written and the group has committed them."""
        self.striking = False
        await asyncio.wait_for(asyncio.shield(self._tasks[-1]), self.plan.messages / self.plan.rate + 120)
        began = time.monotonic()
        group = counter.processor().group(self.prefix)
        while not self._drained and self._kept and time.monotonic() < began + seconds:
            numbers = range(self.plan.partitions)
            self._drained = await cluster_io.all_committed(self.bootstrap, group, self.topic(counter.INPUT), numbers)
            if not self._drained:
                await asyncio.sleep(0.2)
        self._drain_seconds = round(time.monotonic() - began, 1)

    async def close(self) -> None:
        """End every worker."""
        self._kept.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self._workers.values():
            if process.poll() is None:
                process.kill()
                process.send_signal(signal.SIGCONT)
            await asyncio.to_thread(process.wait)

    async def judge(self) -> verdict.Verdict:
        """Read everything and compare. Called after `close`."""
        plan = self.plan
        outputs = {self.topic(name): n for name, n in zip(counter.OUTPUTS, counter.OUTPUT_PARTITIONS, strict=True)}
        inputs = await self._read({self.topic(counter.INPUT): plan.partitions})
        simulation = verdict.simulate(inputs, plan.deleted_at, plan.output_bytes or MAX_MESSAGE_BYTES)
        compared = verdict.compare(
            simulation,
            await self._read(outputs),
            await self._read({self.topic(counter.ASIDE): 1}),
            await self._read({self.changelog: plan.partitions}),
            lambda name: name.removeprefix(self.prefix),
            marked="marker" not in plan.off,
        )
        stalls = sorted(verdict.stalls(compared.times, self._events))
        return verdict.Verdict(
            attack=plan.attack,
            seed=plan.seed,
            off=",".join(plan.off),
            inputs=len(inputs),
            committed=self._drained,
            drain_seconds=self._drain_seconds,
            events=len(self._events),
            exits=dict(self._exits),
            stall_median_seconds=stalls[len(stalls) // 2] if stalls else 0.0,
            stall_max_seconds=stalls[-1] if stalls else 0.0,
            missed=len(self.missed),
            not_taken_over=verdict.silent(compared.times, self.frozen, plan.session_seconds),
            note="; ".join([*self.missed, *self.notes]),
            **compared.figures,
        )

    async def _read(self, topics: Mapping[str, int]) -> list[Any]:
        return await cluster_io.read_all(self.bootstrap, topics)

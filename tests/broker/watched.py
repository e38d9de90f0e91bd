"""A shell over the counter on a real broker, with a watchdog beside it that only tells whom it would end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ops.health import SeparateLags, Watched
from ops.metrics import Metrics, ShellMetrics
from ops.prove import cluster_io, counter
from ops.prove.cluster_io import Wanted
from ops.reading import Cluster
from ops.silence import Silence
from ops.watchdog import Watchdog, WatchFigures
from streams.clients import AiokafkaClients
from streams.leaving import Leaving
from streams.shell import Shell
from streams.shell_settings import ShellSettings, Switches
from tests.waiting import until

LIMIT_SECONDS = 3.0
LOOK_SECONDS = 0.3


class Consumers(AiokafkaClients):
    """The real clients; a consumer whose fetching can be ended in silence, as aiokafka 1037 does."""

    def __init__(self) -> None:
        self.silent = False

    def _ended(self) -> bool:
        return self.silent

    def consumer(self, settings: ShellSettings, group: str) -> Any:
        """A consumer that brings nothing and raises nothing once `silent` is set."""
        consumer = super().consumer(settings, group)
        getmany = consumer.getmany

        async def quiet(*parts: Any, **options: Any) -> dict[Any, Any]:
            if self._ended():
                await asyncio.sleep(0.05)
                return {}
            found: dict[Any, Any] = await getmany(*parts, **options)
            # What was on its way when the fetching ended is not handed over either.
            return {} if self._ended() else found

        consumer.getmany = quiet
        return consumer


class Bench:
    """What a test needs: the shell's clients, its metrics, the codes with which the watchdog would have ended us."""

    def __init__(self, bootstrap: str, prefix: str, replicas: int) -> None:
        self.bootstrap, self.prefix, self.replicas = bootstrap, prefix, replicas
        self.clients = Consumers()
        self.metrics = Metrics()
        self.processor = counter.processor()
        self.told = ShellMetrics(self.metrics, self.processor)
        self.codes: list[int] = []
        # The pulse would end a blocked process sooner: here the watchdog is on trial.
        self.settings = ShellSettings(
            bootstrap_servers=bootstrap,
            prefix=prefix,
            session_seconds=30.0,
            heartbeat_seconds=1.0,
            commit_seconds=0.1,
            switches=Switches.without("pulse"),
            exit=lambda code: self.codes.append(code + 1000),
        )

    def value(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels)

    async def feed(self, numbers: Sequence[int]) -> None:
        """Write inputs, acknowledged."""
        producer = self.clients.producer(self.settings)
        await producer.start()
        try:
            sent = [await producer.send(f"{self.prefix}in", b"i%07d|" % n, key=b"k%d" % (n % 7)) for n in numbers]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def committed(self) -> bool:
        """Whether the group has committed everything."""
        group = self.processor.group(self.prefix)
        return await cluster_io.all_committed(self.bootstrap, group, f"{self.prefix}in", range(3))

    def watchdog(self) -> Watchdog:
        """Over this shell, with clients of its own."""
        watched = Watched(
            "counter", self.processor.group(self.prefix), f"{self.prefix}in", self.told, ("counter", "in")
        )
        figures, leave = WatchFigures(self.metrics), Leaving(self.codes.append)

        def make() -> Silence:
            lags = SeparateLags(Cluster(self.bootstrap, self.prefix))
            return Silence([watched], lags, LIMIT_SECONDS, leave.from_aside, figures)

        return Watchdog(make, LOOK_SECONDS, figures)


@asynccontextmanager
async def running(bootstrap: str, prefix: str, replicas: int) -> AsyncIterator[Bench]:
    """A shell that has stepped and committed three hundred inputs, watched."""
    bench = Bench(bootstrap, prefix, replicas)
    topics = {
        f"{prefix}in": Wanted(3),
        f"{prefix}a": Wanted(5),
        f"{prefix}b": Wanted(3),
        f"{prefix}aside": Wanted(1),
        f"{prefix}state.counter.in": Wanted(3, {"cleanup.policy": "compact"}),
    }
    await cluster_io.create(bootstrap, topics, replicas)
    shell = Shell(bench.processor, bench.settings, bench.told, bench.clients)
    task = asyncio.create_task(shell.run())
    try:
        async with bench.watchdog().watching():
            await bench.feed(range(300))
            await until(bench.committed, 40)
            yield bench
    finally:
        shell.stop()
        await asyncio.gather(task, return_exceptions=True)

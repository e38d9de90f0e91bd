"""A processor that holds a partition, has a lag and commits nothing is ended; nobody else is."""

from aiokafka.errors import KafkaConnectionError

from ops.health import TopicsSeen, Watched
from ops.metrics import Metrics, ShellMetrics
from ops.silence import Silence
from ops.watchdog import WatchFigures
from streams.leaving import Exit
from tests.ops.test_health import PROCESSOR, FixedLags

LIMIT = 120.0
TOPIC = "sztab.incident.facts"


class FixedCluster(FixedLags):
    """Tells made-up lags and topics, or fails."""

    async def topics(self) -> TopicsSeen:
        """See `ops.silence.Cluster`."""
        if self.lags is None:
            raise KafkaConnectionError
        return TopicsSeen({TOPIC: 3}, underreplicated=2, leaderless=1)

    async def close(self) -> None:
        """See `ops.silence.Cluster`."""


class Bench:
    """One watched processor that holds partition 0, with a clock that is moved by hand."""

    def __init__(self, lag: int = 3) -> None:
        self.convicted: list[tuple[int, str]] = []
        self.at = 1000.0
        self.down = False
        self.lags = FixedCluster({0: lag})
        self.metrics = Metrics()
        self.told = ShellMetrics(self.metrics, PROCESSOR)
        self.told.held([0])
        labels = (PROCESSOR.name, PROCESSOR.input)
        watched = Watched("route", "sztab.route.incident.facts", TOPIC, self.told, labels, lambda: self.down)
        told = WatchFigures(self.metrics)
        self.silence = Silence([watched], self.lags, LIMIT, self._convict, told, now=lambda: self.at)

    def _convict(self, code: Exit, why: str) -> None:
        self.convicted.append((code, why))

    def value(self, name: str, **labels: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name, labels)

    async def look(self, after: float) -> None:
        """Time passes, then it is looked."""
        self.at += after
        await self.silence.look()


async def test_a_lag_without_a_commit_ends_the_process() -> None:
    """For longer than the limit: exit 70, and the supervisor starts a process with a new client."""
    bench = Bench()
    await bench.look(0)
    await bench.look(LIMIT - 1)
    assert bench.convicted == []
    await bench.look(2)
    assert bench.convicted == [(Exit.UNKNOWN, "route: partition 0 has a lag and went silent")]


async def test_commits_clear_it() -> None:
    """A backlog that shrinks, however slowly, is no silence."""
    bench = Bench()
    for turn in range(20):
        bench.told.committed_at = {0: float(turn)}
        await bench.look(LIMIT / 2)
    assert bench.convicted == []


async def test_a_commit_while_the_lag_is_asked_for_clears_it() -> None:
    """An input of a record now and then: each is committed at once, however often a look falls beside one."""
    bench = Bench()
    labels = {"processor": PROCESSOR.name, "input": PROCESSOR.input}

    async def committing(group: str, topic: str, partitions: tuple[int, ...]) -> dict[int, int]:
        bench.told.committed_at = {0: bench.at}
        return {0: 1}

    bench.lags.of = committing  # type: ignore[method-assign]
    await bench.look(0)
    commit = bench.told.committed_at

    async def waiting(group: str, topic: str, partitions: tuple[int, ...]) -> dict[int, int]:
        bench.told.committed_at = commit
        return {0: 1}

    bench.lags.of = waiting  # type: ignore[method-assign]
    await bench.look(LIMIT + 1)
    assert bench.convicted == []
    assert bench.value("sztab_standing_seconds", **labels) == 0


async def test_no_lag_is_no_silence() -> None:
    """An idle input may stay idle for days; a record that comes after it has its whole time."""
    bench = Bench(lag=0)
    for _ in range(20):
        await bench.look(LIMIT)
    bench.lags.lags = {0: 1}
    await bench.look(LIMIT)
    await bench.look(LIMIT - 1)
    assert bench.convicted == []


async def test_an_unknown_lag_convicts_nobody() -> None:
    """A cluster that does not answer is its own alarm; when it is back the time begins anew."""
    bench = Bench()
    await bench.look(0)
    bench.lags.lags = None
    await bench.look(LIMIT * 2)
    bench.lags.lags = {0: 3}
    await bench.look(1)
    await bench.look(LIMIT - 1)
    assert bench.convicted == []


async def test_what_is_not_held_or_not_yet_recovered_is_not_watched() -> None:
    """A recovery has a limit of its own; what is lost is another one's."""
    bench = Bench()
    await bench.look(0)
    bench.told.held([])
    await bench.look(LIMIT * 2)
    bench.told.held([0])
    await bench.look(1)
    assert bench.convicted == []


async def test_a_lane_whose_recipient_is_down_is_excused() -> None:
    """It commits nothing because nobody takes anything: that is told in another way, and a restart mends nothing."""
    bench = Bench()
    bench.down = True
    for _ in range(5):
        await bench.look(LIMIT)
    bench.down = False
    await bench.look(1)
    await bench.look(LIMIT - 1)
    assert bench.convicted == []
    await bench.look(2)
    assert [code for code, _ in bench.convicted] == [Exit.UNKNOWN]


async def test_what_is_seen_is_told_to_the_metrics() -> None:
    """Lag, how long it stands, the topics' replicas, and whether the cluster answers at all."""
    bench = Bench()
    labels = {"processor": PROCESSOR.name, "input": PROCESSOR.input}
    await bench.look(0)
    await bench.look(40)
    assert bench.value("sztab_lag_records", **labels) == 3
    assert bench.value("sztab_standing_seconds", **labels) == 40
    assert bench.value("sztab_input_partitions", **labels) == 3
    assert bench.value("sztab_underreplicated_partitions") == 2
    assert bench.value("sztab_leaderless_partitions") == 1
    assert bench.value("sztab_broker_up") == 1
    bench.lags.lags = None
    await bench.look(1)
    assert bench.value("sztab_broker_up") == 0
    assert bench.value("sztab_standing_seconds", **labels) == 0

"""The tally's watch: a tally that stands still is ended, one that cannot be looked at is not."""

import pytest
from aiokafka.errors import KafkaConnectionError

from ops.metrics import Metrics
from ops.reading import Cluster
from ops.roles.tally import told_by
from ops.tallying import Progress, TallyWatch
from ops.watchdog import WatchFigures
from streams.leaving import Exit

LIMIT = 60.0


class Bench:
    """A tally whose commits are made up, with a clock that is moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 1000.0
        self.committed: int | None = 5
        self.codes: list[int] = []
        self.metrics = Metrics()
        self.progress = Progress(Cluster("memory"), "tally", now=lambda: self.at)
        self.progress.lag = 3
        monkeypatch.setattr(self.progress, "_committed_now", self._committed_now)
        told_by(self.metrics, self.progress)
        self.watch = TallyWatch(self.progress, LIMIT, self._convict, WatchFigures(self.metrics))

    async def _committed_now(self) -> int:
        if self.committed is None:
            raise KafkaConnectionError
        return self.committed

    def _convict(self, code: Exit, _: str) -> None:
        self.codes.append(code)

    async def look(self, after: float) -> None:
        """Time passes, then it is looked."""
        self.at += after
        await self.watch.look()

    def value(self, name: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name)


async def test_lag_without_a_commit_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """For longer than the limit: exit 70; until then the metric says for how long it stands."""
    bench = Bench(monkeypatch)
    await bench.look(0)
    await bench.look(LIMIT - 1)
    assert bench.codes == []
    assert bench.value("sztab_tally_still_seconds") == LIMIT - 1
    await bench.look(2)
    assert bench.codes == [Exit.UNKNOWN]


async def test_commits_or_no_lag_clear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gets on, however slowly, and one that is idle."""
    bench = Bench(monkeypatch)
    for committed in range(20):
        bench.committed = committed
        await bench.look(LIMIT - 1)
    bench.progress.lag = 0
    for _ in range(5):
        await bench.look(LIMIT)
    assert bench.codes == []
    assert bench.value("sztab_tally_lag_records") == 0


async def test_an_outage_convicts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust waits for the brokers, and so does the watch: when they are back the time begins anew."""
    bench = Bench(monkeypatch)
    await bench.look(0)
    bench.committed = None
    for _ in range(3):
        await bench.look(LIMIT)
    assert bench.value("sztab_broker_up") == 0
    bench.committed = 5
    await bench.look(LIMIT / 2)
    await bench.look(LIMIT / 2 - 1)
    assert bench.codes == []
    assert bench.value("sztab_broker_up") == 1
    await bench.look(2)
    assert bench.codes == [Exit.UNKNOWN]

"""A processor that holds a partition, has a lag and commits nothing is ended; nobody else is."""

import pytest

from ops.health import Watched
from ops.metrics import Metrics, ShellMetrics
from ops.silence import Silence
from streams.leaving import Exit, Leaving, Left
from tests.ops.test_health import PROCESSOR, FixedLags

LIMIT = 120.0


class Bench:
    """One watched processor that holds partition 0, with a clock that is moved by hand."""

    def __init__(self, lag: int = 3) -> None:
        self.codes: list[int] = []
        self.at = 1000.0
        self.lags = FixedLags({0: lag})
        self.told = ShellMetrics(Metrics(), PROCESSOR)
        self.told.held([0])
        watched = Watched("route", "sztab.route.incident.facts", "sztab.incident.facts", self.told)
        self.silence = Silence([watched], self.lags, LIMIT, Leaving(self.codes.append), now=lambda: self.at)

    async def look(self, after: float) -> None:
        """Time passes, then it is looked."""
        self.at += after
        await self.silence.look()


async def test_a_lag_without_a_commit_ends_the_process() -> None:
    """For longer than the limit: exit 70, and the supervisor starts a process with a new client."""
    bench = Bench()
    await bench.look(0)
    await bench.look(LIMIT - 1)
    assert bench.codes == []
    with pytest.raises(Left, match="route: partition 0"):
        await bench.look(2)
    assert bench.codes == [Exit.UNKNOWN]


async def test_commits_clear_it() -> None:
    """A backlog that shrinks, however slowly, is no silence."""
    bench = Bench()
    for turn in range(20):
        bench.told.committed_at = {0: float(turn)}
        await bench.look(LIMIT / 2)
    assert bench.codes == []


async def test_no_lag_is_no_silence() -> None:
    """An idle input may stay idle for days; a record that comes after it has its whole time."""
    bench = Bench(lag=0)
    for _ in range(20):
        await bench.look(LIMIT)
    bench.lags.lags = {0: 1}
    await bench.look(LIMIT)
    await bench.look(LIMIT - 1)
    assert bench.codes == []


async def test_an_unknown_lag_convicts_nobody() -> None:
    """A cluster that does not answer is its own alarm; when it is back the time begins anew."""
    bench = Bench()
    await bench.look(0)
    bench.lags.lags = None
    await bench.look(LIMIT * 2)
    bench.lags.lags = {0: 3}
    await bench.look(1)
    await bench.look(LIMIT - 1)
    assert bench.codes == []


async def test_what_is_not_held_or_not_yet_recovered_is_not_watched() -> None:
    """A recovery has a limit of its own; what is lost is another one's."""
    bench = Bench()
    await bench.look(0)
    bench.told.held([])
    await bench.look(LIMIT * 2)
    bench.told.held([0])
    await bench.look(1)
    assert bench.codes == []

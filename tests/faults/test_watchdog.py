"""The watchdog while no broker answers: it gives no verdict, and the time begins anew when they are back."""

import time

from ops.broker import EmbeddedKafka
from streams.leaving import Exit
from tests.broker.watched import LIMIT_SECONDS, running
from tests.waiting import until


async def test_no_verdict_while_no_broker_answers(cluster: EmbeddedKafka, prefix: str) -> None:
    """Lag and no commit for several limits, but nobody could have committed: the brokers' absence is its own alarm."""
    async with running(cluster.bootstrap_servers, prefix, 3) as bench:
        bench.clients.silent = True
        await bench.feed(range(300, 310))
        for number in cluster.numbers:
            cluster.freeze(number)
        await until(lambda: bench.value("sztab_broker_up") == 0, 40)
        away = time.monotonic() + 3 * LIMIT_SECONDS
        await until(lambda: time.monotonic() > away, 4 * LIMIT_SECONDS)
        assert bench.codes == []
        for number in cluster.numbers:
            cluster.thaw(number)
        await until(lambda: bench.value("sztab_broker_up") == 1, 60)
        back = time.monotonic()
        await until(lambda: bench.codes, 60)
        assert bench.codes[0] == Exit.UNKNOWN
        assert time.monotonic() - back > LIMIT_SECONDS / 2

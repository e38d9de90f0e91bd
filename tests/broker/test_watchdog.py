"""The watchdog on a real broker: what has gone silent is ended, whatever blocks the loop; what is well is not."""

import time

from ops.broker import EmbeddedKafka
from streams.leaving import Exit
from tests.broker.watched import LIMIT_SECONDS, LOOK_SECONDS, running
from tests.waiting import until


async def test_a_processor_whose_fetching_ended_in_silence_is_ended(kafka: EmbeddedKafka, prefix: str) -> None:
    """Its client believes itself idle; the lag that others see convicts it, with exit code 70."""
    async with running(kafka.bootstrap_servers, prefix, 1) as bench:
        bench.clients.silent = True
        assert bench.codes == []
        await bench.feed(range(300, 310))
        await until(lambda: bench.codes, 30)
        assert bench.codes[0] == Exit.UNKNOWN
        assert (bench.value("sztab_standing_seconds", processor="counter", input="in") or 0) > LIMIT_SECONDS


async def test_a_processor_that_gets_on_or_is_idle_is_left_alone(kafka: EmbeddedKafka, prefix: str) -> None:
    """For several limits: with traffic, then without any."""
    async with running(kafka.bootstrap_servers, prefix, 1) as bench:
        end = time.monotonic() + 2 * LIMIT_SECONDS
        number = 300
        while time.monotonic() < end:
            await bench.feed(range(number, number + 10))
            number += 10
        await until(bench.committed, 20)
        idle = time.monotonic() + 2 * LIMIT_SECONDS
        await until(lambda: time.monotonic() > idle, 3 * LIMIT_SECONDS)
        assert bench.codes == []
        assert bench.value("sztab_broker_up") == 1
        assert bench.value("sztab_input_partitions", processor="counter", input="in") == 3
        assert bench.value("sztab_underreplicated_partitions") == 0
        assert bench.value("sztab_watchdog_failures_total") == 0


async def test_a_blocked_loop_does_not_block_the_watchdog(kafka: EmbeddedKafka, prefix: str) -> None:
    """Records wait, the loop does not turn, and its process is ended all the same."""
    async with running(kafka.bootstrap_servers, prefix, 1) as bench:
        bench.clients.silent = True
        await bench.feed(range(300, 310))
        end = time.monotonic() + 30
        while not bench.codes and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)  # noqa: ASYNC251 - the fault itself: the loop does not turn meanwhile
        assert bench.codes[:1] == [Exit.UNKNOWN]

"""The shell on a cluster in memory: order of writes, ownership, fences. Each rule has a test that fails without it."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError, KafkaTimeoutError

from ops.prove import counter
from schemas.errors import Code, Misconfigured
from streams.changelog import MARKER_KEY
from streams.leaving import Exit
from streams.observer import Unobserved
from streams.shell_settings import Switches
from tests.streams.shell_fake import CHANGELOG, Cluster, Running, counts, once, settled
from tests.waiting import until


async def test_inputs_become_outputs_state_and_a_commit():
    """The whole way once: outputs right and in order, one changelog batch with the marker first, then the commit."""
    cluster = Cluster()
    cluster.feed(range(5))
    async with Running(cluster) as running:
        await running.member.assigned([0, 1])
        await settled(cluster)
        health = running.shell.health()
    assert counts(cluster) == once(range(5))
    assert cluster.logs[CHANGELOG, 0][-2].key == MARKER_KEY
    assert cluster.markers()[-1] == 4
    assert (health.held, health.ready, health.records, health.lag[0], health.gaps) == ((0, 1), True, 5, 0, 0)
    assert running.outcome() is None


async def test_a_new_owner_goes_on_exactly_where_the_last_one_stopped():
    """State and position come from the changelog; nothing is counted twice, nothing skipped."""
    cluster = Cluster()
    cluster.feed(range(5))
    for numbers in (range(5), range(5, 9)):
        cluster.feed(numbers if numbers.start else ())
        async with Running(cluster) as running:
            await running.member.assigned([0])
            await settled(cluster)
    assert counts(cluster) == once(range(9))


async def test_after_a_crash_the_marker_decides_what_is_stepped_again():
    """State saved, input not committed: the next owner skips what the state contains."""
    cluster = Cluster()
    cluster.feed(range(5))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    cluster.committed.clear()
    cluster.feed([5])
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    assert counts(cluster) == once(range(6))


async def test_without_rule_marker_inputs_are_counted_twice():
    """Conviction of the rule above."""
    cluster = Cluster()
    cluster.feed(range(5))
    for _ in range(2):
        async with Running(cluster, switches=Switches.without("marker")) as running:
            await running.member.assigned([0])
            await settled(cluster)
        cluster.committed.clear()
    assert counts(cluster)["i0000000"] == [1, 6]


async def test_a_refused_output_ends_the_process_before_anything_is_acknowledged():
    """The broker says no: exit 70, no state, no commit."""
    cluster = Cluster()
    cluster.failing.update(dict.fromkeys(counter.OUTPUTS, KafkaTimeoutError()))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.feed(range(3))
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.UNKNOWN
    assert (cluster.markers(), cluster.committed) == ([-1], {})


async def test_a_round_that_is_never_acknowledged_ends_the_process():
    """A stuck client (aiokafka 1017) is noticed after `settle_seconds`."""
    cluster = Cluster()
    cluster.held.update(counter.OUTPUTS)
    async with Running(cluster, settle_seconds=0.2, session_seconds=0.5) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.feed([0])
        await until(lambda: running.codes)
        assert running.codes[0] == Exit.UNKNOWN
        for topic in counter.OUTPUTS:
            cluster.release(topic)


@pytest.mark.parametrize("layer", ["commit", "marker"])
async def test_six_bugs_in_a_minute_end_the_process_after_what_came_before_is_saved(layer):
    """The first five are set aside and committed, so that each restart gets on; the sixth ends the process.

    The marker says it too, for a group in the middle of a rebalance takes no commit.
    """
    cluster = Cluster()
    if layer == "marker":
        cluster.refusing = CommitFailedError()
    switches = Switches.without("marker") if layer == "commit" else Switches()
    for number in range(8):
        cluster.write("in", 0, b"k", b"boom %d" % number)
    async with Running(cluster, commit_seconds=60, switches=switches) as first:
        await first.member.assigned([0])
        await until(lambda: first.codes)
    cluster.restore(first.left)
    assert (first.codes[0], len(cluster.logs["aside", 0])) == (Exit.UNKNOWN, 5)
    async with Running(cluster, switches=switches) as second:
        await second.member.assigned([0])
        await until(lambda: second.codes or len(cluster.logs["aside", 0]) == 8)
    assert (second.codes, len(cluster.logs["aside", 0])) == ([], 8)


async def test_a_missing_topic_is_named_and_nothing_starts():
    """Misconfigured says which topic to provision."""
    cluster = Cluster()
    del cluster.partitions["b"]
    async with Running(cluster, session_seconds=0.1) as running:
        with pytest.raises(Misconfigured, match="no such topic: b"):
            await asyncio.wait_for(running.task, 5)


async def test_input_and_changelog_must_have_equal_partitions():
    """State of partition n belongs to input partition n."""
    cluster = Cluster()
    cluster.partitions[CHANGELOG] = 7
    async with Running(cluster) as running:
        with pytest.raises(Misconfigured, match=r"in has 2 partitions, but state\.counter\.in has 7"):
            await asyncio.wait_for(running.task, 5)


async def test_an_empty_partition_is_held_and_ready():
    """Nothing ever came: it is recovered all the same, and its first record is stepped."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0, 1])
        await until(lambda: running.shell.health().ready)
        assert set(running.shell.states()) == {0, 1}
        cluster.feed([0], partition=1)
        await settled(cluster, partition=1)
    assert counts(cluster) == once([0])


async def test_the_observer_is_told_what_happened():
    """Recovered, held, stepped, set aside, settled, committed: each with its figures."""
    told: dict[str, list[Any]] = {}

    class Told(Unobserved):
        def __getattribute__(self, name):
            if name.startswith("_"):
                return object.__getattribute__(self, name)
            return lambda *args: told.setdefault(name, []).append(args)

    cluster = Cluster()
    cluster.feed(range(2))
    cluster.write("in", 0, b"k", b"poison")
    async with Running(cluster, observer=Told()) as running:
        await running.member.assigned([0])
        await settled(cluster)
    assert set(told) == {"recovered", "held", "stepped", "set_aside", "settled", "committed"}
    assert sum(records for records, _, _ in told["settled"]) == 3
    assert told["set_aside"][0][1] == Code.NOT_UNDERSTOOD
    assert told["held"][0] == ([0],)
    assert told["committed"][-1] == ({0: 3},)

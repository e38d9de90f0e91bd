"""Contiguity: each offset once, gaps sought again, contradictions not guessed at."""

import asyncio

import pytest
from aiokafka.structs import TopicPartition

from schemas.errors import Misconfigured
from streams.leaving import Exit
from streams.shell_settings import Switches
from tests.streams.shell_fake import Cluster, Running, counts, once, settled
from tests.waiting import until


@pytest.mark.parametrize("contiguous", [True, False])
async def test_each_offset_is_stepped_once_per_ownership(contiguous):
    """The same range delivered twice is cut. Conviction: without the rule it is counted again."""
    cluster = Cluster()
    switches = Switches() if contiguous else Switches.without("contiguity")
    async with Running(cluster, switches=switches) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.feed(range(4))
        await settled(cluster)
        log = cluster.logs["in", 0]
        running.member.script.append({TopicPartition("in", 0): log[1:4]})
        await until(lambda: not running.member.script)
        cluster.feed([4])
        await settled(cluster)
        await until(lambda: "i0000004" in counts(cluster))
    assert (counts(cluster) == once(range(5))) == contiguous


async def test_a_gap_is_sought_again_and_accepted_only_when_the_broker_insists():
    """A fetch that jumps is a wrong fetch first: the missing records come after the seek."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        running.member.pause(TopicPartition("in", 0))
        cluster.feed(range(6))
        running.member.script.append({TopicPartition("in", 0): cluster.logs["in", 0][3:]})
        await until(lambda: not running.member.script)
        running.member.resume(TopicPartition("in", 0))
        await settled(cluster)
        assert running.shell.health().gaps == 0
        running.member.pause(TopicPartition("in", 0))
        cluster.feed(range(6, 10))
        for _ in range(2):
            running.member.script.append({TopicPartition("in", 0): cluster.logs["in", 0][8:]})
        await until(lambda: not running.member.script)
        await settled(cluster)
        assert running.shell.health().gaps == 1
    assert list(counts(cluster)) == [f"i{n:07d}" for n in counts_order(cluster)]
    assert "i0000006" not in counts(cluster)


def counts_order(cluster):
    """The input numbers on the outputs, as they stand."""
    return [int(ident[1:]) for ident in counts(cluster)]


async def test_contradictory_answers_end_the_process():
    """Ten seeks without the same answer twice: exit 77, rather than a guess."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        running.member.pause(TopicPartition("in", 0))
        cluster.feed(range(40))
        for turn in range(12):
            running.member.script.append({TopicPartition("in", 0): cluster.logs["in", 0][2 + turn :]})
        await until(lambda: running.codes)
        assert running.codes[0] == Exit.GAP


@pytest.mark.parametrize(("topic_id", "why"), [(b"another topic id", "another topic"), (None, "ends at 3")])
async def test_an_input_that_goes_back_ends_the_process_and_its_restart_says_why(topic_id, why):
    """Made anew or cut while the shell runs: nothing of it is dropped in silence. Exit 77, then `state-foreign`."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.feed(range(10))
        await settled(cluster)
        del cluster.logs["in", 0][0 if topic_id else 3 :]
        cluster.ids["in"] = topic_id or cluster.ids["in"]
        if topic_id:
            cluster.feed(range(100, 109))
        cluster.arrived.set()
        await until(lambda: running.codes)
        assert running.codes[0] == Exit.GAP
    async with Running(cluster, session_seconds=0.4) as running:
        await running.member.assigned([0])
        with pytest.raises(Misconfigured, match=why):
            await asyncio.wait_for(running.task, 5)


async def test_late_fetches_of_what_is_behind_are_counted_only_in_a_row():
    """More of them than are allowed in a row, each followed by what must come next: the shell goes on."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        for number in range(15):
            cluster.feed([number])
            await settled(cluster)
            running.member.script.append({TopicPartition("in", 0): cluster.logs["in", 0][:1]})
            await until(lambda: not running.member.script)
        assert running.codes == []
    assert counts(cluster) == once(range(15))

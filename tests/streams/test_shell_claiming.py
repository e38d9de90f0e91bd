"""Claims: written only by who owns, and harmless when they land too late all the same."""

import asyncio

import pytest
from aiokafka.structs import TopicPartition

from streams.changelog import MARKER_KEY, Fold, Marker
from streams.leaving import Exit
from tests.streams.shell_fake import CHANGELOG, Cluster, Running, counts, once, settled
from tests.waiting import until

STALE = (0, b"k", b"2,1", ())


async def with_a_stale_batch(cluster):
    """Five inputs are counted; then a zombie's late write lands behind the state."""
    cluster.feed(range(5))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    cluster.append(CHANGELOG, 0, [(0, MARKER_KEY, Marker(cluster.ids["in"], 1).encode(), ()), STALE])


async def waiting_for_the_group(running):
    """Recovers partition 0 as far as the question what the group has committed."""
    running.member.gate = asyncio.Event()
    await running.member.assigned([0])
    await until(lambda: running.member.asking)


async def test_a_claim_is_not_written_after_the_partition_was_given_up():
    """The answer about the commit comes late, when another member owns the partition: nothing is written there."""
    cluster = Cluster()
    await with_a_stale_batch(cluster)
    before = len(cluster.logs[CHANGELOG, 0])
    async with Running(cluster) as running:
        await waiting_for_the_group(running)
        await running.member.assigned([1])
        running.member.gate.set()
        await until(lambda: running.shell.health().ready)
        assert (running.shell.health().held, running.codes) == ((1,), [])
    assert len(cluster.logs[CHANGELOG, 0]) == before


async def test_a_claim_is_not_judged_after_the_partition_was_given_up():
    """What the new owner has committed meanwhile does not fit to what was read before it: that is no foreign state."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await waiting_for_the_group(running)
        await running.member.assigned([1])
        cluster.committed[TopicPartition("in", 0)] = 8
        running.member.gate.set()
        await until(lambda: running.shell.health().ready or running.task.done())
        assert running.outcome() is None


async def test_a_claim_of_who_does_not_know_of_the_loss_rolls_nothing_back():
    """Its values carry the marker they were read with: behind the state of the new owner they are stale."""
    cluster = Cluster()
    await with_a_stale_batch(cluster)
    async with Running(cluster) as late:
        await waiting_for_the_group(late)
        gate = late.member.gate
        async with Running(cluster) as owner:
            await owner.member.assigned([0])
            await until(lambda: owner.shell.health().ready)
            cluster.feed(range(5, 8))
            await settled(cluster)
        written = len(cluster.logs[CHANGELOG, 0])
        gate.set()
        await until(lambda: len(cluster.logs[CHANGELOG, 0]) > written + 1)
    fold = Fold()
    fold.take_all(cluster.logs[CHANGELOG, 0])
    assert (fold.applied, fold.values[b"k"].split(b",")[0]) == (7, b"8")
    cluster.feed([8])
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    assert counts(cluster) == once(range(9))


async def test_repairs_stand_where_the_state_was_read_and_the_commit_has_a_marker_of_its_own():
    """The group has committed records that changed nothing: only a marker without values says more than the fold."""
    cluster = Cluster()
    cluster.feed(range(5))
    for _ in range(3):
        cluster.write("in", 0, b"k", b"poison")
    async with Running(cluster, unit_records=5) as running:
        await running.member.assigned([0])
        await settled(cluster)
    cluster.append(CHANGELOG, 0, [(0, MARKER_KEY, Marker(cluster.ids["in"], 1).encode(), ()), STALE])
    before = len(cluster.logs[CHANGELOG, 0])
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
    claimed = [(one.key, one.value) for one in cluster.logs[CHANGELOG, 0][before:]]
    topic_id = cluster.ids["in"]
    assert claimed[0] == (MARKER_KEY, Marker(topic_id, 4).encode())
    assert (claimed[1][0], claimed[1][1][:2]) == (b"k", b"5,")
    assert claimed[2:] == [(MARKER_KEY, Marker(topic_id, 7).encode())]


async def test_a_revocation_waits_for_a_claim_on_the_wire():
    """It is acknowledged before the partition is given up, so the next owner reads it."""
    cluster = Cluster()
    cluster.held.add(CHANGELOG)
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: cluster.waiting)
        revoking = asyncio.create_task(running.member.assigned([1]))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not revoking.done()
        cluster.release(CHANGELOG)
        await revoking
        await until(lambda: running.shell.health().ready)


async def test_a_claim_that_does_not_settle_in_time_ends_the_process():
    """Bounded, as for a round: what lands after the next owner's claim would end that one."""
    cluster = Cluster()
    cluster.held.add(CHANGELOG)
    async with Running(cluster, session_seconds=0.4) as running:
        await running.member.assigned([0])
        await until(lambda: cluster.waiting)
        with pytest.raises(BaseException, match="claim on the wire did not settle"):
            await running.member.assigned([1])
        assert running.codes == [Exit.UNKNOWN]

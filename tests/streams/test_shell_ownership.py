"""Ownership: order of writes, what is settled, what is dropped, who is fenced. Each rule with its conviction."""

import asyncio

import pytest
from aiokafka.structs import TopicPartition

from ops.prove import counter
from streams.changelog import MARKER_KEY, Marker
from streams.leaving import Exit
from streams.shell_settings import Switches
from tests.streams.shell_fake import CHANGELOG, Cluster, Running, counts, settled
from tests.waiting import until


@pytest.mark.parametrize("ordered", [True, False])
async def test_state_waits_for_the_outputs(ordered):
    """No state is written while an output is not acknowledged; conviction: without rule `order` it is."""
    cluster = Cluster()
    cluster.held.update({"a", "b"})
    switches = Switches() if ordered else Switches.without("order")
    async with Running(cluster, switches=switches) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.feed(range(3))
        await until(lambda: len(cluster.outputs()) == 3)
        assert (cluster.markers()[-1] < 0) == ordered
        cluster.release("a")
        cluster.release("b")
        await settled(cluster)
    topics = [topic for topic, *_ in cluster.journal if topic in {"a", "b", CHANGELOG}]
    first_state = topics.index(CHANGELOG, topics.index(CHANGELOG) + 1)
    assert (first_state > max(topics.index(t) for t in topics if t in {"a", "b"})) == ordered


@pytest.mark.parametrize("dropped", [True, False])
async def test_unsaved_changes_are_dropped_when_ownership_changes(dropped):
    """Put out of the group with a round on the wire: the next ownership starts from the changelog.

    Conviction: without rule `overlay` the repeat meets a state that already counted it.
    """
    cluster = Cluster()
    switches = Switches() if dropped else Switches.without("overlay")
    async with Running(cluster, switches=switches) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.held.update({"a", "b"})
        cluster.feed([0])
        await until(cluster.outputs)
        await running.member.assigned([0], lost=True)
        cluster.release("a")
        cluster.release("b")
        await settled(cluster)
    assert counts(cluster) == {"i0000000": [1, 1] if dropped else [1, 2]}


async def test_a_member_that_was_put_out_writes_no_state():
    """Another one may own the partition: after the loss nothing of the old epoch goes to the changelog."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.held.update({"a", "b"})
        cluster.feed(range(3))
        await until(lambda: len(cluster.outputs()) == 3)
        await running.member.assigned([], lost=True)
        before = len(cluster.logs[CHANGELOG, 0])
        cluster.release("a")
        cluster.release("b")
        cluster.feed(range(3, 5), partition=1)
        await running.member.assigned([1])
        await settled(cluster, partition=1)
    assert len(cluster.logs[CHANGELOG, 0]) == before
    assert TopicPartition("in", 0) not in cluster.committed


@pytest.mark.parametrize("topics", [counter.OUTPUTS, (CHANGELOG,)])
async def test_nothing_more_of_a_round_is_sent_when_it_is_put_out_in_the_middle(topics):
    """Handing a batch over may wait for the one before it; only the batch that waits at the loss still goes."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0, 1])
        await until(lambda: running.shell.health().ready)
        door = asyncio.Event()
        cluster.doors.update(dict.fromkeys(topics, door))
        cluster.feed(range(8))
        cluster.feed(range(8, 16), partition=1, key=b"l")
        await until(lambda: cluster.knocks)
        before = len(cluster.journal)
        await running.member.assigned([], lost=True)
        door.set()
        await until(lambda: not running.shell._rounds.oldest_seconds())
    assert (len(cluster.journal), running.codes) == (before + 1, [])


async def test_a_revocation_settles_what_is_in_flight():
    """Still a member: the round on the wire ends, is saved and committed before the partition is given up.

    Nothing of it is recovered or claimed again meanwhile.
    """
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.held.update({"a", "b"})
        cluster.feed(range(3))
        await until(lambda: len(cluster.outputs()) == 3)
        revoking = asyncio.create_task(running.member.assigned([1]))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not revoking.done()
        assert cluster.markers() == [-1]
        cluster.release("a")
        cluster.release("b")
        await revoking
    assert cluster.committed[TopicPartition("in", 0)] == 3
    assert cluster.markers()[-1] == 2


async def test_a_revocation_that_does_not_settle_in_time_ends_the_process():
    """Bounded: the group does not wait for ever, and the next owner does it again."""
    cluster = Cluster()
    async with Running(cluster, session_seconds=0.4) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.held.update({"a", "b"})
        cluster.feed(range(3))
        await until(lambda: len(cluster.outputs()) == 3)
        with pytest.raises(BaseException, match="did not settle"):
            await running.member.assigned([1])
        assert running.codes == [Exit.UNKNOWN]
        cluster.release("a")
        cluster.release("b")


@pytest.mark.parametrize("fenced", [True, False])
async def test_a_foreign_write_to_the_changelog_ends_the_process(fenced):
    """An append lands elsewhere than expected: somebody else owns it too. Conviction: without `fence` it goes on."""
    cluster = Cluster()
    switches = Switches() if fenced else Switches.without("fence")
    async with Running(cluster, switches=switches) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.append(CHANGELOG, 0, [(0, MARKER_KEY, Marker(cluster.ids["in"], -1).encode(), ())])
        cluster.feed([0])
        await until(lambda: running.codes or cluster.committed.get(TopicPartition("in", 0)))
        assert running.codes == ([Exit.FOREIGN_WRITE] if fenced else [])

"""Recovery: what a predecessor left, what must be refused, what is repaired."""

import asyncio

import pytest

from schemas.errors import Code, Misconfigured
from streams.changelog import MARKER_KEY, Marker
from streams.shell_settings import Switches
from tests.streams.shell_fake import CHANGELOG, Cluster, Consumer, Running, counts, once, settled
from tests.waiting import until


async def test_what_a_predecessor_had_on_the_wire_is_replayed_too():
    """A batch that lands between the replay and the claim is read before anything is stepped."""
    cluster = Cluster()
    cluster.feed(range(3))
    late = [(0, MARKER_KEY, Marker(cluster.ids["in"], 2).encode(), ()), (0, b"k", b"3,77", ())]
    original = Cluster.append
    landed: list[int] = []

    def append(topic, partition, records):
        if topic == CHANGELOG and not landed:
            landed.append(original(cluster, topic, partition, late))
        return original(cluster, topic, partition, records)

    cluster.append = append  # type: ignore[method-assign]
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.feed([3])
        await settled(cluster)
        assert running.codes == []
    assert counts(cluster) == {"i0000003": [4]}


@pytest.mark.parametrize("checked", [True, False])
async def test_the_state_of_another_topic_is_refused(checked):
    """A topic made anew has another id: its records are not "already seen". Conviction: unchecked they are skipped."""
    cluster = Cluster()
    cluster.feed(range(5))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    cluster.logs["in", 0].clear()
    cluster.committed.clear()
    cluster.ids["in"] = b"another topic id"
    cluster.feed(range(10, 13))
    switches = Switches() if checked else Switches.without("identity")
    async with Running(cluster, switches=switches) as running:
        await running.member.assigned([0])
        if checked:
            with pytest.raises(Misconfigured) as refused:
                await asyncio.wait_for(running.task, 5)
            assert refused.value.code == Code.STATE_FOREIGN
        else:
            await until(lambda: running.shell.health().ready)
    assert set(counts(cluster)) == set(once(range(5)))


async def test_a_lost_changelog_is_refused():
    """The group has committed, but there is no state: going on would forget every incident."""
    cluster = Cluster()
    cluster.feed(range(5))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    cluster.logs[CHANGELOG, 0].clear()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        with pytest.raises(Misconfigured, match="is empty, but group"):
            await asyncio.wait_for(running.task, 5)


async def test_an_input_that_lost_its_end_is_refused():
    """The state has applied records that the topic no longer holds: new ones would be skipped as seen."""
    cluster = Cluster()
    cluster.feed(range(5))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    del cluster.logs["in", 0][2:]
    async with Running(cluster, session_seconds=0.1) as running:
        await running.member.assigned([0])
        with pytest.raises(Misconfigured, match="ends at 2"):
            await asyncio.wait_for(running.task, 5)


async def test_stale_writes_of_a_zombie_are_written_over():
    """After a stale batch the next owner writes the right values again, for compaction would keep the stale ones."""
    cluster = Cluster()
    cluster.feed(range(5))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    stale = [(0, MARKER_KEY, Marker(cluster.ids["in"], 1).encode(), ()), (0, b"k", b"2,1", ())]
    cluster.append(CHANGELOG, 0, stale)
    cluster.feed([5])
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    assert counts(cluster) == once(range(6))
    repaired = [one.value for one in cluster.logs[CHANGELOG, 0] if one.key == b"k"]
    assert repaired[-2].startswith(b"5,")


async def test_the_group_is_polled_during_a_long_replay(monkeypatch):
    """A member that polls for nothing for minutes is expelled: each turn of the replay polls for it, and drops it."""
    cluster = Cluster()
    cluster.feed(range(3))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    usual, polls = Consumer.getmany, 0

    async def getmany(self, timeout_ms=0, max_records=None):
        nonlocal polls
        if self.listener is not None:
            polls += not running.shell.health().ready
            self.paused.clear()
        elif polls < 10:
            return {}
        return await usual(self, timeout_ms, max_records)

    monkeypatch.setattr(Consumer, "getmany", getmany)
    cluster.feed(range(3, 5))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    assert polls >= 10
    assert counts(cluster) == once(range(5))

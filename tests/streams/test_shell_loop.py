"""The shell on a cluster in memory: order of writes, ownership, fences. Each rule has a test that fails without it."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import TopicPartition

from ops.prove import counter
from schemas.errors import Code, Misconfigured
from streams.changelog import MARKER_KEY, Marker
from streams.leaving import Exit
from streams.observer import Unobserved
from streams.shell_settings import Switches
from tests.streams.shell_fake import CHANGELOG, Cluster, Running
from tests.waiting import until


def counts(cluster):
    """The counter's values that were written for each input, all of them."""
    return {
        ident.decode(): [int(value.split(b"|")[2]) for value in values] for ident, values in cluster.outputs().items()
    }


def once(numbers, start=1):
    """What a right run writes for these inputs of one key."""
    return {f"i{number:07d}": [start + at] for at, number in enumerate(numbers)}


async def settled(cluster, partition=0, up_to=0):
    """Wait until the group has committed everything, or so much."""
    place = TopicPartition("in", partition)
    await until(lambda: cluster.committed.get(place, 0) >= (up_to or len(cluster.logs["in", partition])))


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


async def test_a_revocation_settles_what_is_in_flight():
    """Still a member: the round on the wire ends, is saved and committed before the partition is given up."""
    cluster = Cluster()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        cluster.held.update({"a", "b"})
        cluster.feed(range(3))
        await until(lambda: len(cluster.outputs()) == 3)
        revoking = asyncio.create_task(running.member.assigned([1]))
        await asyncio.sleep(0)
        assert not revoking.done()
        cluster.release("a")
        cluster.release("b")
        await revoking
    assert cluster.committed[TopicPartition("in", 0)] == 3
    assert cluster.markers()[-1] == 2


async def test_a_revocation_that_does_not_settle_in_time_ends_the_process():
    """Bounded: the group does not wait for ever, and the next owner does it again."""
    cluster = Cluster()
    async with Running(cluster, session_seconds=0.2) as running:
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


async def test_six_bugs_in_a_minute_end_the_process_after_what_came_before_is_saved():
    """The first five are set aside and committed, so that each restart gets on; the sixth ends the process."""
    cluster = Cluster()
    for number in range(8):
        cluster.write("in", 0, b"k", b"boom %d" % number)
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.UNKNOWN
    assert len(cluster.logs["aside", 0]) == 5


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

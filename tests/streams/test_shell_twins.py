"""Two processes under one static id: the second says so and ends, the first goes on; a restart is no second one."""

import asyncio
import os
import socket
from typing import Any

import pytest

from streams.leaving import Exit, Left
from streams.twins import Member, myself
from tests.streams.shell_fake import Cluster, Running, settled
from tests.waiting import until

HERE = socket.gethostname()
LONG_AGO = 1
NOBODY = 2**22 + 1
"""Above the kernel's largest process id."""


def _named(cluster: Cluster, **changes: Any) -> None:
    cluster.named = [Member("node.1.counter", "elsewhere", 7, LONG_AGO)._replace(**changes).client_id()]


async def test_a_living_twin_on_this_machine_refuses_the_second_at_once() -> None:
    """Exit 79 before the group is joined: the first one is not even disturbed."""
    cluster = Cluster()
    _named(cluster, host=HERE, pid=os.getppid())
    async with Running(cluster, instance_id="node.1.counter") as running:
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.TWIN
    assert cluster.members == []


@pytest.mark.parametrize("pid", [NOBODY, os.getpid()])
async def test_one_that_was_killed_here_is_replaced_at_once(pid: int) -> None:
    """Its session lasts for seconds yet, but nobody runs under its process id, or we do."""
    cluster = Cluster()
    cluster.feed(range(3))
    _named(cluster, host=HERE, pid=pid)
    async with Running(cluster, instance_id="node.1.counter") as running:
        await running.member.assigned([0])
        await settled(cluster)
        assert running.codes == []


async def test_one_elsewhere_is_waited_out() -> None:
    """What was killed elsewhere leaves when its session ends; then we join."""
    cluster = Cluster()
    cluster.feed(range(3))
    _named(cluster)

    async def leave() -> None:
        await until(lambda: cluster.asked)
        assert cluster.members == []
        cluster.named.clear()

    leaving = asyncio.create_task(leave())
    async with Running(cluster, instance_id="node.1.counter", session_seconds=20.0) as running:
        await leaving
        await running.member.assigned([0])
        await settled(cluster)
        assert running.codes == []


async def test_one_elsewhere_that_outlives_its_session_is_alive() -> None:
    """A dead member would have left: exit 79."""
    cluster = Cluster()
    _named(cluster)
    async with Running(cluster, instance_id="node.1.counter", session_seconds=0.4) as running:
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.TWIN


async def test_put_out_by_an_older_one_ends_and_by_a_younger_one_comes_back() -> None:
    """Both joined at the same time: the older keeps the place."""
    cluster = Cluster()
    cluster.feed(range(3))
    async with Running(cluster, instance_id="node.1.counter") as running:
        await running.member.assigned([0])
        await settled(cluster)
        _named(cluster, started_ms=2**60)
        await running.member.assigned([0], lost=True)
        assert running.codes == []
        _named(cluster)
        with pytest.raises(Left):
            await running.member.assigned([0], lost=True)
    assert running.codes[0] == Exit.TWIN


async def test_another_worker_is_no_twin() -> None:
    """Nor is a process of somebody else in the group."""
    cluster = Cluster()
    cluster.feed(range(3))
    _named(cluster, instance="node.2.counter", host=HERE, pid=os.getppid())
    cluster.named.append("aiokafka-0.14.0")
    async with Running(cluster, instance_id="node.1.counter") as running:
        await running.member.assigned([0])
        await settled(cluster)
        assert running.codes == []


def test_a_member_reads_what_it_wrote() -> None:
    """Whatever stands in the static id."""
    me = myself("node@home.1.counter")
    assert Member.of(me.client_id()) == me
    assert Member.of("a@b@c@d") is None

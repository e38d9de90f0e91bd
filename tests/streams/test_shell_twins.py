"""Two processes under one static id: the young one says so and ends, the other stays."""

import asyncio
from pathlib import Path

import pytest

from streams.leaving import Exit, Left
from tests.streams.shell_fake import Cluster, Running, settled
from tests.waiting import until

ME = "node.1.counter"
MINE, ANOTHERS = (f"{ME}-00000000-0000-0000-0000-00000000000{number}" for number in (1, 2))


async def _put_out(running: Running) -> None:
    await running.member.assigned([0], lost=True)


async def test_a_young_member_that_is_put_out_twice_leaves() -> None:
    """Exit 79: it came to a place already taken."""
    cluster = Cluster()
    cluster.feed(range(3))
    async with Running(cluster, instance_id="node.1.counter") as running:
        await running.member.assigned([0])
        await settled(cluster)
        await _put_out(running)
        assert running.codes == []
        with pytest.raises(Left, match="seems to be another process, too"):
            await _put_out(running)
    assert running.codes[0] == Exit.TWIN


@pytest.mark.parametrize("told", [{"instance_id": "node.1.counter", "young_seconds": -1.0}, {"instance_id": None}])
async def test_one_that_has_run_for_long_or_has_no_static_id_comes_back(told) -> None:
    """However often it is put out: by a newcomer, or because its sessions end in outages."""
    cluster = Cluster()
    cluster.feed(range(3))
    async with Running(cluster, **told) as running:
        await running.member.assigned([0])
        await settled(cluster)
        for _ in range(5):
            await _put_out(running)
        assert running.codes == []


async def test_a_predecessor_is_replaced_at_once(tmp_path: Path) -> None:
    """Its session lasts for seconds yet; the member id that it kept says that it was us."""
    cluster, file = Cluster(), tmp_path / "member"
    cluster.feed(range(3))
    async with Running(cluster, instance_id=ME, member_file=file) as running:
        await running.member.assigned([0])
        await settled(cluster)
    assert file.read_text() == MINE
    cluster.named = [MINE, "node.1.other-00000000-0000-0000-0000-000000000009"]
    async with Running(cluster, instance_id=ME, member_file=file, session_seconds=60.0) as running:
        assert cluster.asked == 2
        assert running.codes == []


async def test_somebody_else_is_waited_out(tmp_path: Path) -> None:
    """One that was killed elsewhere leaves when its session ends; only then we join."""
    cluster = Cluster()
    cluster.named = [ANOTHERS]

    async def leave() -> None:
        await until(lambda: cluster.asked > 1)
        assert cluster.members == []
        cluster.named.clear()

    leaving = asyncio.create_task(leave())
    async with Running(cluster, instance_id=ME, member_file=tmp_path / "m", session_seconds=60.0) as running:
        await leaving
        assert len(cluster.members) == 1
        assert running.codes == []


async def test_somebody_else_who_outlives_a_session_is_alive(tmp_path: Path) -> None:
    """Exit 79, and the group was never joined: the first one has not noticed."""
    cluster = Cluster()
    cluster.named = [ANOTHERS]
    async with Running(cluster, instance_id=ME, member_file=tmp_path / "m", session_seconds=0.4) as running:
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.TWIN
    assert cluster.members == []

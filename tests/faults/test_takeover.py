"""A worker that is killed and not restarted: its peer serves its partitions within the time that our settings give."""

import asyncio
import os
import sys
from pathlib import Path

import orjson
import pytest

from ops.broker import EmbeddedKafka
from ops.prove import takeover
from ops.prove.battle import Battle
from ops.prove.plan import Plan
from ops.prove.worker import ENVIRONMENT
from ops.settings_parts import StreamsPart
from streams.leaving import Exit

WANTED_SECONDS = 10.0


def test_the_settings_promise_ten_seconds() -> None:
    """A session, a heartbeat, and the reading of the state; the measured figure is printed by the test below."""
    assert takeover.longest_seconds(StreamsPart().session_seconds) <= WANTED_SECONDS


async def test_every_partition_of_a_killed_worker_is_stepped_by_its_peer(
    cluster: EmbeddedKafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With static membership, no restart, and the session time-out of our settings."""
    seconds = await takeover.measure(cluster.bootstrap_servers, tmp_path, StreamsPart().session_seconds)
    with capsys.disabled():
        print(f"\ntakeover: {seconds:.1f} s")  # noqa: T201 - a figure for whoever runs it


async def test_a_second_worker_under_the_same_static_id_ends_and_the_first_goes_on(
    cluster: EmbeddedKafka, tmp_path: Path
) -> None:
    """As on two machines with one node name: exit 79 with the reason; the first never notices."""
    plan = Plan(attack="twin", messages=1500, rate=300.0)
    battle = Battle(plan, cluster.bootstrap_servers, tmp_path)
    await battle.prepare()
    try:
        battle.start("w0")
        await battle.joined("w0")
        battle.load()
        code, said = await _second(battle, tmp_path)
        await battle.drain()
    finally:
        await battle.close()
    verdict = await battle.judge()
    assert code == Exit.TWIN, said
    assert b"w0 runs already" in said
    assert verdict.exits == {}
    assert (verdict.lost, verdict.wrong, verdict.repeats) == (0, 0, 0)


async def _second(battle: Battle, folder: Path) -> tuple[int | None, bytes]:
    """A worker beside the battle, under the static id of its first one, until it ends."""
    told = battle.told("w0", member_file=str(folder / "elsewhere.member"))
    second = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ops.prove.worker",
        env=os.environ | {ENVIRONMENT: orjson.dumps(told).decode()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(second.communicate(), 60)
    finally:
        if second.returncode is None:
            second.kill()
    return second.returncode, said

"""Feeds that this node had and has no more leave `feed.status`: nobody shall wait for their word.

A node that is taken out of service is run once more without sources, under its name: then all its feeds leave.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

import orjson
from aiokafka.errors import KafkaError

from connectors.runner import Runner
from ops.reading import Cluster, Reading
from schemas.errors import SztabError
from schemas.feed import said_of
from schemas.topics import FEEDS

PAUSE_SECONDS: Final = 5.0


def withdrawn(said: Mapping[bytes, bytes | None], node: str, feeds: Collection[str]) -> Iterator[str]:
    """Keys of statuses (last value of each key) that the node said and says no more, having only these feeds now."""
    kept = {said_of(name, node) for name in feeds}
    for raw, value in said.items():
        key = raw.decode(errors="replace")
        if value is not None and key not in kept and _speaker(value) == node:
            yield key


def _speaker(value: bytes) -> str | None:
    """The node that a status names; None for rubbish, which is nobody's word and ends nothing here."""
    try:
        status = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return status.get("node") if isinstance(status, dict) else None


async def withdraw(cluster: Callable[[], Cluster], runner: Runner) -> None:
    """Write a tombstone for each feed that the node has no more; a broker that is away is waited for."""
    while True:
        try:
            if await _withdraw(cluster(), runner):
                return
        except (KafkaError, OSError, SztabError):
            # The runner says that no broker is reached; here it is only tried again.
            pass
        await asyncio.sleep(PAUSE_SECONDS)


async def _withdraw(cluster: Cluster, runner: Runner) -> bool:
    said: dict[bytes, bytes | None] = {}
    reading = Reading(cluster, [FEEDS])
    async for _, records in reading.on():
        said |= {one.key: one.value for one in records if one.key is not None}
    answers = [await runner.publisher.say(FEEDS, key, None, ()) for key in withdrawn(said, runner.node, runner.feeds)]
    return not reading.missing and all(answers)

"""A source that is configured away leaves `feed.status` when its node starts again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops import kafka as clients
from ops import runtime
from ops.broker import EmbeddedKafka
from ops.provision_cli import provision_installation
from ops.roles import intake
from ops.settings import Settings, load
from schemas.topics import FEEDS
from tests.waiting import until

SOURCE = '[[sources]]\nconnector = "cpr"\nname = "cpr"\n'


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """The role in this process."""
    role = asyncio.create_task(intake.run(settings))
    try:
        yield
    finally:
        role.cancel()
        await asyncio.gather(role, return_exceptions=True)


async def last(settings: Settings) -> dict[bytes, bool]:
    """The keys of `feed.status`, and whether the last record of each is a status."""
    return {one.key: one.value is not None async for one in clients.read_all(settings, [FEEDS])}


@pytest.fixture
def files(kafka: EmbeddedKafka, prefix: str, tmp_path: Path) -> tuple[Path, Path]:
    """The same node's configuration with a source and without it."""
    plain = f'[installation]\nprefix = "{prefix}"\n[kafka]\nbootstrap_servers = "{kafka.bootstrap_servers}"\nwide = 3\n'
    with_source, without = tmp_path / "with.toml", tmp_path / "without.toml"
    with_source.write_text(plain + SOURCE)
    without.write_text(plain)
    return with_source, without


async def test_a_source_configured_away_leaves(files: tuple[Path, Path]) -> None:
    """Nobody waits for its word any more; what the node still has stays."""
    before, after = (load(one) for one in files)
    runtime.prepare(before)
    await asyncio.to_thread(provision_installation, before, dry_run=False)

    async def said(*, there: bool) -> bool:
        return (await last(before)).get(b"cpr@intake-1", not there) is there

    async with running(before):
        await until(lambda: said(there=True), 30)
    async with running(after):
        await until(lambda: said(there=False), 30)
    assert (await last(after))[b"commands@intake-1"]

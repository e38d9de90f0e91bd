"""The role of the ledger while its broker is away: nobody knows, nothing is alarmed, and it knows again afterwards."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ops.bookkeeping.showing import overdue
from ops.broker import EmbeddedKafka
from ops.metrics import Metrics
from ops.provision import provision, wanted
from ops.reading import Cluster, Reading
from ops.roles import ledger
from ops.settings import Settings, load
from schemas.feed import Alarm
from schemas.topics import ALARMS_NOW, catalogue
from schemas.wire import payload
from tests.waiting import until

SECONDS = 90.0
CONFIGURATION = """
data_dir = "data"
[kafka]
bootstrap_servers = "{servers}"
request_seconds = 5.0
[ledger]
judge_seconds = 0.5
niceness = 0
"""


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    """A broker of the test's own, which it may stop."""
    one = EmbeddedKafka(tmp_path / "broker", 1)
    try:
        await asyncio.to_thread(one.up)
        yield one
    finally:
        await asyncio.to_thread(one.down, 0)


async def raised(cluster: Cluster) -> list[str]:
    """The kinds of the alarms that were ever raised."""
    found: list[str] = []
    async for _, records in Reading(cluster, [ALARMS_NOW]).on():
        for one in records:
            told = payload(one.headers, one.value)
            assert isinstance(told, Alarm)
            found += [told.kind] if told.active else []
    return found


@pytest.mark.timeout(240)
async def test_an_outage_is_unknown_and_not_false(
    broker: EmbeddedKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metric says -1 within seconds, no alarm is raised, and the verdict is back with the broker."""
    file = tmp_path / "sztab.toml"
    file.write_text(CONFIGURATION.format(servers=broker.bootstrap_servers), encoding="utf-8")
    settings: Settings = load(file)
    cluster = Cluster(broker.bootstrap_servers)
    topics = wanted(catalogue(), cluster.prefix, 1, 1, {})
    await provision({"bootstrap_servers": cluster.bootstrap_servers}, topics, dry_run=False)
    metrics = Metrics()
    monkeypatch.setattr(ledger, "Metrics", lambda: metrics)

    def balanced() -> float | None:
        return metrics.registry.get_sample_value("sztab_ledger_balanced")

    role = asyncio.create_task(ledger.run(settings))
    try:
        await until(lambda: balanced() == 1, SECONDS, "the first verdict")
        await asyncio.to_thread(broker.down, 0)
        await until(lambda: balanced() == -1, SECONDS, "nobody to know")
        await asyncio.to_thread(broker.up)
        await until(lambda: balanced() == 1, SECONDS, "the verdict again")
        assert not role.done()
        word = settings.data_dir / "ledger" / "ledger.db"
        await until(lambda: overdue(word)["balanced"], SECONDS, "the verdict in the file")
        assert await raised(cluster) == []
    finally:
        role.cancel()
        await asyncio.gather(role, return_exceptions=True)

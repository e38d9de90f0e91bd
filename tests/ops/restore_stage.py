"""A node whose journal is lost and comes back from a backup, over a fake broker."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from connectors.contract import Accepted, Document, Settled
from connectors.cpr import CONNECTOR as CPR
from connectors.cpr.lab import CprLab
from connectors.cpr.settings import CprSettings
from connectors.identity import Identity
from connectors.journal import Journal
from connectors.keys import ThreadKeys
from connectors.runner import Runner
from ops import runtime
from ops.backup import back_up
from ops.settings import Settings
from schemas.delivery import Quarantined
from schemas.privacy import installation_key
from schemas.report import Report
from tests.connectors.broker_double import FakeBroker
from tests.waiting import until


def settings_in(folder: Path) -> Settings:
    """An installation on a data folder of the test's."""
    return Settings(connectors={}, data_dir=folder / "data")


LANE = "t.intake.emergency"
QUARANTINE = "t.quarantine"


@dataclass
class Intake:
    """An intake over a fake broker, on a data folder."""

    runner: Runner
    broker: FakeBroker

    async def post(self, body: bytes) -> Settled:
        """Hand one form in."""
        return await self.runner.accept("cpr", Document(body, "application/json"))

    def sent(self) -> list[str]:
        """Ids of the reports that went out."""
        reports = [one.message() for one in self.broker.of(LANE)]
        return [one.report_id for one in reports if isinstance(one, Report)]

    def aside(self) -> list[Quarantined]:
        """What went to quarantine."""
        items = [one.message() for one in self.broker.of(QUARANTINE)]
        return [one for one in items if isinstance(one, Quarantined)]


@asynccontextmanager
async def intake(settings: Settings, broker: FakeBroker) -> AsyncIterator[Intake]:
    """It runs for as long as the context."""
    runtime.prepare(settings)
    file, key = runtime.journal_file(settings), installation_key(runtime.key_file(settings))
    journal = Journal(file, key)
    await journal.start()
    keys = ThreadKeys(file, key)
    runner = Runner(
        node=settings.node,
        journal=journal,
        identity=Identity(key, settings.node, keys),
        make_producer=broker.producer,
        prefix="t.",
        registry=CollectorRegistry(),
    )
    runner.add(CPR, CprSettings(name="cpr"))
    await runner.start()
    try:
        yield Intake(runner, broker)
    finally:
        await runner.stop(0.1 if not broker.reachable else 1.0)
        keys.close()
        await journal.close()


@dataclass
class Disaster:
    """A node whose journal is lost: what went out before, what the backup does not know as published, what it lacks."""

    settings: Settings
    copy: Path
    published: Accepted
    waiting: list[Accepted]
    waiting_bodies: list[bytes]
    later: list[bytes]
    later_answers: list[Accepted]


async def disaster(tmp_path: Path) -> Disaster:
    """One report published, three that wait while the broker is away, a backup, two more; then the journal is gone."""
    settings, lab = settings_in(tmp_path), CprLab()
    bodies = [lab.form() for _ in range(6)]
    broker = FakeBroker()
    async with intake(settings, broker) as node:
        published = await yes(node, bodies[0])
        await until(lambda: node.runner.publisher.backlog == 0)
    broker.reachable = False
    async with intake(settings, broker) as node:
        waiting = await asyncio.gather(*(yes(node, body) for body in bodies[1:4]))
        await asyncio.to_thread(back_up, settings, tmp_path / "copy")
        later = await asyncio.gather(*(yes(node, body) for body in bodies[4:]))
    shutil.rmtree(settings.data_dir / "journal")
    return Disaster(settings, tmp_path / "copy", published, list(waiting), bodies[1:4], bodies[4:], list(later))


async def yes(node: Intake, body: bytes) -> Accepted:
    """Hand one form in that is answered with yes."""
    settled = await node.post(body)
    assert isinstance(settled, Accepted)
    return settled

"""An intake node without HTTP, over a broker double: for tests of runner and publisher."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from connectors.contract import Accepted, Connector, Document, Refused, SourceSettings, Told, Translation
from connectors.cpr import CONNECTOR as CPR
from connectors.cpr.settings import CprSettings
from connectors.crash_points import Hook
from connectors.identity import Identity
from connectors.journal import Journal
from connectors.journal_store import Limits
from connectors.keys import ThreadKeys
from connectors.runner import Runner
from schemas.report import Report, Telling
from tests.connectors.broker_double import FakeBroker

KEY = bytes(range(32))
LANE = "t.intake.emergency"


@dataclass
class Node:
    """An intake node without HTTP, over a fake broker."""

    runner: Runner
    journal: Journal
    broker: FakeBroker
    registry: CollectorRegistry

    async def post(self, body: bytes, source: str = "cpr") -> Accepted | Refused:
        """Hand one document in."""
        return await self.runner.accept(source, Document(body, "application/json"))

    def count(self, outcome: str, source: str = "cpr") -> float | None:
        """A figure of `sztab_documents_total`."""
        return self.registry.get_sample_value("sztab_documents_total", {"source": source, "outcome": outcome})


@asynccontextmanager
async def node(
    folder: Path,
    broker: FakeBroker,
    connector: Connector = CPR,
    limits: Limits | None = None,
    hook: Hook | None = None,
    *,
    answer_before_journal: bool = False,
    **settings,
) -> AsyncIterator[Node]:
    """A node that runs for as long as the context."""
    journal = Journal(folder / "journal.db", KEY, limits, hook=hook)
    await journal.start()
    keys = ThreadKeys(folder / "journal.db", KEY)
    registry = CollectorRegistry()
    runner = Runner(
        node="n1",
        journal=journal,
        identity=Identity(KEY, "n1", keys),
        make_producer=broker.producer,
        prefix="t.",
        registry=registry,
        back_off_seconds=(0.01,),
        hook=hook,
        answer_before_journal=answer_before_journal,
    )
    told = {"name": "cpr"} | settings
    runner.add(connector, CprSettings(**told) if connector is CPR else SourceSettings(**told))
    await runner.start()
    try:
        yield Node(runner, journal, broker, registry)
    finally:
        await runner.stop(1.0)
        keys.close()
        await journal.close()


def simple(translate: Callable[[Document], Translation]) -> Connector:
    """A connector that is only a translation."""
    return Connector("simple", "Simple", SourceSettings, "emergency", lambda _: translate, push=True, emits=(Report,))


def one_report(_: Document) -> Translation:
    """A translation that makes one empty report of anything."""
    return Translation((Told(Telling()),))

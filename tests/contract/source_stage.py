"""Where the contract suite plays: an intake node over a broker double, with one source of the connector under test."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import orjson
from prometheus_client import CollectorRegistry

from connectors.contract import Accepted, Connector, Document, Refused, SourceSettings
from connectors.feeds import Feed
from connectors.identity import Identity
from connectors.journal import Journal
from connectors.journal_store import Limits
from connectors.keys import ThreadKeys
from connectors.runner import Runner
from schemas.notice import SnapshotTaken
from schemas.report import Report
from tests.connectors.broker_double import FakeBroker, Kept

INSTALLATION = bytes(range(32))
PREFIX = "t."
NAME = "lab"


class PushLab(Protocol):
    """The far side of a push source: gives the bytes that it would POST."""

    content_type: str

    def documents(self, count: int) -> list[bytes]:
        """That many different documents that are understood."""

    def revisions(self, count: int) -> list[bytes]:
        """That many documents of one matter, each saying something new of it. Not asked where `order` is exempt."""

    def broken(self) -> bytes:
        """One that cannot be understood."""


@runtime_checkable
class PullLab(Protocol):
    """The far side of a source that we read or that connects to us. Its settings make the source quick."""

    async def start(self) -> None:
        """Begin; `settings` are asked for afterwards."""

    async def stop(self) -> None:
        """Give everything back. Also twice."""

    def settings(self, name: str, **changes: Any) -> Any:
        """The source's settings towards this lab."""

    async def tell(self, number: int) -> None:
        """Say one more thing that is understood; another number, another thing. May wait for the answer."""

    async def revise(self, number: int) -> None:
        """Say something new of one and the same matter; another number, another news. Not where `order` is exempt."""

    async def garble(self) -> None:
        """Say one thing that cannot be understood."""

    async def go_down(self) -> None:
        """Be unreachable."""

    async def come_back(self) -> None:
        """Be reachable again."""

    async def deny(self) -> None:
        """From now on our credentials are wrong."""


@dataclass
class Stage:
    """A running node and the far side."""

    runner: Runner
    journal: Journal
    broker: FakeBroker
    registry: CollectorRegistry
    lab: Any
    feed: Feed
    told: list[bytes] = field(default_factory=list)

    async def post(self, body: bytes) -> Accepted | Refused:
        """A push source's document, past the listener."""
        self.told.append(body)
        return await self.runner.accept(NAME, Document(body, getattr(self.lab, "content_type", None)))

    def events(self) -> list[Kept]:
        """What reached the intake's topics, in order."""
        return [one for one in self.broker.kept if one.topic.startswith(f"{PREFIX}intake.")]

    def ids(self) -> list[str]:
        """CloudEvents ids of the events."""
        return [one.header("id") or "" for one in self.events()]

    def rows_by_thread(self) -> dict[bytes, list[int]]:
        """Journal rows of the reports and snapshots of each thread, in the order of their arrival."""
        found: dict[bytes, list[int]] = {}
        for kept in self.events():
            message = kept.message()
            if isinstance(message, Report | SnapshotTaken) and message.document is not None:
                found.setdefault(kept.key, []).append(message.document.row)
        return found


def is_pull(connector: Connector) -> bool:
    """Whether the runner drives the source; otherwise its documents are handed in."""
    return connector.source is not None


def lab_settings(connector: Connector, lab: Any) -> SourceSettings:
    """The settings of the source towards the lab."""
    if hasattr(lab, "settings"):
        made: SourceSettings = lab.settings(NAME)
        return made
    plain: SourceSettings = connector.settings.model_validate({"name": NAME})  # type: ignore[assignment]
    return plain


@asynccontextmanager
async def staged(
    connector: Connector,
    folder: Path,
    lab: Any,
    broker: FakeBroker | None = None,
    node: str = "n1",
    limits: Limits | None = None,
) -> AsyncIterator[Stage]:
    """A node with this source, over the journal in `folder`, for as long as the context lasts."""
    journal = Journal(folder / "journal.db", INSTALLATION, limits)
    await journal.start()
    keys = ThreadKeys(folder / "journal.db", INSTALLATION)
    double, registry = broker or FakeBroker(), CollectorRegistry()
    runner = Runner(
        node=node,
        journal=journal,
        identity=Identity(INSTALLATION, node, keys),
        make_producer=double.producer,
        prefix=PREFIX,
        registry=registry,
        back_off_seconds=(0.02,),
    )
    runner.add(connector, lab_settings(connector, lab))
    await runner.start()
    try:
        yield Stage(runner, journal, double, registry, lab, runner.feeds[NAME])
    finally:
        await runner.stop(1.0)
        keys.close()
        await journal.close()


def words(body: bytes) -> Iterator[str]:
    """Texts of a document that no log may show: string values of JSON, or the whole of another short one."""
    try:
        waiting: list[Any] = [orjson.loads(body)]
    except orjson.JSONDecodeError:
        waiting = [body.decode(errors="replace")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and len(value) >= 8:
            yield value

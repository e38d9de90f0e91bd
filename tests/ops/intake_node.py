"""An intake role's web side over a fake broker: what `ops.roles.intake` composes, without Kafka."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client import CollectorRegistry

from connectors.commands import CONNECTOR as COMMANDS
from connectors.commands.settings import CommandsSettings
from connectors.contract import Document, Settled
from connectors.cpr import CONNECTOR as CPR
from connectors.cpr.settings import CprSettings
from connectors.desk import CONNECTOR as DESK
from connectors.desk.settings import DeskSettings
from connectors.identity import Identity
from connectors.journal import Journal
from connectors.journal_store import Limits
from connectors.keys import ThreadKeys
from connectors.kits.http import hashed
from connectors.runner import Runner
from ops.commands import CommandDesk, Outcomes
from ops.http import served
from ops.intake_app import Gate, IntakeApi, build_app
from ops.roles.intake import listener
from ops.settings_parts import Account
from tests.connectors.broker_double import FakeBroker

KEY = bytes(range(32))
TOKEN = "cpr-token"
OFFICER, OPERATOR, RECONCILER = "officer-token", "operator-token", "reconciler-token"
ACCOUNTS = (
    Account(name="post-1", token_sha256=hashed(OFFICER), roles=("officer",)),
    Account(name="watch", token_sha256=hashed(OPERATOR), roles=("operator",)),
)


@dataclass
class IntakeNode:
    """A served node and a client for it."""

    url: str
    client: aiohttp.ClientSession
    runner: Runner
    outcomes: Outcomes
    broker: FakeBroker


@asynccontextmanager
async def intake_node(
    folder: Path,
    broker: FakeBroker,
    accounts: tuple[Account, ...] = ACCOUNTS,
    limits: Limits | None = None,
    more: Sequence[CprSettings] = (),
) -> AsyncIterator[IntakeNode]:
    """A node with a call centre (token, 64 KiB), another one, a desk with a token, and the commands' source."""
    journal = Journal(folder / "journal.db", KEY, limits)
    await journal.start()
    keys = ThreadKeys(folder / "journal.db", KEY)
    runner = Runner(
        node="n1",
        journal=journal,
        identity=Identity(KEY, "n1", keys),
        make_producer=broker.producer,
        prefix="t.",
        registry=CollectorRegistry(),
    )
    runner.add(CPR, CprSettings(name="cpr", token_sha256=hashed(TOKEN), max_bytes=65_536))
    runner.add(CPR, CprSettings(name="other", token_sha256=hashed("another")))
    runner.add(DESK, DeskSettings(name="desk", token_sha256=hashed("desk-token")))
    runner.add(COMMANDS, CommandsSettings())
    for one in more:
        runner.add(CPR, one)
    await runner.start()

    async def accept(document: Document) -> Settled:
        return await runner.accept("commands", document)

    outcomes, gate = Outcomes(), Gate(accounts, hashed(RECONCILER))
    commands = CommandDesk(accept, runner.identity.command_id, outcomes)
    api = IntakeApi(commands, journal, gate, runner.holding, runner.publish_again)
    try:
        async with (
            served(build_app(listener(runner, gate), api), "127.0.0.1", 0) as url,
            aiohttp.ClientSession() as client,
        ):
            yield IntakeNode(url, client, runner, outcomes, broker)
    finally:
        await runner.stop(1.0)
        keys.close()
        await journal.close()

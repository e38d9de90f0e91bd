"""What each stage lost is named by the ledger, and mended by the reconciler: a whole installation on a real broker.

The losses are made by doubles in the stages' places: a broker that keeps a journal's records to itself, a route whose
delivery is dropped, a writer that drops a receipt. The software itself has no switch for them.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from connectors.contract import Accepted, Document
from connectors.cpr.lab import CprLab
from connectors.identity import Identity
from connectors.journal import Journal
from connectors.keys import ThreadKeys
from connectors.runner import Runner
from connectors.webhook.lab import WebhookLab
from connectors.webhook.sink import WebhookSink
from ops import kafka as clients
from ops import runtime
from ops.bookkeeping.showing import overdue, shown
from ops.bookkeeping.telling import MISSING
from ops.delivering.recipient import Recipient, Service
from ops.delivering.writer import KafkaWriter
from ops.ledger_cli import account
from ops.metrics import Metrics
from ops.provision import provision, wanted
from ops.reading import Reading
from ops.reconciler import Reconciler
from ops.reference import processors, references
from ops.roles import intake, ledger
from ops.roles.streams import Running
from ops.settings import Settings, load
from ops.trace import traced
from schemas.delivery import Outcome
from schemas.envelope import attribute
from schemas.feed import Alarm
from schemas.privacy import installation_key
from schemas.topics import ALARMS_NOW, RECEIPTS, catalogue
from schemas.wire import payload
from streams.contract import Outcome as Stepped
from streams.contract import Output, Processor, Record, State
from tests.connectors.broker_double import FakeBroker
from tests.waiting import until

SECONDS = 60.0
CONFIGURATION = """
data_dir = "data"
[kafka]
wide = 2
bootstrap_servers = "{servers}"
[installation]
prefix = "{prefix}"
[routing]
file = "routing.yaml"
[ledger]
judge_seconds = 0.5
niceness = 0
reconcile = {reconcile}
[[sources]]
connector = "cpr"
name = "cpr"
[[recipients]]
connector = "webhook"
name = "lab"
url = "https://lab.invalid/"
keys = ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="]
"""
ROUTING = """
version: 1
recipients: {lab: {title: Lab, modes: [real]}}
profiles: {all: {title: All, fields: [fact.fact_id, change.kind, report.report_id, summary.incident_id]}}
route: {name: everything, recipients: [lab], profile: all, deadline_seconds: 1}
"""


def configured(folder: Path, servers: str, prefix: str, *, reconcile: bool) -> Settings:
    """The settings; the recipient's sink is the test's own, its address here is asked by nobody."""
    file = folder / "sztab.toml"
    (folder / "routing.yaml").write_text(ROUTING, encoding="utf-8")
    told = {"servers": servers, "prefix": prefix, "reconcile": str(reconcile).lower()}
    file.write_text(CONFIGURATION.format(**told), encoding="utf-8")
    return load(file)


class LosingRoute:
    """Route that forgets to write a delivery, once, when it is told to."""

    def __init__(self, one: Processor) -> None:
        self.armed = False
        self.lost: list[str] = []
        self._step = one.step
        self.processor = replace(one, step=self.step)

    def step(self, state: State, record: Record) -> Stepped:
        """As it is, but for that delivery."""
        done = self._step(state, record)
        gone = [out for out in done.outputs if out.topic.startswith("outbox.")]
        if not self.armed or not gone:
            return done
        self.armed = False
        self.lost += [attribute(out.headers, "deliveryid") or "" for out in gone]
        return Stepped([out for out in done.outputs if out not in gone], done.puts, done.deletes)


class LosingWriter(KafkaWriter):
    """Drops the first receipt of one delivery."""

    def __init__(self, *told: Any) -> None:
        super().__init__(*told)
        self.lost: list[str] = []

    async def write(self, outputs: Sequence[Output]) -> None:
        """As it is, but for that receipt."""
        for out in outputs:
            if out.topic == RECEIPTS and not self.lost:
                self.lost.append((out.key or b"").decode())
                return
        await super().write(outputs)


async def unpublished(settings: Settings, body: bytes) -> str:
    """A document whose row says published, and whose record no broker has; the report's id."""
    runtime.prepare(settings)
    key = installation_key(runtime.key_file(settings))
    journal = Journal(runtime.journal_file(settings), key)
    keys = ThreadKeys(runtime.journal_file(settings), key)
    await journal.start()
    runner = Runner(
        node=settings.node,
        journal=journal,
        identity=Identity(key, settings.node, keys, settings.installation.mode),
        make_producer=FakeBroker().producer,
        prefix=settings.installation.prefix,
        registry=CollectorRegistry(),
    )
    for one in settings.sources:
        runner.add(one.connector, one.settings)
    await runner.start()
    try:
        settled = await runner.accept("cpr", Document(body, "application/json"))
        assert isinstance(settled, Accepted)
        return settled.report_ids[0]
    finally:
        await runner.stop()
        keys.close()
        await journal.close()


@asynccontextmanager
async def running(settings: Settings, far: WebhookLab) -> AsyncIterator[tuple[LosingRoute, LosingWriter]]:
    """Intake, processors and the recipient's service, all in this process."""
    cluster = clients.cluster(settings)
    writer = LosingWriter(cluster)
    service = Service(Recipient("lab", partial(WebhookSink, far.settings("lab"))), cluster, writer, "here.lab")
    found = {one.name + one.input: one for one in processors(references(settings)) if one.name != "watch"}
    route = LosingRoute(next(one for one in found.values() if one.name == "route"))
    chosen = [route.processor if one.name == "route" else one for one in found.values()]
    work: list[Any] = [intake.run(settings), service.run()]
    work += [Running(clients.shell_settings(settings, one), one, Metrics()).run() for one in chosen]
    try:
        async with tasks(work):
            yield route, writer
    finally:
        await writer.close()


@asynccontextmanager
async def tasks(work: Sequence[Any]) -> AsyncIterator[None]:
    """Run them while the context lasts; what one of them raised fails the test."""
    started = [asyncio.create_task(one) for one in work]
    try:
        yield
        for one in started:
            if one.done():
                one.result()
    finally:
        for one in started:
            one.cancel()
        await asyncio.gather(*started, return_exceptions=True)


async def post(settings: Settings, body: bytes) -> str:
    """Post an emergency call; the report's id."""
    url = f"{runtime.address(settings, 'intake')}/v1/sources/cpr/documents"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer,
    ):
        assert answer.status == 202
        reports: list[str] = (await answer.json())["reports"]
        return reports[0]


async def alarms(settings: Settings) -> dict[str, list[bool]]:
    """The alarms by kind, as they were raised and ended."""
    found: dict[str, list[bool]] = {}
    async for _, records in Reading(clients.cluster(settings), [ALARMS_NOW]).on():
        for one in records:
            told = payload(one.headers, one.value)
            assert isinstance(told, Alarm)
            found.setdefault(told.kind, []).append(told.active)
    return found


@pytest.fixture
async def far() -> AsyncIterator[WebhookLab]:
    """The recipient's own system."""
    one = WebhookLab()
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


async def ledger_alarm(settings: Settings) -> list[bool]:
    """How the alarm of a loss was raised and ended."""
    return (await alarms(settings)).get(MISSING, [])


@pytest.mark.timeout(240)
async def test_each_stage_is_mended(kafka: Any, prefix: str, tmp_path: Path, far: WebhookLab) -> None:
    """Without the reconciler three losses are named, and the alarm stands; with it everything is delivered under the
    ids it had, the alarm ends, and what was done stands in the ledger and in the trace.
    """
    settings = configured(tmp_path, kafka.bootstrap_servers, prefix, reconcile=False)
    topics = wanted(catalogue(["lab"]), prefix, 1, 2, {})
    await provision({"bootstrap_servers": kafka.bootstrap_servers}, topics, dry_run=False)
    lab, file = CprLab(), runtime.ledger_file(settings)
    never = await unpublished(settings, lab.form())

    def said() -> dict[str, Any]:
        return overdue(file) if file.exists() else {}

    async with running(settings, far) as (route, writer):
        await until(lambda: runtime.running(settings, "intake"), SECONDS, "the intake")
        await post(settings, lab.form())
        await until(lambda: writer.lost, SECONDS, "the lost receipt")
        route.armed = True
        elsewhere = {"locality": "Kalisz", "street": "Łódzka", "building": "1", "lat": 51.80, "lon": 18.20}
        await post(settings, lab.form(place=elsewhere, category="3", subcategory="3.1", description="Pożar stodoły"))
        await until(lambda: route.lost, SECONDS, "the lost delivery")
        named = {"in_facts": [never], "without_receipt": sorted([*writer.lost, *route.lost])}
        async with tasks([ledger.run(settings)]):

            def all_named() -> bool:
                return {what: sorted(ids) for what, ids in said().get("missing_ids", {}).items()} == named

            async def alarmed() -> bool:
                return (await ledger_alarm(settings))[-1:] == [True]

            await until(all_named, SECONDS, f"the ledger to name {named}")
            assert said()["balanced"] is False
            await until(alarmed, SECONDS, "the alarm")

        async def as_everything_says() -> bool:
            # A tick on its way makes the log move, and what is missing behind it counts as in flight so long.
            return set((await account(settings))["missing"]) == {"in_facts", "without_receipt"}

        await until(as_everything_says, SECONDS, "the reading of everything to say the same")
        mending = configured(tmp_path, kafka.bootstrap_servers, prefix, reconcile=True)
        async with tasks([ledger.run(mending, Reconciler(pauses_ms=(0, 20_000, 20_000, 20_000)))]):

            async def ended() -> bool:
                return (await ledger_alarm(settings))[-1:] == [False]

            await until(ended, SECONDS, "the end of the alarm")
            await until(lambda: said().get("balanced"), SECONDS, "the account to balance")
        whole = await account(settings, wait=20.0)
        assert (whole["balanced"], whole["in_flight"], whole["missing"]) == (True, 0, {})
    for one in (never, *named["without_receipt"]):
        told = shown(file, one, datetime.now(UTC))
        assert told is not None
        assert [act["outcome"] for act in told["acts"] if act["subject_id"] == one] == ["asked"], one
        states = {each["state"] for fact in told["facts"] for each in fact["deliveries"]}
        assert states <= {Outcome.DELIVERED.value, Outcome.SUPERSEDED.value}
        trace = await traced(settings, one)
        assert trace is not None
        assert [act["subject_id"] for act in trace["acts"]] == [one]
    assert {*route.lost, *writer.lost} <= set(far.kept)

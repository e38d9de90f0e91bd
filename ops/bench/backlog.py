"""`sztab bench backlog`: reports that wait in the intake topics, taken to the outboxes by one worker process.

The reports are made by the intake's own journal, translation and publisher while no processor runs; then one
`sztab run streams` is started, and its outputs are followed until every report has reached an outbox.
"""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from connectors.contract import Document
from connectors.cpr import CONNECTOR
from connectors.identity import Identity
from connectors.journal import Journal
from connectors.keys import ThreadKeys
from connectors.kits.kafka import kafka_producer
from connectors.runner import Runner
from ops import kafka, log, preparing, runtime
from ops.bench.load import form, source
from ops.bench.pipeline import Arrivals, configured, outbox_reader, receiving
from ops.bench.processes import cpu_seconds, rss_mb, tree
from ops.demo.stage import STOP_SECONDS
from ops.prove.cluster_io import Wanted, create
from ops.reading import Reading
from ops.settings import Settings, load
from schemas.errors import SztabError
from schemas.privacy import installation_key
from schemas.topics import COMMANDS, FACTS, INTAKE, LOG
from streams.clients import begin

AT_ONCE: Final = 500
FLOOR: Final = "floor"
ON_THE_WAY: Final = 1_000
LOOK_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 300.0


async def measure(folder: Path, reports: int, units: int) -> dict[str, Any]:
    """Fill, start one worker, follow. Rates are those from the worker's first output to the last of each stage."""
    config = folder / "sztab.toml"
    async with receiving() as receivers:
        config.write_text(configured(folder, receivers, units), "utf-8")
        settings = load(config)
        log.configure(settings.operation.model_copy(update={"log_level": "error"}), "bench", settings.node)
        runtime.prepare(settings)
        prepared = await preparing.prepare(settings)
        try:
            filled = await _filled(settings, reports, units)
            floor = await _floor(settings)
            return {"reports": reports, "units": units, **filled, **floor, **await _drained(settings, config, reports)}
        finally:
            await preparing.release(prepared, STOP_SECONDS)


async def _filled(settings: Settings, reports: int, units: int) -> dict[str, float]:
    """Put the reports into the intake topics, acknowledged."""
    began = time.monotonic()
    async with _runner(settings) as runner:
        dice = Random(1)
        for turn, first in enumerate(range(0, reports, AT_ONCE)):
            feed = runner.feeds[source(turn % units)]
            numbers = range(first, min(first + AT_ONCE, reports))
            documents = [Document(orjson.dumps(form("backlog", number, dice))) for number in numbers]
            for document, stored in zip(documents, await runner.append(feed, documents), strict=True):
                if isinstance(stored, SztabError):
                    raise stored
                await runner.settle(feed, document, stored, 0.0)
            await runner.publisher.calm(ON_THE_WAY)
        await runner.publisher.calm(0)
    return {"filled_per_second": round(reports / (time.monotonic() - began))}


async def _floor(settings: Settings) -> dict[str, float]:
    """The same bytes through a plain loop: read, written to one topic, acknowledged. Nothing else is done to them."""
    cluster, copied = kafka.cluster(settings), 0
    await create(cluster.bootstrap_servers, {cluster.prefix + FLOOR: Wanted(settings.kafka.wide)}, 1)
    producer = cluster.producer()
    await begin(producer)
    began = time.monotonic()
    try:
        async for _, records in Reading(cluster, [topic for topic in INTAKE if topic != COMMANDS]).on():
            sent = [
                await producer.send(cluster.prefix + FLOOR, one.value, one.key, headers=list(one.headers))
                for one in records
            ]
            await asyncio.gather(*sent)
            copied += len(records)
    finally:
        await producer.stop()
    return {"floor_per_second": round(copied / (time.monotonic() - began))}


@asynccontextmanager
async def _runner(settings: Settings) -> AsyncIterator[Runner]:
    """The intake's machinery over a journal of its own, without a listener."""
    cluster, installation = kafka.cluster(settings), installation_key(runtime.key_file(settings))
    file = runtime.journal_file(settings)
    async with AsyncExitStack() as stack:
        journal = Journal(file, installation)
        await journal.start()
        stack.push_async_callback(journal.close)
        keys = ThreadKeys(file, installation)
        stack.callback(keys.close)
        runner = Runner(
            node=settings.node,
            journal=journal,
            identity=Identity(installation, settings.node, keys, settings.installation.mode),
            make_producer=lambda: kafka_producer(cluster.bootstrap_servers, **cluster.security),
            prefix=cluster.prefix,
            registry=CollectorRegistry(),
        )
        for one in settings.sources:
            runner.add(CONNECTOR, one.settings)
        await runner.start()
        stack.push_async_callback(runner.stop)
        yield runner


async def _drained(settings: Settings, config: Path, reports: int) -> dict[str, Any]:
    """Start the worker and follow it until every report is in dispatch's outbox; the figures."""
    cluster, arrivals = kafka.cluster(settings), Arrivals()
    async with outbox_reader(cluster) as reader:
        following = asyncio.create_task(arrivals.follow(reader))
        with (config.parent / "streams.log").open("ab") as file:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ops", "--config", str(config), "run", "streams"), stdout=file, stderr=file
            )
        began = time.monotonic()
        try:
            stages = await _followed(settings, arrivals, reports, worker)
            used, held = cpu_seconds(tree(worker.pid)), rss_mb(worker.pid)
        finally:
            following.cancel()
            if worker.returncode is None:
                worker.send_signal(signal.SIGTERM)
            await worker.wait()
    first = stages.pop("first") - began
    lasted = {name: at - began - first for name, at in stages.items()}
    return {
        "arrived": len(arrivals.at),
        "first_output_seconds": round(first, 2),
        "seconds": round(lasted["outbox"], 2),
        "per_second": round(len(arrivals.at) / lasted["outbox"]),
        "stage_per_second": {name: round(reports / spent) for name, spent in lasted.items()},
        "cpu_seconds_per_1000": round(1000 * used / reports, 3),
        "rss_mb": held,
    }


async def _followed(
    settings: Settings, arrivals: Arrivals, reports: int, worker: asyncio.subprocess.Process
) -> dict[str, float]:
    """When the first output was there, and when each stage had put out something for every report."""
    cluster = kafka.cluster(settings)
    known = await cluster.partitions([LOG, FACTS])
    counted = {name: [TopicPartition(cluster.prefix + name, at) for at in known[name]] for name in known}
    reader, found = cluster.reader(), dict[str, float]()
    await begin(reader)
    end = time.monotonic() + PATIENCE_SECONDS
    try:
        while "outbox" not in found and worker.returncode is None and time.monotonic() < end:
            counts = {name: sum((await reader.end_offsets(parts)).values()) for name, parts in counted.items()}
            now = time.monotonic()
            if any(counts.values()):
                found.setdefault("first", now)
            for name, count in {**counts, "outbox": len(arrivals.at)}.items():
                if count >= reports:
                    found.setdefault(name, now)
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await reader.stop()
    found.setdefault("first", time.monotonic())
    found.setdefault("outbox", time.monotonic())
    return found

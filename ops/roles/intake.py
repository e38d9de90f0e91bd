"""`sztab run intake`: sources, journal, publisher, the HTTP intake and the commands API of one node."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from connectors.commands import CONNECTOR as COMMANDS
from connectors.commands.settings import CommandsSettings
from connectors.contract import Document, Settled
from connectors.crash_points import Hook
from connectors.identity import Identity
from connectors.journal import Journal
from connectors.journal_store import Limits
from connectors.keys import ThreadKeys
from connectors.kits.http import Listener, Pushed, check_reach, hashed
from connectors.replaying import Replaying
from connectors.runner import Runner, push_feeds
from ops import kafka, runtime
from ops.aside.api import QuarantineApi
from ops.aside.desk import Desk
from ops.aside.gauges import Gauges, keep
from ops.aside.jobs import Jobs
from ops.aside.reentry import Reentry
from ops.aside.topic import Shelved
from ops.commands import FOLLOWED, CommandDesk, Outcomes
from ops.health import Readiness
from ops.http import served
from ops.intake_app import Gate, IntakeApi, build_app
from ops.metrics import Metrics
from ops.operating import operating
from ops.reading import Cluster
from ops.settings import Settings
from ops.withdrawing import withdraw
from schemas.privacy import installation_key
from schemas.topics import FACTS
from streams.clients import begin
from streams.leaving import whereabouts

ROLE: Final = "intake"
FACTS_BACK_MS: Final = 600_000
"""Facts of so long ago are looked at again at start: somebody may still ask what a command became."""
PAUSE_SECONDS: Final = 1.0
JOBS_FOLDER: Final = "quarantine"
"""In the data folder: replays of many, with their progress."""
STOP_SHARE: Final = 0.5
"""Share of the time to stop that goes to publishing what is on its way; the rest waits in the journal."""

log = structlog.get_logger()


async def run(settings: Settings, hook: Hook | None = None, *, answer_before_journal: bool = False) -> None:
    """Take documents until cancelled. It is ready when the journal is open and has room, whether a broker is there.

    `hook` and `answer_before_journal` are the fault harness's (see `Runner`); nothing else passes them.
    """
    metrics, outcomes = Metrics(), Outcomes()
    async with AsyncExitStack() as stack:
        runner = await stack.enter_async_context(
            running(settings, metrics, hook, answer_before_journal=answer_before_journal)
        )
        desk = CommandDesk(_commands(runner), runner.identity.command_id, outcomes)
        gate = Gate(settings.accounts, hashed(runtime.reconciler_token(settings)))
        pushed = listener(runner, gate)
        check_reach(settings.intake.host, pushed.sources)
        following = asyncio.create_task(_follow(settings, outcomes), name="follow facts")
        stack.push_async_callback(_ended, following)
        leaving = asyncio.create_task(withdraw(lambda: kafka.cluster(settings), runner), name="feeds withdrawn")
        stack.push_async_callback(_ended, leaving)
        aside = await stack.enter_async_context(_quarantine(settings, runner, desk, gate, metrics))
        api = IntakeApi(desk, runner.journal, gate, runner.holding, runner.publish_again)
        app = build_app(pushed, api, aside.routes())
        url = await stack.enter_async_context(served(app, settings.intake.host, settings.intake.port))

        async def ready() -> Readiness:
            return _readiness(runner)

        await stack.enter_async_context(operating(settings, ROLE, metrics, ready, url))
        await runner.failed()


@asynccontextmanager
async def running(
    settings: Settings, metrics: Metrics, hook: Hook | None = None, *, answer_before_journal: bool = False
) -> AsyncIterator[Runner]:
    """A runner over this node's journal with every configured source, started; stopped within the time for it."""
    runtime.prepare(settings)
    key = installation_key(runtime.key_file(settings))
    journal = Journal(runtime.journal_file(settings), key, _limits(settings), hook=hook)
    await journal.start()
    keys = ThreadKeys(runtime.journal_file(settings), key)
    runner = Runner(
        node=settings.node,
        journal=journal,
        identity=Identity(key, settings.node, keys, settings.installation.mode),
        # Asked anew each time: an embedded broker may come back at another port.
        make_producer=lambda: kafka.cluster(settings).producer(),
        prefix=settings.installation.prefix,
        registry=metrics.registry,
        hook=hook,
        answer_before_journal=answer_before_journal,
    )
    try:
        for one in settings.sources:
            runner.add(one.connector, one.settings)
        runner.add(COMMANDS, CommandsSettings())
        await runner.start()
        yield runner
    finally:
        await runner.stop(settings.operation.stop_seconds * STOP_SHARE)
        keys.close()
        await journal.close()


@asynccontextmanager
async def _quarantine(
    settings: Settings, runner: Runner, commands: CommandDesk, gate: Gate, metrics: Metrics
) -> AsyncIterator[QuarantineApi]:
    """What was set aside, kept up to date for its age; unfinished replays of many go on."""

    def cluster() -> Cluster:
        return kafka.cluster(settings)

    shelved = Shelved(cluster)
    desk = Desk(shelved, Reentry(cluster, settings.node, Replaying(runner), commands))
    jobs = Jobs(desk, settings.data_dir / JOBS_FOLDER)
    looking = asyncio.create_task(keep(shelved, Gauges(metrics)), name="quarantine's age")
    try:
        await jobs.start()
        yield QuarantineApi(desk, jobs, gate)
    finally:
        await jobs.stop()
        await _ended(looking)


def _limits(settings: Settings) -> Limits:
    told = settings.journal
    return Limits(
        max_bytes=told.max_bytes,
        alarm=told.alarm_share,
        keep_seconds=told.keep_hours * 3600,
        keep_longest_seconds=told.keep_longest_days * 86_400,
    )


def _commands(runner: Runner) -> Callable[[Document], Awaitable[Settled]]:
    async def accept(document: Document) -> Settled:
        return await runner.accept(CommandsSettings().name, document)

    return accept


def listener(runner: Runner, gate: Gate) -> Listener:
    """The HTTP listener of the runner's push sources; officers may type at the desk with their account's token."""
    sources = {
        name: Pushed(
            name=name,
            token_sha256=feed.settings.token_sha256,
            max_bytes=feed.settings.max_bytes,
            content_types=feed.connector.content_types,
            connector=feed.connector.name,
        )
        for name, feed in push_feeds(runner.feeds).items()
        if feed.connector is not COMMANDS
    }
    return Listener(sources, runner.accept, runner.journal.document, runner.publisher.has, gate.officer_at_desk)


def _readiness(runner: Runner) -> Readiness:
    why = [] if runner.journal.fill < runner.journal.limits.ordinary else ["the journal has no room"]
    detail = {
        "journal_fill": round(runner.journal.fill, 4),
        "backlog_rows": runner.publisher.backlog,
        "broker": "reached" if runner.publisher.connected else "not reached",
    }
    return Readiness(not why, tuple(why), detail)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _follow(settings: Settings, outcomes: Outcomes) -> None:
    """Read facts and incidents as they come, for as long as the role runs; a broker that is away is waited for.

    So is the end of any other trouble: commands are taken without it, and are only answered later.
    """
    told = False
    while True:
        try:
            await _follow_once(settings, outcomes)
        except Exception as error:  # noqa: BLE001 - nobody awaits this task: what ended it would never be seen
            if not told:
                log.warning("facts_not_followed", error=whereabouts(error))
            told = True
        await asyncio.sleep(PAUSE_SECONDS)


async def _follow_once(settings: Settings, outcomes: Outcomes) -> None:
    cluster = kafka.cluster(settings)
    known = await cluster.partitions(FOLLOWED)
    places = {name: [TopicPartition(cluster.prefix + name, at) for at in known[name]] for name in known}
    everything = [place for some in places.values() for place in some]
    if not everything:
        return
    reader = cluster.reader()
    await begin(reader)
    try:
        reader.assign(everything)
        await reader.seek_to_beginning(*everything)
        since = int(time.time() * 1000) - FACTS_BACK_MS
        facts = places.get(FACTS, [])
        times = await reader.offsets_for_times(dict.fromkeys(facts, since)) if facts else {}
        ends = await reader.end_offsets(facts) if facts else {}
        for place in facts:
            found = times.get(place)
            reader.seek(place, found.offset if found else ends[place])
        async for record in reader:
            outcomes.take(record.topic.removeprefix(cluster.prefix), tuple(record.headers), record.value)
    finally:
        with suppress(KafkaError, OSError):
            await reader.stop()

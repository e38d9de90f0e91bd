"""tally: the derived figures on faust, the only module that imports it.

Two agents read `incident.facts` and `alarm.current` as raw bytes into plain tables keyed by figure, label and window;
once a second the figures that changed go to `figures.current`. What figures are, and why a record counts once though
it is read twice, is in `streams/figures.py`. Nothing here is the only copy of anything: killed or wrong, it disturbs
nobody, and `sztab tally rebuild` makes its figures anew.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from faust.transport.producer import ProducerBuffer
from mode.utils.queues import FlowControlEvent

from schemas.feed import Figure
from schemas.topics import ALARMS_NOW, FACTS, FIGURES, WIDE, catalogue, changelog, partitions
from schemas.wire import derived_id, record
from streams.emit import rfc3339
from streams.figures import Book, Counted, of_alarm, of_fact

NAME: Final = "tally"
TELL_SECONDS: Final = 1.0
UNKNOWN_ERROR: Final = 70
PENDING_SENDS: Final = 5_000
QUIET: Final = ("aiokafka", "faust", "mode")
"""Loggers that build a record for each message unless told otherwise."""

log: Final = structlog.get_logger("streams.tally")


@dataclass(frozen=True)
class TallySettings:
    """How the application runs here. `datadir` must belong to this process alone; `security` as aiokafka takes it."""

    bootstrap_servers: str
    datadir: Path
    prefix: str = "sztab."
    instance_id: str = "tally-1"
    wide: int = WIDE
    window_seconds: int = 600
    keep_days: int = 30
    session_seconds: float = 6.0
    security: Mapping[str, Any] = field(default_factory=dict)

    @property
    def app_id(self) -> str:
        """Name of the application and of its consumer group."""
        return f"{self.prefix}{NAME}"


def options(settings: TallySettings) -> dict[str, Any]:
    """Every setting, each stated although some are faust's own today."""
    return {
        "processing_guarantee": "at_least_once",
        "stream_wait_empty": False,
        "stream_buffer_maxsize": 4_096,
        "stream_recovery_delay": 2.0,
        "broker_commit_interval": 0.5,
        "broker_session_timeout": settings.session_seconds,
        "broker_heartbeat_interval": settings.session_seconds / 3,
        "broker_max_poll_interval": 1_000.0,
        "broker_check_crcs": True,
        "consumer_auto_offset_reset": "earliest",
        "consumer_group_instance_id": settings.instance_id,
        "producer_acks": -1,
        "producer_threaded": False,
        "producer_request_timeout": 30.0,
        "producer_linger": 0.005,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "topic_replication_factor": 3,
        "table_standby_replicas": 0,
        "store": "memory://",
        "datadir": str(settings.datadir),
        "web_enabled": False,
        "web_tables_enabled": False,
        "web_router_enabled": False,
        "web_stats_enabled": False,
        "web_graph_enabled": False,
        "web_metrics_enabled": False,
    }


class Flow(FlowControlEvent):
    """Lets records flow into the agents; empties their queues when it begins, not when it merely goes on.

    After a recovery faust 0.15.3 lets the inputs run, seeks, and only then resumes, although nothing was suspended;
    its own event empties the queues at that moment, and a record in between is never seen.
    """

    def resume(self) -> None:
        """Begin. Called again meanwhile, it changes nothing."""
        if not self.is_active():
            super().resume()


def create_app(settings: TallySettings, leave: Callable[[int], Any] = os._exit) -> faust.App:
    """The application; nothing is started. `leave` ends the process on an error nobody foresaw, before any ack."""
    ProducerBuffer.max_messages = PENDING_SENDS
    app = faust.App(
        settings.app_id,
        broker=[f"kafka://{server.strip()}" for server in settings.bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings.security),
        autodiscover=False,
        **options(settings),
    )
    app.flow_control = Flow()
    figures = _raw(app, settings.prefix + FIGURES)
    books = [
        _counting(app, settings, FACTS, lambda value: of_fact(value, settings.window_seconds), leave),
        _counting(app, settings, ALARMS_NOW, lambda value: of_alarm(value, settings.window_seconds), leave),
    ]

    async def tell() -> None:
        for book in books:
            for key, figure in book.figures():
                value, headers = _written(key, figure)
                await figures.send(key=key.encode(), value=value, headers=headers)

    app.timer(interval=TELL_SECONDS)(tell)
    return app


def _counting(
    app: faust.App,
    settings: TallySettings,
    source: str,
    counted: Callable[[bytes], Counted],
    leave: Callable[[int], Any],
) -> Book:
    """An agent that counts one topic into a table of its own, and the book over that table."""
    count = partitions(catalogue()[source], settings.wide)
    table = app.Table(
        source.replace(".", "-"), partitions=count, changelog_topic=_changelog(app, settings, source, count)
    )
    book = Book(table, settings.keep_days * 86_400.0)

    async def recovered() -> None:
        book.recovered()

    table.on_recover(recovered)

    async def count_them(stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                if event.value is not None:
                    book.count(event.message.offset, counted(event.value))
            except BaseException as bug:
                log.critical("tally_stopped_before_ack", error=type(bug).__name__)
                leave(UNKNOWN_ERROR)
                raise
            event.ack()

    app.agent(_raw(app, settings.prefix + source), name=f"tally-{source}")(count_them)
    return book


def _raw(app: faust.App, name: str) -> Any:
    """A topic of bytes: what cannot be decoded is our business, faust would ack it."""
    return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")


def _changelog(app: faust.App, settings: TallySettings, source: str, count: int) -> Any:
    """The changelog under its name in the catalogue, with faust's own options for one."""
    return app.topic(
        settings.prefix + changelog(NAME, source),
        key_serializer="json",
        value_serializer="json",
        partitions=count,
        compacting=True,
        acks=False,
        internal=True,
        maxsize=131_072,
    )


def _written(key: str, figure: Figure) -> tuple[bytes, list[tuple[str, bytes]]]:
    told = derived_id("figure", key, figure.count, str(figure.total_seconds))
    value, headers = record(figure, id=told, source=f"/sztab/{NAME}", time=rfc3339(figure.window_start))
    return value, list(headers)


def _credentials(security: Mapping[str, Any]) -> Any:
    """Credentials in faust's own form from aiokafka's security arguments; None on a plain cluster."""
    protocol = security.get("security_protocol", "PLAINTEXT")
    context = security.get("ssl_context")
    if protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=security.get("sasl_plain_username"),
            password=security.get("sasl_plain_password"),
            mechanism=security.get("sasl_mechanism"),
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


async def run(settings: TallySettings, ready: asyncio.Event | None = None) -> None:
    """Run the application on this loop until cancelled. An application that crashed raises what it died of."""
    import logging

    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    settings.datadir.mkdir(parents=True, exist_ok=True)
    app = create_app(settings)
    try:
        await app.start()
        if ready is not None:
            ready.set()
        await app.wait_until_stopped()
        if app.crash_reason is not None:
            raise app.crash_reason
    finally:
        await app.stop()

"""The topic catalogue, written once: provisioning, AsyncAPI, the retention table and contract tests come from it.

Names here are logical; an installation's prefix stands before them on the cluster. Writers and readers are processors,
roles and commands of `sztab`; `trace` is the page's, too. The intake writes into log and facts what it takes out of
quarantine: the same record, for the second time. Who only measures how far another has read, and who makes,
proves or measures an installation of its own, is none.
"""

from collections.abc import Iterable
from typing import Final

from schemas.audit import Audited
from schemas.command import Command, ReferenceActivated, Tick
from schemas.delivery import Delivery, DeliveryReceipted, Quarantined, QuarantineHandled, RoutingDecided
from schemas.feed import Alarm, FeedStatus, Figure
from schemas.incident import Fact, IncidentSummary
from schemas.ledger import LedgerTold, ReconcilerActed
from schemas.model import Message, Privacy
from schemas.notice import Notice, NoticeChanged, SnapshotTaken
from schemas.privacy import WrappedKey
from schemas.report import Report, ReportNormalised
from schemas.topic import DAY_MS, YEAR_MS
from schemas.topic import MAX_MESSAGE_BYTES as MAX_MESSAGE_BYTES
from schemas.topic import Retention as Retention
from schemas.topic import Topic as Topic
from schemas.topic import partitions as partitions
from schemas.topic import settings as settings
from schemas.unit import Observation, Unit

WIDE: Final = 12
"""Partitions of intake, log, facts and state in a city; a country sets 96 (`partitions.wide`)."""

EMERGENCY, POLICE, CIVIL, COMMANDS = (
    "intake.emergency",
    "intake.police",
    "intake.civil",
    "intake.commands",
)
INTAKE: Final = (EMERGENCY, POLICE, CIVIL, COMMANDS)
LOG, FACTS, DECISIONS = "territory.log", "incident.facts", "routing.decisions"
INCIDENTS_NOW, NOTICES_NOW, UNITS_NOW, ALARMS_NOW = (
    "incident.current",
    "notice.current",
    "unit.current",
    "alarm.current",
)
FEEDS, FIGURES, RECEIPTS, QUARANTINE, AUDIT, KEYS = (
    "feed.status",
    "figures.current",
    "delivery.receipts",
    "quarantine",
    "audit.log",
    "keys.current",
)
ACTS, LEDGER_NOW = "ledger.acts", "ledger.current"
LANES: Final = ("urgent", "routine")


_FLOW = Retention(
    7 * DAY_MS,
    DAY_MS,
    3 * YEAR_MS,
    "SPR Act art. 10(4): content of reports at most 3 years; as short as the purpose allows",
)
_HISTORY = Retention(
    90 * DAY_MS,
    7 * DAY_MS,
    3 * YEAR_MS,
    "SPR Act art. 10(4), Police Act art. 20(1f)-(1i): decision of the commander",
)
_LEDGER = Retention(
    365 * DAY_MS,
    90 * DAY_MS,
    5 * YEAR_MS,
    "DODO Act art. 21(3), 25(3): every recipient of a record is known while it may hold it",
)
_AUDIT = Retention(
    2 * YEAR_MS + DAY_MS,
    2 * YEAR_MS,
    None,
    "KRI § 20(4): 2 years where no special law says otherwise",
)
_FIGURES = Retention(30 * DAY_MS, DAY_MS, YEAR_MS, "no personal data; usefulness")


def _flow(name: str, payloads: tuple[type[Message], ...], writers: tuple[str, ...] = ("intake",)) -> Topic:
    key = "thread; of fed history the far system, whose rows keep their order" if Report in payloads else "thread"
    return Topic(
        name,
        key,
        payloads,
        WIDE,
        writers,
        ("normalise", "intake", "replay", "trace"),
        Privacy.PERSONAL,
        _FLOW,
        wide=True,
    )


def _now(
    name: str,
    key: str,
    payload: type[Message],
    writers: tuple[str, ...],
    readers: tuple[str, ...],
    privacy: Privacy = Privacy.OPERATIONAL,
) -> Topic:
    return Topic(name, key, (payload,), 3, writers, readers, privacy, compacted=True)


_FIXED: Final[tuple[Topic, ...]] = (
    _flow(EMERGENCY, (Report,)),
    _flow(POLICE, (Report,), ("intake", "feed")),
    _flow(CIVIL, (Report, SnapshotTaken)),
    _flow(COMMANDS, (Command,)),
    Topic(
        LOG,
        "responsible unit",
        (
            ReportNormalised,
            Command,
            NoticeChanged,
            Observation,
            ReferenceActivated,
            IncidentSummary,
            Tick,
        ),
        WIDE,
        ("normalise", "ticker", "incidents", "feed", "intake"),
        ("incidents", "intake", "replay", "trace"),
        Privacy.PERSONAL,
        _HISTORY,
        append_time=True,
        wide=True,
    ),
    Topic(
        FACTS,
        "responsible unit",
        (Fact,),
        WIDE,
        ("incidents", "intake"),
        ("route", "ledger", "console", "intake", "tally", "replay", "trace", "correlate"),
        Privacy.PERSONAL,
        _HISTORY,
        wide=True,
    ),
    Topic(
        DECISIONS,
        "fact",
        (RoutingDecided,),
        WIDE,
        ("route",),
        ("intake", "ledger", "replay", "trace"),
        Privacy.OPERATIONAL,
        _HISTORY,
        wide=True,
    ),
    _now(INCIDENTS_NOW, "incident", IncidentSummary, ("incidents",), ("console", "intake"), Privacy.SENSITIVE),
    _now(NOTICES_NOW, "notice", Notice, ("incidents",), ("console",), Privacy.PUBLIC),
    _now(UNITS_NOW, "unit", Unit, (), ()),  # nobody tells the states of units yet
    _now(ALARMS_NOW, "alarm", Alarm, ("watch", "deliver", "ledger", "intake"), ("console", "tally")),
    Topic(
        FEEDS,
        "feed, node",
        (FeedStatus, Tick),
        1,
        ("intake", "feed", "ticker"),
        ("watch", "console", "ledger"),
        Privacy.OPERATIONAL,
        compacted=True,
        append_time=True,
    ),
    Topic(
        FIGURES,
        "figure, label, window",
        (Figure,),
        3,
        ("tally",),
        ("console", "tally"),
        Privacy.OPERATIONAL,
        _FIGURES,
        compacted=True,
    ),
    Topic(
        RECEIPTS,
        "delivery",
        (DeliveryReceipted,),
        3,
        ("deliver",),
        ("deliver", "ledger", "trace"),
        Privacy.OPERATIONAL,
        _LEDGER,
    ),
    Topic(
        QUARANTINE,
        "document, report or delivery",
        (Quarantined, QuarantineHandled),
        3,
        ("intake", "feed", "normalise", "incidents", "route", "watch", "deliver"),
        ("quarantine", "intake", "ledger", "trace"),
        Privacy.PERSONAL,
        _HISTORY,
    ),
    Topic(
        AUDIT,
        "actor",
        (Audited,),
        3,
        ("deliver", "quarantine", "intake", "replay"),
        (),  # kept for whoever examines an installation; no part of ours reads it
        Privacy.OPERATIONAL,
        _AUDIT,
    ),
    Topic(
        ACTS,
        "what it was done for",
        (ReconcilerActed,),
        1,
        ("ledger",),
        ("ledger", "trace"),
        Privacy.OPERATIONAL,
        _HISTORY,
    ),
    _now(LEDGER_NOW, "ledger", LedgerTold, ("ledger",), ("console",)),
    _now(KEYS, "key id", WrappedKey, ("intake",), (), Privacy.PERSONAL),  # nobody opens a sealed value yet
)


def outbox(recipient: str, lane: str) -> str:
    """The topic of one recipient and lane (`urgent`, `routine`)."""
    return f"outbox.{recipient}.{lane}"


def changelog(processor: str, source: str) -> str:
    """The state topic of a processor and its input."""
    return f"state.{processor}.{source}"


PROCESSORS: Final[tuple[tuple[str, str], ...]] = (
    *(("normalise", topic) for topic in INTAKE),
    ("incidents", LOG),
    ("route", FACTS),
    ("watch", FEEDS),
)
"""Every processor of the core with its input: one consumer group and one state each."""
TALLY: Final[tuple[tuple[str, str], ...]] = (("tally", FACTS), ("tally", ALARMS_NOW))
"""What the derived figures are made of; their tables' changelogs are state topics, too, but not the shell's."""


def _outbox_topic(recipient: str, lane: str) -> Topic:
    return Topic(
        outbox(recipient, lane),
        "subject",
        (Delivery,),
        3,
        ("route", "replay"),
        (f"deliver:{recipient}", "replay", "trace"),
        Privacy.SENSITIVE,
        _FLOW,
    )


def _state_topic(processor: str, source: str, partitions: int, *, wide: bool) -> Topic:
    return Topic(
        changelog(processor, source),
        "state key",
        (),
        partitions,
        (processor,),
        (processor,),
        Privacy.PERSONAL,
        compacted=True,
        wide=wide,
        compaction_lag_ms=DAY_MS,
    )


def catalogue(recipients: Iterable[str] = ()) -> dict[str, Topic]:
    """Every topic of an installation with these recipients, by logical name.

    A state topic has its input's partitions.
    """
    topics = {topic.name: topic for topic in _FIXED}
    topics |= {
        topic.name: topic for topic in (_outbox_topic(who, lane) for who in sorted(recipients) for lane in LANES)
    }
    stateful = PROCESSORS + TALLY
    inputs = [topics[source] for _, source in stateful]
    states = (
        _state_topic(name, one.name, one.partitions, wide=one.wide)
        for (name, _), one in zip(stateful, inputs, strict=True)
    )
    return topics | {topic.name: topic for topic in states}

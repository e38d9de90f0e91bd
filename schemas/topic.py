"""What one topic is, and how it is configured on a cluster."""

from dataclasses import dataclass
from typing import Final

from schemas.model import Message, Privacy

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
YEAR_MS: Final = 365 * DAY_MS
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
IN_SYNC: Final = "min.insync.replicas"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long records stay, in ms; provisioning refuses a value outside. None as maximum: no upper bound by law."""

    default_ms: int
    minimum_ms: int
    maximum_ms: int | None
    base: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `writers` and `readers` are true now: empty where nobody is one yet.

    `wide` topics take the installation's number of partitions; `compacted` ones keep the last value of each key.
    """

    name: str
    key: str
    payloads: tuple[type[Message], ...]
    partitions: int
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    privacy: Privacy
    retention: Retention | None = None
    compacted: bool = False
    append_time: bool = False
    wide: bool = False
    max_message_bytes: int = MAX_MESSAGE_BYTES
    compaction_lag_ms: int = 0
    delete_retention_ms: int = DAY_MS


def partitions(topic: Topic, wide: int) -> int:
    """How many partitions the topic has where wide ones have `wide`."""
    return wide if topic.wide else topic.partitions


def settings(topic: Topic, replicas: int, retention_ms: int | None = None) -> dict[str, str]:
    """The topic's configuration where it has that many replicas."""
    chosen = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "max.message.bytes": str(topic.max_message_bytes),
        "message.timestamp.type": "LogAppendTime" if topic.append_time else "CreateTime",
        IN_SYNC: "2" if replicas >= 3 else "1",
        "unclean.leader.election.enable": "false",
    }
    if topic.compacted:
        chosen |= {
            "min.compaction.lag.ms": str(topic.compaction_lag_ms),
            "delete.retention.ms": str(topic.delete_retention_ms),
        }
    if topic.compacted and topic.retention:
        chosen["cleanup.policy"] = "compact,delete"
    if topic.retention:
        chosen["retention.ms"] = str(retention_ms or topic.retention.default_ms)
    return chosen

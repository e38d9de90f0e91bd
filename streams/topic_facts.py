"""Id and partitions of topics, asked from the cluster.

aiokafka 0.14 speaks Metadata only up to version 5, which knows no topic ids (KIP-516: version 10). The request is
spelt out here in version 12 with aiokafka's own protocol types; nothing private is touched. Kafka >= 3.0 answers it.
"""

from typing import Any, Final, NamedTuple

from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

NO_ID: Final = bytes(16)
UNKNOWN_TOPIC: Final = 3


class TopicFacts(NamedTuple):
    """What the shell must know of a topic: its id (16 bytes, new when the topic is made anew) and partitions."""

    topic_id: bytes
    partitions: int


class _TopicId(AbstractType[bytes]):  # type: ignore[misc]
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: Any) -> bytes:
        read: bytes = data.read(16)
        return read


_TEXT: Final = CompactString("utf-8")


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields)),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _TEXT),
                ("topic_id", _TopicId),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequest(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _TopicId), ("topic", _TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicsRequest(Request[_MetadataRequest]):  # type: ignore[misc]
    """Metadata of topics by name; creates none."""

    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataRequest]) -> _MetadataRequest:
        """The request on the wire."""
        create = operations = False
        return request_struct_class([(NO_ID, name, {}) for name in self._names], create, operations, {})


def topic_facts(response: Any) -> dict[str, TopicFacts]:
    """The topics that exist and whose partitions are all known. Others are left out (they may be just created)."""
    found = {}
    for error, name, topic_id, _internal, partitions, _operations, _tags in response.topics:
        if error == 0 and partitions:
            found[name] = TopicFacts(topic_id, len(partitions))
    return found

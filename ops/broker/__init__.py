"""The embedded broker: real Apache Kafka (KRaft) from its jars, one or three nodes on this machine."""

from ops.broker.embedded import EmbeddedKafka as EmbeddedKafka
from ops.broker.embedded import NodeStatus as NodeStatus

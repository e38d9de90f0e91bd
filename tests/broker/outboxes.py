"""Outboxes on a real broker: topics, deliveries written as route does, and what stands on the topics afterwards."""

from collections.abc import Iterable

from aiokafka import AIOKafkaProducer

from ops.provision import provision, wanted
from ops.reading import Cluster, Reading
from schemas.delivery import Delivery
from schemas.envelope import attribute
from schemas.topics import AUDIT, QUARANTINE, RECEIPTS, catalogue, outbox
from schemas.wire import record

TOPICS = (RECEIPTS, AUDIT, QUARANTINE, "alarm.current")


async def made(cluster: Cluster, recipients: Iterable[str]) -> None:
    """The topics that delivering needs."""
    names = tuple(recipients)
    needed = {*TOPICS, *(outbox(name, lane) for name in names for lane in ("urgent", "routine"))}
    topics = {name: topic for name, topic in catalogue(names).items() if name in needed}
    desired = wanted(topics, cluster.prefix, 1, 1, {})
    await provision({"bootstrap_servers": cluster.bootstrap_servers}, desired, dry_run=False)


async def put(cluster: Cluster, deliveries: Iterable[Delivery]) -> None:
    """Write the deliveries to their recipients' outboxes, in order, acknowledged."""
    producer: AIOKafkaProducer = cluster.producer()
    await producer.start()
    try:
        for one in deliveries:
            lane = "urgent" if one.urgency == "urgent" else "routine"
            value, headers = record(
                one, id=one.delivery_id, source="/sztab/route", extensions={"deliveryid": one.delivery_id}
            )
            topic = cluster.prefix + outbox(one.recipient, lane)
            await producer.send(topic, key=one.subject_id.encode(), value=value, headers=list(headers))
        await producer.flush()
    finally:
        await producer.stop()


async def told(cluster: Cluster, topic: str, name: str) -> list[str]:
    """The header `name` of every record of a topic."""
    found: list[str] = []
    async for _, records in Reading(cluster, [topic]).on():
        found += [attribute(one.headers, name) or "" for one in records]
    return found

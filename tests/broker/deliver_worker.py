"""A process that delivers to one recipient until it is killed: `python -m tests.broker.deliver_worker '<json>'`."""

import asyncio
import sys
from functools import partial

import orjson

from connectors.webhook.settings import WebhookSettings
from connectors.webhook.sink import WebhookSink
from ops.delivering.lane import Limits
from ops.delivering.recipient import Recipient, Service
from ops.delivering.writer import KafkaWriter
from ops.reading import Cluster


async def main(told: dict[str, str]) -> None:
    """Deliver for ever."""
    cluster = Cluster(told["servers"], told["prefix"])
    settings = WebhookSettings.model_validate(orjson.loads(told["settings"]))
    recipient = Recipient(settings.name, partial(WebhookSink, settings))
    await Service(recipient, cluster, KafkaWriter(cluster), "worker-1", Limits(tries=8)).run()


if __name__ == "__main__":
    asyncio.run(main(orjson.loads(sys.argv[1])))

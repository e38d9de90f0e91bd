"""Sets the clock of a territory whose time moves with fed records, when its last record has been normalised."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from aiokafka.errors import KafkaError

from ops.health import SeparateLags
from ops.reading import Cluster
from schemas.command import Tick
from schemas.topics import LOG
from schemas.wire import derived_id, record
from streams.clients import begin

LOOK_SECONDS: Final = 0.3


async def wind(
    cluster: Cluster, intake: str, unit: str, at: datetime, node: str, patience_seconds: float
) -> str | None:
    """Write a tick with the time `at` for the unit, after normalise has read everything in the topic `intake`.

    None when it is written; else why it is not: a tick that overtakes its records would make all of them late.
    Patience is counted from the last record that normalise committed.
    """
    lags = SeparateLags(cluster)
    try:
        left = await _drained(cluster, lags, intake, patience_seconds)
    except (KafkaError, OSError, TimeoutError) as error:
        return f"the cluster does not tell how far normalise is ({type(error).__name__})"
    finally:
        await lags.close()
    if left:
        return f"normalise stands still with {left} records before it; feed again when the streams role runs"
    tick, headers = record(
        Tick(unit=unit, at=at),
        id=derived_id("tick", node, unit, at.isoformat()),
        source=f"/sztab/{node}/feed",
        time=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        extensions={"unit": unit},
    )
    producer = cluster.producer()
    await begin(producer)
    try:
        await producer.send_and_wait(cluster.prefix + LOG, tick, unit.encode(), headers=list(headers))
    except (KafkaError, OSError, TimeoutError) as error:
        return f"the tick was not acknowledged ({type(error).__name__}); feed again"
    finally:
        await producer.stop()
    return None


async def _drained(cluster: Cluster, lags: SeparateLags, intake: str, patience_seconds: float) -> int:
    """Wait while normalise makes progress; how many records it has not committed at the end."""
    partitions = (await cluster.partitions((intake,)))[intake]
    topic, group = cluster.prefix + intake, f"{cluster.prefix}normalise.{intake}"
    left, since = -1, time.monotonic()
    while True:
        now = sum((await lags.of(group, topic, partitions)).values())
        if now != left:
            left, since = now, time.monotonic()
        if left == 0 or time.monotonic() - since > patience_seconds:
            return left
        await asyncio.sleep(LOOK_SECONDS)

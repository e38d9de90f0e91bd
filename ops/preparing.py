"""What must stand before roles start: a cluster that answers, and its topics."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import structlog

from ops.broker import EmbeddedKafka
from ops.broker.installed import embedded
from ops.provision_cli import provision_installation
from ops.provision_plan import Leave
from ops.settings import Settings

BROKER_SHARE: Final = 0.35
"""Share of the stop time that is the broker's, after the roles have ended."""

log: Final = structlog.get_logger("ops.preparing")


@dataclass(frozen=True, slots=True)
class Prepared:
    """The cluster to use. `broker` is our embedded one, None: not ours; `found` its nodes that ran already."""

    bootstrap_servers: str
    broker: EmbeddedKafka | None = None
    found: tuple[int, ...] = ()


async def prepare(settings: Settings) -> Prepared:
    """Bring up the embedded broker where no cluster is configured, and provision the topics.

    Misconfigured or Unavailable as those raise; a node that was started for it is stopped again, also when cancelled.
    """
    broker = None if settings.kafka.bootstrap_servers else embedded(settings)
    found = tuple(await asyncio.to_thread(broker.running)) if broker else ()
    try:
        if broker is not None:
            await _bring_up(broker)
            log.info("broker_ready", bootstrap_servers=broker.bootstrap_servers, found_running=found)
        actions = await asyncio.to_thread(provision_installation, settings, dry_run=False)
    except BaseException:
        await _stop(broker, found, settings.operation.stop_seconds * BROKER_SHARE)
        raise
    left = sum(isinstance(one, Leave) for one in actions)
    log.info("topics_provisioned", changes=len(actions) - left, left=left)
    return Prepared(broker.bootstrap_servers if broker else settings.kafka.bootstrap_servers, broker, found)


async def _bring_up(broker: EmbeddedKafka) -> None:
    starting = asyncio.create_task(asyncio.to_thread(broker.up))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        # Its thread goes on: only when that has ended is it known what must be stopped.
        await asyncio.gather(starting, return_exceptions=True)
        raise


async def release(prepared: Prepared | None, seconds: float) -> None:
    """Stop the nodes that we started; killed when they have not ended within this time. What ran before us stays."""
    if prepared is not None:
        await _stop(prepared.broker, prepared.found, seconds)


async def _stop(broker: EmbeddedKafka | None, found: Collection[int], seconds: float) -> None:
    ours = [number for number in broker.numbers if number not in found] if broker else []
    if broker and ours:
        stopped = await asyncio.to_thread(broker.down, seconds, ours)
        log.info("broker_stopped", nodes=stopped)

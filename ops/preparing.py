"""What must stand before roles start: a cluster that answers, and its topics."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from ops.broker import EmbeddedKafka
from ops.provision_cli import provision_installation
from ops.settings import Settings

BROKER_SHARE: Final = 0.35
"""Share of the stop time that is the broker's, after the roles have ended."""

log: Final = structlog.get_logger("ops.preparing")


@dataclass(frozen=True, slots=True)
class Prepared:
    """The cluster to use. `started` are the embedded nodes that we started and shall stop again; None: not ours."""

    bootstrap_servers: str
    started: EmbeddedKafka | None


async def prepare(settings: Settings) -> Prepared:
    """Bring up the embedded broker where no cluster is configured, and provision the topics.

    Misconfigured or Unavailable as those raise; a broker that was started for it is stopped again.
    """
    prepared = await _cluster(settings)
    try:
        actions = await asyncio.to_thread(provision_installation, settings, dry_run=False)
        log.info("topics_provisioned", changes=len(actions))
    except BaseException:
        await release(prepared, settings.operation.stop_seconds * BROKER_SHARE)
        raise
    return prepared


async def _cluster(settings: Settings) -> Prepared:
    if settings.kafka.bootstrap_servers:
        return Prepared(settings.kafka.bootstrap_servers, None)
    embedded = EmbeddedKafka(settings.data_dir / "broker", settings.kafka.nodes)
    found = await asyncio.to_thread(embedded.up)
    ours = len(found) < len(embedded.numbers)
    log.info("broker_ready", bootstrap_servers=embedded.bootstrap_servers, found_running=found)
    return Prepared(embedded.bootstrap_servers, embedded if ours else None)


async def release(prepared: Prepared | None, seconds: float) -> None:
    """Stop the embedded broker if we started it; killed when it has not ended within this time."""
    if prepared is not None and prepared.started is not None:
        await asyncio.to_thread(prepared.started.down, seconds)
        log.info("broker_stopped")

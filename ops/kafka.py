"""Kafka clients as the settings want them."""

from collections.abc import AsyncIterator, Collection, Iterable
from typing import Any

from aiokafka.helpers import create_ssl_context

from ops import runtime
from ops.reading import Cluster, Reading
from ops.settings import Settings
from schemas.topics import catalogue
from streams.contract import Processor
from streams.shell_settings import ShellSettings


def security(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of every aiokafka client: protocol, certificates, credentials. Empty on a plain cluster."""
    kafka = settings.kafka
    if kafka.security_protocol == "PLAINTEXT":
        return {}
    told: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        files = (kafka.ssl_ca_file, kafka.ssl_certificate_file, kafka.ssl_key_file)
        authority, certificate, key = (str(file) if file else None for file in files)
        told["ssl_context"] = create_ssl_context(cafile=authority, certfile=certificate, keyfile=key)
    if kafka.security_protocol.startswith("SASL"):
        told |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password.get_secret_value(),
        }
    return told


def cluster(settings: Settings) -> Cluster:
    """Where clients are made: consumers, producers, admin. Misconfigured when no broker was ever started here."""
    return Cluster(
        bootstrap_servers=runtime.bootstrap_servers(settings),
        prefix=settings.installation.prefix,
        security=security(settings),
        request_seconds=settings.kafka.request_seconds,
    )


def client_options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments of an admin client, for provisioning."""
    return {"bootstrap_servers": runtime.bootstrap_servers(settings), **security(settings)}


def recipients(settings: Settings) -> tuple[str, ...]:
    """Names of the recipients: each has its outbox topics."""
    return tuple(one.name for one in settings.recipients)


def shell_settings(settings: Settings, processor: Processor, worker: int = 1) -> ShellSettings:
    """How one shell runs here. The static id is node, worker and processor: a restart needs no rebalance."""
    topics = catalogue(recipients(settings))
    instance = f"{settings.node}.{worker}.{processor.name}"
    return ShellSettings(
        bootstrap_servers=runtime.bootstrap_servers(settings),
        prefix=settings.installation.prefix,
        instance_id=instance,
        member_file=settings.data_dir / "run" / f"{instance}.{processor.input}.member",
        session_seconds=settings.streams.session_seconds,
        heartbeat_seconds=settings.streams.session_seconds / 4,
        commit_seconds=settings.streams.commit_seconds,
        round_records=settings.streams.round_records,
        request_seconds=settings.kafka.request_seconds,
        output_bytes={name: topic.max_message_bytes for name, topic in topics.items()},
        security=security(settings),
    )


async def read_all(
    settings: Settings, topics: Iterable[str] | Collection[str], since_ms: int | None = None
) -> AsyncIterator[Any]:
    """Every record of the topics (logical names) up to their ends as they are now; no group, nothing committed."""
    async for _, records in Reading(cluster(settings), tuple(topics), since_ms).on():
        for record in records:
            yield record

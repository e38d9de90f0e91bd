"""Settings that are right one by one and wrong together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from connectors.commands.settings import CommandsSettings
from ops.mistakes import Mistake
from ops.settings_parts import is_loopback
from schemas.report import Mode
from schemas.topic import DAY_MS, MAX_MESSAGE_BYTES
from schemas.topics import catalogue
from streams.lifecycle import RECONCILER

if TYPE_CHECKING:
    from ops.settings import Instance, Settings

COMMANDS: Final = CommandsSettings.model_fields["name"].default
REAL_PREFIX: Final = "sztab."
ENVELOPE_BYTES: Final = 65_536
"""Room for what a report has beside its document's text."""
MAX_SOURCE_BYTES: Final = (MAX_MESSAGE_BYTES - ENVELOPE_BYTES) // 2
"""Largest document of a source: sealing and escaping may nearly double its text, and one topic record must hold it."""


def contradictions(settings: "Settings") -> list[Mistake]:
    """Every contradiction, in a fixed order; empty when there is none."""
    return [
        *_names(settings),
        *_exercise(settings),
        *_beyond_loopback(settings),
        *_limits(settings),
        *_replicas(settings),
        *_security(settings),
        *_retention(settings),
    ]


def _names(settings: "Settings") -> Iterator[Mistake]:
    lists: tuple[tuple[str, Sequence[Any]], ...] = (
        ("sources", settings.sources),
        ("recipients", settings.recipients),
        ("accounts", settings.accounts),
    )
    for field, instances in lists:
        counts = Counter(one.name for one in instances)
        for index, one in enumerate(instances):
            if counts[one.name] > 1:
                yield Mistake(f"{field}[{index}].name", f"{one.name} is given {counts[one.name]} times")
            if field == "sources" and one.name == COMMANDS:
                yield Mistake(f"{field}[{index}].name", f"{COMMANDS} is the name of a source that every node has")
            if field != "recipients" and RECONCILER in {one.name, _far_system(one)}:
                yield Mistake(f"{field}[{index}].name", f"{RECONCILER} is the name under which the ledger asks")


def _far_system(one: Any) -> str:
    return str(getattr(getattr(one, "settings", None), "far_system", ""))


def _exercise(settings: "Settings") -> Iterator[Mistake]:
    if settings.installation.mode is Mode.EXERCISE and settings.installation.prefix == REAL_PREFIX:
        yield Mistake("installation.prefix", f"an exercise needs a prefix of its own, not {REAL_PREFIX}")
    for index, one in enumerate(settings.sources):
        mode = getattr(one.settings, "mode", settings.installation.mode)
        allowed = (Mode.EXERCISE,) if settings.installation.mode is Mode.EXERCISE else (Mode.REAL, Mode.TEST)
        if mode not in allowed:
            yield Mistake(f"sources[{index}].mode", f"{mode} does not fit this installation", tuple(allowed))


def _beyond_loopback(settings: "Settings") -> Iterator[Mistake]:
    if not is_loopback(settings.intake.host):
        for index, one in enumerate(settings.sources):
            if one.connector.push and not getattr(one.settings, "token_sha256", ""):
                yield Mistake(
                    f"sources[{index}].token_sha256", f"must be given, because intake.host is {settings.intake.host}"
                )
    for field, host in (("intake.host", settings.intake.host), ("console.host", settings.console.host)):
        if not is_loopback(host) and not settings.accounts:
            yield Mistake(
                field, f"{host} is beyond loopback, and no accounts are given", ("127.0.0.1", "::1", "localhost")
            )


def _limits(settings: "Settings") -> Iterator[Mistake]:
    for index, one in enumerate(settings.sources):
        if getattr(one.settings, "max_bytes", 0) > MAX_SOURCE_BYTES:
            yield Mistake(f"sources[{index}].max_bytes", f"more than a topic's record can hold ({MAX_SOURCE_BYTES})")


def _replicas(settings: "Settings") -> Iterator[Mistake]:
    kafka = settings.kafka
    if kafka.replicas is not None and not kafka.bootstrap_servers and kafka.replicas > kafka.nodes:
        allowed = tuple(str(count) for count in range(1, kafka.nodes + 1))
        yield Mistake(
            "kafka.replicas", f"more than the embedded broker has nodes (kafka.nodes: {kafka.nodes})", allowed
        )


def _security(settings: "Settings") -> Iterator[Mistake]:
    kafka = settings.kafka
    if kafka.security_protocol != "PLAINTEXT" and not kafka.bootstrap_servers:
        yield Mistake(
            "kafka.security_protocol", "the embedded broker speaks PLAINTEXT on loopback only", ("PLAINTEXT",)
        )
    if kafka.security_protocol.startswith("SASL"):
        if not kafka.sasl_username:
            yield Mistake("kafka.sasl_username", f"must be given with {kafka.security_protocol}")
        if not kafka.sasl_password.get_secret_value():
            yield Mistake("kafka.sasl_password", f"must be given with {kafka.security_protocol}")
    if (kafka.ssl_certificate_file is None) != (kafka.ssl_key_file is None):
        yield Mistake("kafka.ssl_key_file", "certificate and key are given together or not at all")


def _retention(settings: "Settings") -> Iterator[Mistake]:
    topics = catalogue(one.name for one in settings.recipients)
    for name, days in settings.kafka.retention_days.items():
        path = f"kafka.retention_days.{name}"
        topic = topics.get(name)
        if topic is None or topic.retention is None:
            kept = sorted(one.name for one in topics.values() if one.retention)
            yield Mistake(path, "no topic with a retention", tuple(kept))
            continue
        least, most = topic.retention.minimum_ms / DAY_MS, topic.retention.maximum_ms
        if days < least or (most is not None and days > most / DAY_MS):
            upper = f"{most / DAY_MS:g}" if most is not None else "without limit"
            yield Mistake(
                path, f"{days:g} days is outside the limits: {topic.retention.base}", (f"{least:g} to {upper}",)
            )


def loopback_only(settings: "Settings") -> list[str]:
    """What is bound to loopback for want of credentials, one sentence each; said at start and by `sztab check`."""
    said: list[str] = []
    if not settings.accounts:
        said.append(
            "no [[accounts]]: commands API and console answer on loopback only, and everybody there may use them"
        )
    open_sources: list[Instance] = [
        one for one in settings.sources if one.connector.push and not getattr(one.settings, "token_sha256", "")
    ]
    said += [f"source {one.name} has no token_sha256: it is heard on loopback only" for one in open_sources]
    return said

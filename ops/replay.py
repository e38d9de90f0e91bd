"""History again: a window of topics copied for test consumers, or deliveries once more to recipients who agreed.

Copies keep partition, order, key, value and headers, and carry the first append time in the header `firstappended`, by
which a territory's clock goes: the same log gives the same facts, whenever it is stepped. Nothing is ever copied to
where an installation works. Deliveries go again under their own ids, in the routine lane, behind nothing that is new.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from ops.provision import provision, wanted
from ops.reading import STALL_SECONDS, Cluster
from schemas.delivery import Delivery
from schemas.envelope import Headers, legible
from schemas.errors import Code, Denied, Rejected, Unavailable
from schemas.topics import DECISIONS, FACTS, INTAKE, LANES, LOG, catalogue, outbox
from schemas.wire import payload
from streams.clients import begin
from streams.profiles import project
from streams.routing import Routing

COPIED: Final = (*INTAKE, LOG, FACTS, DECISIONS)
"""What may be copied: the flow itself. Never keys, audit, states, or what a recipient was told."""
REAL_PREFIX: Final = "sztab."
FIRST: Final = "ce_firstappended"
LANE: Final = LANES[1]
"""Deliveries go again behind everything urgent."""
CHUNK: Final = 500

Takes = Callable[[Any], tuple[str, Headers] | None]
"""Where a record goes and with which headers; None: nowhere."""


@dataclass(frozen=True)
class Span:
    """From when to when, in ms; `until_ms` itself is outside."""

    since_ms: int
    until_ms: int


@dataclass
class Told:
    """What was read and what went out, by topic; `left` counts what did not, by reason."""

    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)


def check_target(prefix: str, into: str) -> None:
    """Rejected(`field-invalid`) unless the prefix is one of its own, with its dot, and nobody's installation."""
    if not into.endswith(".") or len(into) < 2:
        raise Rejected(Code.FIELD_INVALID, "a prefix ends with a dot: test.", "/into")
    for taken in (prefix, REAL_PREFIX):
        if into.startswith(taken) or taken.startswith(into):
            raise Rejected(Code.FIELD_INVALID, f"{taken} is where an installation works; take another", "/into")


def check_topics(topics: Sequence[str]) -> None:
    """Rejected(`field-invalid`) for a topic whose records are not copied."""
    for name in topics:
        if name not in COPIED:
            raise Rejected(Code.FIELD_INVALID, f"{name[:64]} is not copied; one of: {', '.join(COPIED)}", "/topics")


def check_consent(recipients: Mapping[str, Any], names: Sequence[str]) -> None:
    """Denied(`forbidden`) unless each of them is configured and says `replay = true`."""
    for name in names:
        if name not in recipients:
            raise Rejected(Code.FIELD_INVALID, f"no recipient is called {name[:64]}", "/recipients")
        if not recipients[name].replay:
            raise Denied(Code.FORBIDDEN, f"{name} has not agreed to history: its settings do not say replay = true")


async def copied(
    cluster: Cluster, client: Mapping[str, Any], topics: Sequence[str], span: Span, into: str, *, dry_run: bool
) -> Told:
    """Copy a window of topics into those of another prefix, which are made and must be empty.

    Rejected(`state-forbids`) when one of them holds something: half a history on top of another is none.
    """
    check_target(cluster.prefix, into)
    check_topics(topics)
    known = await cluster.partitions(topics)
    target = Cluster(cluster.bootstrap_servers, into, cluster.security, cluster.request_seconds)
    await _empty(target, topics)
    if not dry_run:
        await _made(client, known, into)

    def takes(one: Any) -> tuple[str, Headers]:
        first = next((raw for name, raw in one.headers if name == FIRST and raw), str(one.timestamp).encode())
        kept = tuple((name, raw) for name, raw in one.headers if name != FIRST and raw is not None)
        return one.topic.removeprefix(cluster.prefix), (*kept, (FIRST, first))

    told = Told()
    await _sent(cluster, target, known, span, takes, told, dry_run=dry_run, same_partition=True)
    return told


async def delivered(
    cluster: Cluster,
    recipients: Mapping[str, Any],
    names: Sequence[str],
    span: Span,
    routing: Routing,
    *,
    dry_run: bool,
) -> Told:
    """Put the deliveries of a window into the recipients' outboxes again; who has a newer one gets it as superseded.

    A delivery whose fields today's profile would not let through stays: consent to history widens no profile.
    """
    check_consent(recipients, names)
    known = await cluster.partitions([outbox(name, lane) for name in names for lane in LANES])
    told = Told()

    def takes(one: Any) -> tuple[str, Headers] | None:
        if legible(one.headers, "firstappended") is not None:
            told.left["replayed before"] += 1
            return None
        why, recipient = _may_go(one, routing)
        if why:
            told.left[why] += 1
            return None
        kept = tuple((name, raw) for name, raw in one.headers if raw is not None)
        return outbox(recipient, LANE), (*kept, (FIRST, str(one.timestamp).encode()))

    await _sent(cluster, cluster, known, span, takes, told, dry_run=dry_run, same_partition=False)
    return told


def _may_go(one: Any, routing: Routing) -> tuple[str, str]:
    """Why a delivery may not go again, empty when it may; and whose it is."""
    try:
        delivery = payload(one.headers, one.value)
    except Rejected:
        return "no delivery", ""
    if not isinstance(delivery, Delivery):
        return "no delivery", ""
    profile = routing.profiles.get(delivery.profile)
    if delivery.recipient not in routing.recipients or profile is None:
        return "no longer routed", ""
    if project(profile.tree, delivery.body) != delivery.body:
        return "not permitted by today's profile", ""
    return "", delivery.recipient


async def _empty(target: Cluster, topics: Sequence[str]) -> None:
    there = await target.partitions(topics)
    parts = [TopicPartition(target.prefix + name, at) for name in there for at in there[name]]
    if not parts:
        return
    reader = target.reader()
    try:
        await begin(reader)
        ends = await reader.end_offsets(parts)
    except (KafkaError, OSError) as error:
        raise _away(error) from None
    finally:
        await reader.stop()
    full = sorted({part.topic for part, end in ends.items() if end})
    if full:
        raise Rejected(Code.STATE_FORBIDS, f"{', '.join(full)} hold something already; take a fresh prefix", "/into")


async def _made(client: Mapping[str, Any], known: Mapping[str, tuple[int, ...]], into: str) -> None:
    """The target's topics with the partitions of the originals, as the catalogue wants them."""
    topics = catalogue()
    for name, parts in known.items():
        await provision(client, wanted({name: topics[name]}, into, 1, len(parts), {}), dry_run=False)


async def _sent(
    source: Cluster,
    target: Cluster,
    known: Mapping[str, tuple[int, ...]],
    span: Span,
    takes: Takes,
    told: Told,
    *,
    dry_run: bool,
    same_partition: bool,
) -> None:
    """Read the window and write what it gives, in the order of each partition."""
    reader, producer = source.reader(), target.producer()
    try:
        await begin(reader)
        if not dry_run:
            await begin(producer)
        waiting: list[Any] = []
        async for topic, one in _window(source, reader, known, span):
            told.read[topic] += 1
            taken = takes(one)
            if taken is None:
                continue
            name, headers = taken
            told.written[name] += 1
            if dry_run:
                continue
            place = one.partition if same_partition else None
            stamp = one.timestamp if same_partition else None
            waiting.append(
                await producer.send(
                    target.prefix + name,
                    one.value,
                    one.key,
                    partition=place,
                    timestamp_ms=stamp,
                    headers=list(headers),
                )
            )
            if len(waiting) >= CHUNK:
                await _acknowledged(waiting)
        await _acknowledged(waiting)
    except (KafkaError, OSError) as error:
        raise _away(error) from None
    finally:
        await reader.stop()
        await producer.stop()


async def _acknowledged(waiting: list[Any]) -> None:
    for one in waiting:
        await one
    waiting.clear()


async def _window(
    cluster: Cluster, reader: AIOKafkaConsumer, known: Mapping[str, tuple[int, ...]], span: Span
) -> AsyncIterator[tuple[str, Any]]:
    """The records of the window, partition by partition in offset order, up to where they end now.

    By offsets of the two times; a record in between that is stamped outside is left out.
    """
    parts = [(name, TopicPartition(cluster.prefix + name, one)) for name in known for one in known[name]]
    ends = await reader.end_offsets([part for _, part in parts]) if parts else {}
    for name, part in parts:
        first = (await reader.offsets_for_times({part: span.since_ms}))[part]
        if first is None or first.offset >= ends[part]:
            continue
        reader.assign([part])
        reader.seek(part, first.offset)
        news = time.monotonic()
        while await reader.position(part) < ends[part]:
            for records in (await reader.getmany(part, timeout_ms=200, max_records=CHUNK)).values():
                news = time.monotonic()
                for one in records:
                    if one.offset < ends[part] and span.since_ms <= one.timestamp < span.until_ms:
                        yield name, one
            if time.monotonic() - news > STALL_SECONDS:
                raise Unavailable(Code.BROKER_UNAVAILABLE, "a topic could not be read to its end")


def _away(error: BaseException) -> Unavailable:
    return Unavailable(Code.BROKER_UNAVAILABLE, f"no broker takes part in it ({type(error).__name__})")

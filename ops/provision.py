"""Topics on a cluster as the catalogue wants them: looked at, planned, applied; twice changes nothing.

    desired = wanted(catalogue(recipients), prefix="sztab.", replicas=3, wide=12, retention_ms={})
    actions = await provision(client_options, desired, dry_run=False)

Called by `sztab provision` and before the roles of `sztab run all` start.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from ops.provision_plan import Action, Alter, Create, Found, Grow, Wanted, plan
from ops.provision_plan import wanted as wanted
from schemas.errors import Code, Unavailable
from schemas.topic import IN_SYNC
from streams.clients import begin

TOPIC_SOURCE: Final = 1  # config_source DYNAMIC_TOPIC_CONFIG: set on the topic itself, not a default
LEADERS_SECONDS: Final = 30.0


async def provision(client: Mapping[str, Any], desired: Sequence[Wanted], *, dry_run: bool) -> list[Action]:
    """Bring the cluster to what is desired and answer the plan; with `dry_run` only the plan.

    `client` are options for aiokafka's clients, `bootstrap_servers` among them. Raises Misconfigured as `plan` does,
    before anything was changed, and Unavailable as `plan` does, or if the cluster does not answer or refuses a change.
    """
    admin = AIOKafkaAdminClient(**client)
    try:
        await begin(admin)
        actions = plan(desired, await _found(admin, client, desired), await _alive(admin))
        if not dry_run:
            await _apply(admin, actions)
            await _wait_leaders(admin, desired)
    except (KafkaError, OSError) as failure:
        detail = f"topics could not be provisioned: {type(failure).__name__}: {failure}"
        raise Unavailable(Code.BROKER_UNAVAILABLE, detail) from failure
    else:
        return actions
    finally:
        await admin.close()


async def nodes(client: Mapping[str, Any]) -> int:
    """How many brokers of the cluster live now; Unavailable if it does not answer."""
    admin = AIOKafkaAdminClient(**client)
    try:
        await begin(admin)
        return await _alive(admin)
    except (KafkaError, OSError) as failure:
        raise Unavailable(
            Code.BROKER_UNAVAILABLE, f"the cluster does not answer: {type(failure).__name__}"
        ) from failure
    finally:
        await admin.close()


async def _alive(admin: AIOKafkaAdminClient) -> int:
    return len((await admin.describe_cluster())["brokers"])


async def _found(admin: AIOKafkaAdminClient, client: Mapping[str, Any], desired: Sequence[Wanted]) -> dict[str, Found]:
    """Those of the desired topics that exist, as they are."""
    there = set(await admin.list_topics())
    names = [one.name for one in desired if one.name in there]
    if not names:
        return {}
    told = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics(names)}
    settled = await _settings(admin, names)
    growing = [
        one.name for one in desired if one.name in told and one.keyed_state and len(told[one.name]) < one.partitions
    ]
    filled = await _filled(client, {name: len(told[name]) for name in growing})
    return {
        name: Found(len(parts), min(len(part["replicas"]) for part in parts), settled[name], name in filled)
        for name, parts in told.items()
    }


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, str]] = {}
    for answer in answers:
        for code, message, _kind, name, entries in answer.resources:
            if code:
                raise for_code(code)(f"{name}: {message}")
            # The least in sync counts wherever it comes from: a plan must not go below the brokers' default either.
            found[name] = {entry[0]: entry[1] for entry in entries if entry[3] == TOPIC_SOURCE or entry[0] == IN_SYNC}
    return found


async def _filled(client: Mapping[str, Any], counts: Mapping[str, int]) -> set[str]:
    """Those of the topics that hold or have held a record."""
    if not counts:
        return set()
    asked = [TopicPartition(name, number) for name, count in counts.items() for number in range(count)]
    async with AIOKafkaConsumer(**client) as consumer:
        return {partition.topic for partition, end in (await consumer.end_offsets(asked)).items() if end > 0}


async def _apply(admin: AIOKafkaAdminClient, actions: Sequence[Action]) -> None:
    created = [one.wanted for one in actions if isinstance(one, Create)]
    if created:
        topics = [NewTopic(one.name, one.partitions, one.replicas, topic_configs=dict(one.settings)) for one in created]
        for name, code, *message in (await admin.create_topics(topics)).topic_errors:
            # Another node provisioned at the same time: the next call compares what it made.
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise for_code(code)(f"{name}: {message}")
    grown = {one.name: NewPartitions(one.after) for one in actions if isinstance(one, Grow)}
    if grown:
        await admin.create_partitions(grown)
    altered = [
        ConfigResource(ConfigResourceType.TOPIC, one.name, dict(one.settings))
        for one in actions
        if isinstance(one, Alter)
    ]
    if altered:
        for answer in await admin.alter_configs(altered):
            for code, message, _kind, name in answer.resources:
                if code:
                    raise for_code(code)(f"{name}: {message}")


async def _wait_leaders(admin: AIOKafkaAdminClient, desired: Sequence[Wanted]) -> None:
    """Wait until each partition has a leader, so that whoever comes next may write at once."""
    end = time.monotonic() + LEADERS_SECONDS
    names = [one.name for one in desired]
    while True:
        told = await admin.describe_topics(names)
        late = [
            topic["topic"]
            for topic in told
            if topic["error_code"] or not topic["partitions"] or any(part["leader"] < 0 for part in topic["partitions"])
        ]
        if not late:
            return
        if time.monotonic() > end:
            detail = f"topics without a leader after {LEADERS_SECONDS:g} s: {', '.join(late)}"
            raise Unavailable(Code.BROKER_UNAVAILABLE, detail)
        await asyncio.sleep(0.05)

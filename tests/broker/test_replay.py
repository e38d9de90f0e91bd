"""History again on a real broker: for test consumers as it was, for recipients under the same ids, never elsewhere."""

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from ops.invocation import Invocation
from ops.provision import provision, wanted
from ops.reading import Cluster, Reading
from ops.reference import references
from ops.replay import Span, copied, delivered
from ops.replay_cli import replay as command
from ops.settings import Settings
from ops.settings_parts import InstallationPart, KafkaPart
from schemas.errors import Denied, Rejected
from schemas.topics import FACTS, LOG, catalogue, outbox
from schemas.wire import record
from streams.contract import Output
from tests.broker.test_ledger_read import fact, write
from tests.contract.sink_suite import delivery
from tests.waiting import until

WHO = "dispatch"
EVER = Span(0, 2**53)
TAKER: Any = SimpleNamespace()
ROUTING = replace(references(Settings(connectors={})).route.routing, recipients={WHO: TAKER})
PROFILE = next(iter(ROUTING.profiles))
AGREED = {WHO: SimpleNamespace(replay=True), "fire": SimpleNamespace(replay=False)}


@pytest.fixture
async def here(kafka: Any, prefix: str) -> Cluster:
    """Topics with two partitions."""
    desired = wanted(catalogue([WHO, "fire"]), prefix, 1, 2, {})
    await provision({"bootstrap_servers": kafka.bootstrap_servers}, desired, dry_run=False)
    return Cluster(kafka.bootstrap_servers, prefix)


async def records(cluster: Cluster, topic: str) -> list[Any]:
    """Everything in a topic, by partition and offset."""
    found = [one async for _, some in Reading(cluster, [topic]).on() for one in some]
    return sorted(found, key=lambda one: (one.partition, one.offset))


def sent(number: int, lane: str, body: dict[str, Any], **more: Any) -> Output:
    """A delivery in an outbox."""
    one = delivery(number).model_copy(update={"recipient": WHO, "profile": PROFILE, "body": body, **more})
    value, headers = record(one, id=one.delivery_id, source="/x", extensions={"deliveryid": one.delivery_id})
    return Output(outbox(WHO, lane), one.subject_id.encode(), value, headers)


async def test_a_window_is_copied_as_it_was(here: Cluster) -> None:
    """Partition, order, key, value and headers; the first append time stands in a header; a dry run writes nothing."""
    client = {"bootstrap_servers": here.bootstrap_servers}
    outputs = [fact(f"report-{number}")._replace(key=b"unit-%d" % (number % 3)) for number in range(9)]
    await write(here, [one._replace(topic=LOG) for one in outputs[:7]])
    async with here.producer() as producer:  # as the ticker writes: the key does not name the partition
        for partition, one in enumerate(outputs[7:]):
            name, headers = here.prefix + LOG, list(one.headers)
            await producer.send_and_wait(name, one.value, b"tick", partition=partition, headers=headers)
    cut = round(time.time() * 1000) + 1
    await until(lambda: time.time() * 1000 > cut + 1)  # the broker's stamps have whole milliseconds
    await write(here, [fact("late")._replace(topic=LOG)])
    into = f"test-{here.prefix}"
    target = Cluster(here.bootstrap_servers, into)
    told = await copied(here, client, [LOG], Span(0, cut), into, dry_run=True)
    assert (told.read, told.written) == ({LOG: 9}, {LOG: 9})
    assert await target.partitions([LOG]) == {}
    told = await copied(here, client, [LOG, FACTS], Span(0, cut), into, dry_run=False)
    assert told.written == {LOG: 9}
    before, after = (await records(here, LOG)), await records(target, LOG)
    before = [one for one in before if one.timestamp < cut]
    assert len(after) == len(before) == 9
    assert len({one.partition for one in after}) == 2
    for old, new in zip(before, after, strict=True):
        assert (old.partition, old.key, old.value) == (new.partition, new.key, new.value)
        assert new.headers == (*old.headers, ("ce_firstappended", str(old.timestamp).encode()))
    with pytest.raises(Rejected, match="state-forbids"):
        await copied(here, client, [LOG], Span(0, cut), into, dry_run=True)
    again = await copied(target, client, [LOG], EVER, f"again-{here.prefix}", dry_run=False)
    assert again.written == {LOG: 9}
    third = await records(Cluster(here.bootstrap_servers, f"again-{here.prefix}"), LOG)
    assert [one.headers for one in third] == [one.headers for one in after], "a copy of a copy tells the first time"


@pytest.mark.parametrize("into", ["sztab.", "sztab.test.", "s.", "own", "", "."])
async def test_no_installation_is_copied_into(into: str) -> None:
    """Neither the real prefix nor our own, nor what they begin with or what begins with them."""
    nowhere = Cluster("127.0.0.1:1", "sztab." if into == "s." else "own.")
    if into == "s.":
        into = "sztab."
    with pytest.raises(Rejected, match="field-invalid"):
        await copied(nowhere, {}, [LOG], EVER, into, dry_run=False)


@pytest.mark.parametrize(
    "topic", ["keys.current", "audit.log", "quarantine", "outbox.dispatch.urgent", "state.route.x"]
)
async def test_what_is_not_the_flow_is_not_copied(topic: str) -> None:
    """Keys would unseal, states are not history, an outbox is somebody's."""
    with pytest.raises(Rejected, match="field-invalid"):
        await copied(Cluster("127.0.0.1:1", "own."), {}, [topic], EVER, "test.", dry_run=False)


async def test_deliveries_go_again_by_consent_under_their_ids(here: Cluster) -> None:
    """In the routine lane, once; not what today's profile would hold back; not to who has not agreed."""
    path = ("fact", "fact_id")
    assert ROUTING.profiles[PROFILE].tree["fact"]
    good = {path[0]: {path[1]: "f"}}
    await write(
        here,
        [
            sent(1, "urgent", good),
            sent(2, "routine", good),
            sent(3, "routine", {**good, "report": {"secret": "Zmyslona"}}),
            sent(4, "routine", good, profile="gone"),
            fact("x")._replace(topic=outbox(WHO, "routine")),
        ],
    )
    with pytest.raises(Denied, match="forbidden"):
        await delivered(here, AGREED, ["fire"], EVER, ROUTING, dry_run=False)
    with pytest.raises(Rejected, match="field-invalid"):
        await delivered(here, AGREED, ["nobody"], EVER, ROUTING, dry_run=False)
    left = {"not permitted by today's profile": 1, "no longer routed": 1, "no delivery": 1}
    told = await delivered(here, AGREED, [WHO], EVER, ROUTING, dry_run=True)
    assert (told.written, told.left) == ({outbox(WHO, "routine"): 2}, left)
    assert len(await records(here, outbox(WHO, "routine"))) == 4
    await delivered(here, AGREED, [WHO], EVER, ROUTING, dry_run=False)
    assert len(await records(here, outbox(WHO, "urgent"))) == 1
    ids = [dict(one.headers).get("ce_deliveryid") for one in await records(here, outbox(WHO, "routine"))]
    first = dict(sent(1, "urgent", good).headers)["ce_deliveryid"]
    second = dict(sent(2, "routine", good).headers)["ce_deliveryid"]
    assert (ids.count(first), ids.count(second)) == (1, 2)
    told = await delivered(here, AGREED, [WHO], EVER, ROUTING, dry_run=False)
    assert told.left["replayed before"] == 2


async def test_the_command_counts_first_and_writes_down_who_did_it(here: Cluster, tmp_path: Path) -> None:
    """Every refusal has its code; --yes needs a purpose."""
    import asyncio

    await write(here, [fact("report-1")])
    settings = Settings(
        connectors={},
        data_dir=tmp_path,
        kafka=KafkaPart(bootstrap_servers=here.bootstrap_servers),
        installation=InstallationPart(prefix=here.prefix),
    )
    invocation = Invocation()
    invocation.__dict__["settings"] = settings
    window = ["--from", "2020-01-01T00:00:00+00:00", "--to", "2100-01-01T00:00:00+00:00"]
    into = ["--topics", FACTS, "--into", f"cmd-{here.prefix}"]

    def ask(*words: str) -> Any:
        return CliRunner().invoke(command, [*window, *words], obj=invocation)

    counted = await asyncio.to_thread(ask, *into)
    assert counted.exit_code == 0
    assert "1  would go to" in counted.output
    assert (await asyncio.to_thread(ask, *into, "--yes")).exit_code == 2
    assert (await asyncio.to_thread(ask, *into, "--recipients", WHO)).exit_code == 2
    done = await asyncio.to_thread(ask, *into, "--yes", "--purpose", "a new build", "--json")
    assert done.exit_code == 0, done.output
    assert len(await records(Cluster(here.bootstrap_servers, f"cmd-{here.prefix}"), FACTS)) == 1
    (audit,) = await records(here, "audit.log")
    assert b"replay: a new build" in audit.value
    refused = await asyncio.to_thread(ask, "--recipients", "nobody")
    assert isinstance(refused.exception, Rejected)

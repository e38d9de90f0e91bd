"""The shell on one real broker: start, stop, topics made anew, and what the cluster says about them."""

import asyncio
import os
import signal
import sys
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from ops.prove import cluster_io, counter, verdict
from ops.prove.cluster_io import Wanted
from schemas.errors import Code, Misconfigured, Unavailable
from schemas.topics import MAX_MESSAGE_BYTES
from streams.clients import AiokafkaClients
from streams.contract import Outcome, Output, Processor
from streams.shell import Shell
from streams.shell_settings import ShellSettings
from streams.ticker import Ticker
from tests.waiting import until

PARTITIONS = 3


def topics(prefix):
    """The counter's topics."""
    append_time = {"message.timestamp.type": "LogAppendTime"}
    return {
        f"{prefix}in": Wanted(PARTITIONS, append_time),
        f"{prefix}a": Wanted(5),
        f"{prefix}b": Wanted(3),
        f"{prefix}aside": Wanted(1),
        f"{prefix}state.counter.in": Wanted(PARTITIONS, {"cleanup.policy": "compact"}),
    }


def settings(kafka, prefix, **changes):
    """A shell on the broker."""
    told = {"session_seconds": 6.0, "heartbeat_seconds": 1.0, "commit_seconds": 0.1, "exit": _refuse, **changes}
    return ShellSettings(bootstrap_servers=kafka.bootstrap_servers, prefix=prefix, **told)


def _refuse(code):
    raise AssertionError(f"the shell wanted to end the process: {code}")


async def feed(kafka, prefix, numbers):
    """Write inputs, acknowledged."""
    producer = AiokafkaClients().producer(settings(kafka, prefix))
    await producer.start()
    try:
        sent = [await producer.send(f"{prefix}in", b"i%07d|" % n, key=b"k%d" % (n % 7)) for n in numbers]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def run_until_committed(kafka, prefix, **changes):
    """Run a shell until the group has committed everything."""
    shell = Shell(counter.processor(), settings(kafka, prefix, **changes))
    task = asyncio.create_task(shell.run())

    async def committed():
        if task.done():
            task.result()
        group = counter.processor().group(prefix)
        return await cluster_io.all_committed(kafka.bootstrap_servers, group, f"{prefix}in", range(PARTITIONS))

    try:
        await until(committed, 40)
    finally:
        shell.stop()
        await asyncio.gather(task, return_exceptions=True)
    return shell


async def judged(kafka, prefix):
    """The verdict's figures over everything on the topics."""
    read = {
        name: await cluster_io.read_all(kafka.bootstrap_servers, {name: t.partitions})
        for name, t in topics(prefix).items()
    }
    simulation = verdict.simulate(read[f"{prefix}in"], counter.DELETED_AT, MAX_MESSAGE_BYTES)
    outputs = read[f"{prefix}a"] + read[f"{prefix}b"]
    logical = {name: name.removeprefix(prefix) for name in read}
    compared = verdict.compare(
        simulation, outputs, read[f"{prefix}aside"], read[f"{prefix}state.counter.in"], logical.__getitem__
    )
    return compared.figures


async def test_two_runs_with_a_graceful_stop_between_them_repeat_nothing(kafka, prefix):
    """What was stepped when `stop` came is saved and committed: the next run begins behind it."""
    await cluster_io.create(kafka.bootstrap_servers, topics(prefix), 1)
    await feed(kafka, prefix, range(300))
    await run_until_committed(kafka, prefix)
    await feed(kafka, prefix, range(300, 500))
    await run_until_committed(kafka, prefix, instance_id="one")
    figures = await judged(kafka, prefix)
    assert figures["outputs"] == 500
    assert not any(figures[name] for name in ("lost", "wrong", "repeats", "unordered"))
    assert figures["state_ok"]
    assert figures["naive_state_ok"]


async def test_a_topic_made_anew_is_refused(kafka, prefix):
    """Deleted and created again under the same name: another topic id, so the old state is not its own."""
    await cluster_io.create(kafka.bootstrap_servers, topics(prefix), 1)
    await feed(kafka, prefix, range(50))
    await run_until_committed(kafka, prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([f"{prefix}in"])

        async def gone():
            return f"{prefix}in" not in await admin.list_topics()

        await until(gone)
    finally:
        await admin.close()
    await cluster_io.create(kafka.bootstrap_servers, {f"{prefix}in": Wanted(PARTITIONS)}, 1)
    with pytest.raises(Misconfigured) as refused:
        await asyncio.wait_for(Shell(counter.processor(), settings(kafka, prefix)).run(), 30)
    assert refused.value.code == Code.STATE_FOREIGN


async def test_the_cluster_tells_id_and_partitions(kafka, prefix):
    """Asked by name: the 16 bytes of the id and the number of partitions; a topic that is not there is left out."""
    await cluster_io.create(kafka.bootstrap_servers, topics(prefix), 1)
    clients = AiokafkaClients()
    producer = clients.producer(settings(kafka, prefix))
    await producer.start()
    try:
        facts = await clients.facts(producer, [f"{prefix}in", f"{prefix}a", f"{prefix}absent"])
    finally:
        await producer.stop()
    assert {name: one.partitions for name, one in facts.items()} == {f"{prefix}in": PARTITIONS, f"{prefix}a": 5}
    ids = {one.topic_id for one in facts.values()}
    assert len(ids) == 2
    assert bytes(16) not in ids


async def test_no_broker_is_unavailable():
    """Nothing listens there: Unavailable, at once, with everything closed."""
    told = ShellSettings(bootstrap_servers="127.0.0.1:1", request_seconds=1.0)
    with pytest.raises(Unavailable) as refused:
        await asyncio.wait_for(Shell(counter.processor(), told).run(), 20)
    assert refused.value.code == Code.BROKER_UNAVAILABLE


async def test_ticks_reach_the_step_of_their_partition(kafka, prefix):
    """A state with a deadline is ticked in its own partition of the input, until the step has let it pass."""

    def step(state, record):
        if record.value == b"tick":
            return Outcome((Output("out", b"k", b"passed %d" % record.partition),), deletes=("due",))
        return Outcome((), {"due": int(record.value)})

    processor = Processor(
        name="timed",
        input="in",
        outputs=("out",),
        step=step,
        encode=lambda value: str(value).encode(),
        decode=int,
        set_aside=lambda *_: Output("out", b"k", b"aside"),
        due=lambda state: state.get("due"),
        tick=lambda *_: Output("in", b"tick", b"tick"),
    )
    made = {"in": Wanted(PARTITIONS), "out": Wanted(1), "state.timed.in": Wanted(PARTITIONS)}
    await cluster_io.create(kafka.bootstrap_servers, {f"{prefix}{name}": one for name, one in made.items()}, 1)
    shell = Shell(processor, settings(kafka, prefix))
    ticker = Ticker(processor, shell, settings(kafka, prefix))
    tasks = [asyncio.create_task(shell.run()), asyncio.create_task(ticker.run())]
    producer = AiokafkaClients().producer(settings(kafka, prefix))
    await producer.start()
    try:
        await producer.send_and_wait(f"{prefix}in", b"1000", key=b"k", partition=2)

        async def passed():
            return await cluster_io.read_all(kafka.bootstrap_servers, {f"{prefix}out": 1})

        records: Any = await until(passed, 30)
    finally:
        await producer.stop()
        ticker.stop()
        shell.stop()
        await asyncio.gather(*tasks)
    assert {record.value for record in records} == {b"passed 2"}


async def test_the_reference_job_writes_each_id_once(kafka, prefix):
    """`python -m ops.bench.worker`, started as the peers' harness starts it: valid, routed, de-duplicated."""
    suffix = prefix.rstrip(".")
    outs = {f"o-{kind}-{suffix}": Wanted(4) for kind in ("dispatch", "alarm", "monitor")}
    made = {f"src-{suffix}": Wanted(4), f"clog-{suffix}": Wanted(4), **outs}
    await cluster_io.create(kafka.bootstrap_servers, made, 1)
    producer = AiokafkaClients().producer(settings(kafka, prefix))
    await producer.start()
    try:
        for n in (*range(300), *range(0, 300, 10)):
            kind = ("call", "alarm", "unit")[n % 3]
            value = b'{"id":"e%d","src":"cad","kind":"%s","prio":9,"lat":1,"lon":2,"t":3.0,"text":"x"}' % (
                n,
                kind.encode(),
            )
            await producer.send(f"src-{suffix}", value, key=b"e%d" % n)
        await producer.flush()
    finally:
        await producer.stop()
    told = {
        "BS": kafka.bootstrap_servers,
        "SRC": f"src-{suffix}",
        "GROUP": f"g{suffix}",
        "SFX": suffix,
        "CLOG": f"clog-{suffix}",
    }
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "ops.bench.worker", env=os.environ | told)
    try:

        async def committed():
            return await cluster_io.all_committed(kafka.bootstrap_servers, f"g{suffix}", f"src-{suffix}", range(4))

        await until(committed, 40)
    finally:
        worker.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(worker.wait(), 20)
    records = await cluster_io.read_all(kafka.bootstrap_servers, dict.fromkeys(outs, 4))
    assert sorted(int(record.key[1:]) for record in records) == list(range(300))
    assert all(b'"prio":5' in record.value for record in records)
    assert code == 0

"""What the shell waits out, and what ends it because waiting would not help or has no end."""

import asyncio

import pytest
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from schemas.errors import Code, Unavailable
from streams.leaving import Exit
from tests.streams import shell_fake
from tests.streams.shell_fake import CHANGELOG, Cluster, Running, counts, once, settled
from tests.waiting import until


async def test_a_claim_refused_for_good_ends_the_process():
    """A producer out of sequence (aiokafka 1017) is mended by a new process only: no second try with the same one."""
    cluster = Cluster()
    cluster.failing[CHANGELOG] = OutOfOrderSequenceNumber()
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.UNKNOWN


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber, UnknownProducerId, ProducerFenced, InvalidProducerEpoch])
async def test_a_round_refused_for_good_ends_the_process(error):
    """Nothing more is acknowledged with a producer that can never send again; a new process has a new one."""
    cluster = Cluster()
    cluster.feed(range(3))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
        cluster.failing[CHANGELOG] = error()
        cluster.feed(range(3, 6))
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.UNKNOWN


@pytest.mark.parametrize("error", [KafkaTimeoutError(), LeaderNotAvailableError()])
async def test_a_recovery_that_may_pass_is_tried_again(error):
    """A broker that is away for a moment: the recovery is repeated until it is back."""
    cluster = Cluster()
    cluster.feed(range(3))
    cluster.failing[CHANGELOG] = error
    async with Running(cluster, heartbeat_seconds=0.01) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell._held.failed_at)
        cluster.failing.clear()
        await settled(cluster)
        assert running.codes == []
    assert counts(cluster) == once(range(3))


async def test_a_recovery_that_never_succeeds_ends_the_process():
    """Each try reads on and fails: after `settle_seconds` another process has the better chance."""
    cluster = Cluster()
    cluster.failing[CHANGELOG] = LeaderNotAvailableError()
    async with Running(cluster, settle_seconds=0.2, heartbeat_seconds=0.01) as running:
        await running.member.assigned([0])
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.UNKNOWN


@pytest.mark.parametrize("where", ["read", "claim"])
async def test_a_recovery_that_does_not_get_on_ends_the_process(where, monkeypatch):
    """A reader that brings nothing, a claim that is never acknowledged: noticed after `settle_seconds`."""
    cluster = Cluster()
    cluster.feed(range(3))
    async with Running(cluster) as running:
        await running.member.assigned([0])
        await settled(cluster)
    if where == "claim":
        cluster.held.add(CHANGELOG)
    else:
        silent = asyncio.Event()
        monkeypatch.setattr(shell_fake.Consumer, "getmany", lambda *_, **__: silent.wait())
    async with Running(cluster, settle_seconds=0.2) as running:
        await running.member.assigned([0])
        await until(lambda: running.codes)
    assert running.codes[0] == Exit.UNKNOWN


async def test_an_error_of_an_ownership_that_is_gone_is_no_reason_to_end():
    """The question about the commit fails for good after the partition was given up: the next one is recovered."""
    cluster = Cluster()
    async with Running(cluster) as running:
        asked, answered = asyncio.Event(), asyncio.Event()

        async def refused(place):
            asked.set()
            await answered.wait()
            raise OutOfOrderSequenceNumber

        running.member.committed, usual = refused, running.member.committed
        await running.member.assigned([0])
        await asked.wait()
        running.member.committed = usual
        await running.member.assigned([1])
        answered.set()
        await until(lambda: running.codes or running.shell.health().ready)
        assert running.codes == []


async def test_no_answer_about_the_topics_is_waited_out_during_a_recovery():
    """Only the start gives up when no broker answers; a running shell tries again."""
    cluster = Cluster()
    cluster.feed(range(3))
    async with Running(cluster, heartbeat_seconds=0.01) as running:
        cluster.silences += [Unavailable(Code.BROKER_UNAVAILABLE, "no broker answered")] * 3
        await running.member.assigned([0])
        await settled(cluster)
        assert running.outcome() is None
    assert counts(cluster) == once(range(3))


@pytest.mark.parametrize("client", ["Consumer", "Producer"])
async def test_a_client_that_cannot_be_stopped_does_not_hold_the_exit(client, monkeypatch):
    """A producer that cannot flush waits for ever; the shell has settled everything, and ends."""
    cluster = Cluster()
    stuck = asyncio.Event()
    async with Running(cluster, session_seconds=0.5) as running:
        await running.member.assigned([0])
        await until(lambda: running.shell.health().ready)
        monkeypatch.setattr(getattr(shell_fake, client), "stop", lambda _: stuck.wait())
        running.shell.stop()
        await asyncio.wait_for(running.task, 5)
    stuck.set()

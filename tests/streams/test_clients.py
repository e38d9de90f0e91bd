"""A client that is started is either started or given back, whoever loses interest meanwhile."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from streams import clients
from streams.clients import begin
from tests.waiting import until


class SlowClient:
    """A client whose start ends when it is let go; keeps what was done to it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go, self.error = asyncio.Event(), error
        self.done: list[str] = []

    async def start(self) -> None:
        """Wait until let go, then start or fail."""
        self.done.append("starting")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.done.append("broken off")
            raise
        if self.error is not None:
            raise self.error
        self.done.append("started")

    async def stop(self) -> None:
        """Give everything back."""
        self.done.append("stopped")


async def starting(client: SlowClient) -> "asyncio.Task[None]":
    """A start on its way."""
    task = asyncio.create_task(begin(client))
    await until(lambda: client.done)
    return task


async def test_a_start_that_ends_leaves_a_started_client():
    """Nothing else is done to it."""
    client = SlowClient()
    task = await starting(client)
    client.go.set()
    await task
    assert client.done == ["starting", "started"]


async def test_a_cancelled_start_is_let_end_and_the_client_given_back():
    """Broken off in the middle, aiokafka forgets an open connection."""
    client = SlowClient()
    task = await starting(client)
    task.cancel()
    await asyncio.sleep(0)
    client.go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.done == ["starting", "started", "stopped"]


async def test_a_failed_start_gives_the_client_back():
    """The error is the caller's."""
    client = SlowClient(KafkaConnectionError())
    task = await starting(client)
    client.go.set()
    with pytest.raises(KafkaConnectionError):
        await task
    assert client.done == ["starting", "stopped"]


async def test_a_cancelled_start_without_end_is_broken_off(monkeypatch: pytest.MonkeyPatch):
    """A broker that never answers holds nobody up."""
    monkeypatch.setattr(clients, "START_SECONDS", 0.0)
    client = SlowClient()
    task = await starting(client)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.done == ["starting", "broken off", "stopped"]

"""Ending tasks, whatever they do with the first cancellation."""

import asyncio

from connectors.ending import ended


async def stubborn(misses: int) -> int:
    """Swallow so many cancellations, as a `wait_for` that meets its result does."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if misses == 0:
                raise
            misses -= 1


async def failing() -> None:
    """End by itself with an error."""
    raise RuntimeError("of its own")


async def test_a_task_that_misses_its_cancellation_ends_all_the_same() -> None:
    """A node stops within its time even then."""
    tasks = [asyncio.create_task(stubborn(n)) for n in (0, 1, 2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(ended(tasks, 0.01), 10)
    assert all(task.cancelled() for task in tasks)


async def test_errors_of_the_tasks_are_not_ours() -> None:
    """One that failed hinders nobody from stopping."""
    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await ended([task])
    assert task.done()


async def test_nothing_to_end() -> None:
    """Stopping twice is no error."""
    await ended([])

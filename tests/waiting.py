"""Waiting for a condition instead of sleeping: the only way in which a test may pass time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Iterator

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.1


class TooLateError(AssertionError):
    """The condition did not become true before its deadline; fails the test with what was waited for."""


def wait_until(condition: Callable[[], object], deadline_seconds: float = 10.0, what: str = "") -> object:
    """Call `condition` until its answer is true and return that answer.

    For plain tests; it blocks the thread, so a coroutine awaits `until` instead. `what` names the thing waited for.
    Raises TooLateError after `deadline_seconds`.
    """
    for pause in _pauses(deadline_seconds, what or _name(condition)):
        if answer := condition():
            return answer
        time.sleep(pause)
    raise AssertionError  # the pauses end only by TooLateError


async def until(
    condition: Callable[[], object | Awaitable[object]], deadline_seconds: float = 10.0, what: str = ""
) -> object:
    """Await until the answer of `condition`, a plain or coroutine function, is true and return that answer.

    Raises TooLateError after `deadline_seconds`.
    """
    for pause in _pauses(deadline_seconds, what or _name(condition)):
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        await asyncio.sleep(pause)
    raise AssertionError  # the pauses end only by TooLateError


def _pauses(deadline_seconds: float, what: str) -> Iterator[float]:
    """Pauses that grow to a tenth of a second; the last try comes after the deadline has passed."""
    end = time.monotonic() + deadline_seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        last = time.monotonic() >= end
        yield pause
        if last:
            raise TooLateError(f"not within {deadline_seconds:g} s: {what}")
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def _name(condition: Callable[[], object]) -> str:
    return inspect.getsource(condition).strip() if inspect.isfunction(condition) else repr(condition)

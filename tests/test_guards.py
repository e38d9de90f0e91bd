"""The guards of this test suite can themselves fail: each is shown something left behind."""

import asyncio
import socket
import threading

import pytest

from tests import leftovers
from tests.waiting import TooLateError, until, wait_until

pytest_plugins = ("pytester",)

LEAVES_A_TASK = """
import asyncio
async def test_leaves_a_task():
    test_leaves_a_task.task = asyncio.create_task(asyncio.Event().wait())
"""
LEAVES_NOTHING = """
import asyncio
async def test_leaves_nothing():
    task = asyncio.create_task(asyncio.sleep(0))
    await task
"""


@pytest.mark.parametrize(
    ("body", "outcomes"), [(LEAVES_A_TASK, {"passed": 1, "errors": 1}), (LEAVES_NOTHING, {"passed": 1})]
)
def test_a_task_left_behind_fails_its_test(pytester, monkeypatch, body, outcomes):
    """A coroutine test that leaves a task running is told so; one that awaits its task is not."""
    monkeypatch.setattr(leftovers, "GRACE_SECONDS", 0.05)
    pytester.makepyprojecttoml(
        "[tool.pytest.ini_options]\nasyncio_mode = 'auto'\nasyncio_default_fixture_loop_scope = 'function'"
    )
    pytester.makeconftest("from tests.conftest import _no_task_left, _no_task_left_by_coroutine, _nothing_left")
    pytester.makepyfile(body)
    pytester.runpytest_inprocess("-p", "no:randomly").assert_outcomes(**outcomes)


def test_a_listening_socket_is_seen(monkeypatch):
    """A server socket opened since is named, and no longer once it is closed."""
    monkeypatch.setattr(leftovers, "GRACE_SECONDS", 0.0)
    threads, listening = leftovers.threads(), leftovers.listening()
    with socket.create_server(("127.0.0.1", 0)):
        assert [line.split()[0] for line in leftovers.left_by_thread_or_socket(threads, listening)] == ["listening"]
    assert leftovers.left_by_thread_or_socket(threads, listening) == []


def test_a_thread_is_seen(monkeypatch):
    """A thread that would keep the process alive is named, and no longer once it has ended."""
    monkeypatch.setattr(leftovers, "GRACE_SECONDS", 0.0)
    threads, listening = leftovers.threads(), leftovers.listening()
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="forgotten")
    thread.start()
    try:
        assert leftovers.left_by_thread_or_socket(threads, listening) == ["thread forgotten"]
    finally:
        release.set()
        thread.join()
    assert leftovers.left_by_thread_or_socket(threads, listening) == []


def test_waiting_ends_with_the_answer_or_too_late():
    """`wait_until` hands back the first true answer, and names the thing waited for once the deadline is over."""
    answers = iter([0, None, "there"])
    assert wait_until(lambda: next(answers)) == "there"
    with pytest.raises(TooLateError, match="the moon"):
        wait_until(lambda: False, deadline_seconds=0.01, what="the moon")


async def test_awaiting_takes_plain_and_coroutine_conditions():
    """`until` asks functions of both kinds, and lets other tasks run meanwhile."""
    gate = asyncio.Event()
    asyncio.get_running_loop().call_soon(gate.set)

    async def opened():
        return gate.is_set()

    assert await until(opened) is True
    assert await until(gate.is_set) is True
    with pytest.raises(TooLateError):
        await until(lambda: False, deadline_seconds=0.01)

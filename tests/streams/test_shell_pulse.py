"""A process that stood still, and how a process leaves."""
# ruff: noqa: D102 - the fakes have the methods of what they stand for

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import structlog

from streams.leaving import Exit, Leaving, Left, whereabouts
from streams.pulse import Pulse
from streams.shell_settings import Switches
from tests.waiting import until


class Clock:
    """A clock that is moved by hand."""

    def __init__(self):
        self.at = 50.0

    def __call__(self):
        return self.at


def test_a_pause_longer_than_the_limit_ends_the_process():
    """Two looks further apart than the limit: exit 75. Many short ones: nothing."""
    codes: list[int] = []
    clock = Clock()
    pulse = Pulse(3.0, Leaving(codes.append), now=clock)
    for _ in range(10):
        clock.at += 2.9
        pulse.check()
    clock.at += 3.1
    with pytest.raises(Left):
        pulse.check()
    assert codes == [Exit.STOOD_STILL]


def test_without_rule_pulse_nobody_notices():
    """Conviction: with the rule off the same pause passes."""
    codes: list[int] = []
    clock = Clock()
    pulse = Pulse(3.0, Leaving(codes.append), armed=Switches.without("pulse").pulse, now=clock)
    clock.at += 100
    pulse.check()
    assert codes == []


def test_the_time_before_the_start_is_no_pause():
    """Connecting the clients may take long."""
    codes: list[int] = []
    clock = Clock()
    pulse = Pulse(3.0, Leaving(codes.append), now=clock)
    clock.at += 100
    pulse.start()
    pulse.check()
    assert codes == []


BLOCKED = """
import asyncio, sys, threading
from streams.leaving import Leaving
from streams.pulse import Pulse

async def main():
    pulse = asyncio.create_task(Pulse(0.4, Leaving()).run())
    await asyncio.sleep(0)
    {block}

asyncio.run(main())
"""


@pytest.mark.parametrize("block", ["threading.Event().wait()", "sys.stdout.write('x' * 10_000_000)"])
def test_a_blocked_loop_ends_the_process_from_aside(block):
    """A call that never returns, or a log that nobody reads: no look at the clock comes, exit 75 all the same."""
    command = [sys.executable, "-c", BLOCKED.format(block=block)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        try:
            assert process.wait(timeout=20) == Exit.STOOD_STILL
        finally:
            process.kill()


async def test_the_thread_aside_ends_with_the_pulse():
    """It is no part of the shell's life after `run`, and accuses nobody whose clock goes on."""
    codes: list[int] = []
    pulse = asyncio.create_task(Pulse(1.0, Leaving(codes.append)).run())
    await until(lambda: "pulse" in [one.name for one in threading.enumerate()])
    pulse.cancel()
    await asyncio.gather(pulse, return_exceptions=True)
    await until(lambda: "pulse" not in [one.name for one in threading.enumerate()])
    assert codes == []


def test_leaving_tells_type_and_place_but_no_text():
    """The log says where it happened; what an exception says may be a person's name."""
    with pytest.raises(ValueError, match="Kowalski") as raised:
        int("Kowalski")
    said = whereabouts(raised.value)
    assert said.startswith("ValueError at test_shell_pulse.py:")
    with structlog.testing.capture_logs() as logs, pytest.raises(Left) as left:
        Leaving(lambda _: None)(Exit.UNKNOWN, said)
    assert left.value.code == Exit.UNKNOWN
    assert logs == [{"event": "shell_left", "log_level": "critical", "exit_code": 70, "reason": "unknown", "why": said}]


def test_only_rules_can_be_switched_off():
    """A misspelt rule would make a conviction test pass for nothing."""
    with pytest.raises(ValueError, match="no such rule: marks"):
        Switches.without("marks")

"""A role that stands back does so where Linux looks: by process, and by session."""

import os
import subprocess
import sys

import pytest

from ops.niceness import GROUP

SAYS = (
    "import os; from ops.niceness import GROUP, stand_back; stand_back(7);"
    "print(os.nice(0), *(GROUP.read_text().split()[-1:] if GROUP.exists() else ()))"
)


def _says(*, own_session: bool) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SAYS], capture_output=True, text=True, check=True, start_new_session=own_session
    )
    return done.stdout.split()


needs_groups = pytest.mark.skipif(
    not GROUP.exists(), reason="this kernel does not share out the cores by session (CONFIG_SCHED_AUTOGROUP)"
)


def test_the_process_stands_back() -> None:
    """Whatever session it is in."""
    assert _says(own_session=False)[0] == str(min(19, os.nice(0) + 7))


@needs_groups
def test_a_session_of_its_own_stands_back_too() -> None:
    """As the supervisor starts each role."""
    assert _says(own_session=True) == [str(min(19, os.nice(0) + 7)), "7"]


@needs_groups
def test_the_session_of_a_shell_is_left_alone() -> None:
    """What else runs in it did not ask for less. A session that was there before the feature has no share to tell."""
    assert _says(own_session=False)[1:] == GROUP.read_text().split()[-1:]

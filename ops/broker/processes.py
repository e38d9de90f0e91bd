"""One broker process: started apart from us, known by its command line, never mistaken for a later process."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

PAUSE_SECONDS: Final = 0.05
BIRTH_SECONDS: Final = 10.0


def spawn(command: Sequence[str], output: Path) -> int:
    """Start `command` in a session of its own, its output appended to a file; answers its process id.

    A Ctrl-C on our terminal does not reach it, and it goes on when we end.
    """
    to_file = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        list(command),
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), to_file, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    # Its command line is empty until the new program is laid out in memory; `find` would take it for dead.
    wait_gone(lambda: _exists(pid) and not command_line(pid), BIRTH_SECONDS)
    return pid


def find(ending: Sequence[str], pid_file: Path) -> int | None:
    """The process whose command line ends with exactly these words, or None.

    One of them alone is not enough: an editor has the name of the file that it shows among its words too. The pid file
    is asked first. If it is missing or names another process, the running processes are searched: so a broker left
    behind by a crash is found.
    """
    try:
        remembered = int(pid_file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        remembered = None
    if remembered is not None and _ends(command_line(remembered), ending):
        return remembered
    return next((pid for pid, words in _all_processes() if _ends(words, ending)), None)


def _ends(words: Sequence[str], ending: Sequence[str]) -> bool:
    return list(words[-len(ending) :]) == list(ending)


def command_line(pid: int) -> list[str]:
    """The words of the process's command line; empty if it does not run (or is only waiting to be collected)."""
    _collect(pid)
    try:
        return [
            word.decode(errors="replace") for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") if word
        ]
    except (FileNotFoundError, ProcessLookupError):  # the second: it ended between opening and reading
        if Path("/proc/self").exists():
            return []
    told = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return told.stdout.split()


def _all_processes() -> list[tuple[int, list[str]]]:
    if Path("/proc/self").exists():
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    else:
        told = subprocess.run(["ps", "-axo", "pid="], capture_output=True, text=True, check=False)
        pids = [int(word) for word in told.stdout.split()]
    return [(pid, command_line(pid)) for pid in pids if pid != os.getpid()]


def _collect(pid: int) -> None:
    """Take the exit status of a child of ours that has ended, so that it does not look alive."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # somebody else's child


def _exists(pid: int) -> bool:
    _collect(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def send(pid: int, signal_number: signal.Signals) -> None:
    """Send a signal; a process that has just ended is no error."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return


def wait_gone(running: Callable[[], bool], seconds: float) -> bool:
    """Wait until `running` says no; False after `seconds`."""
    end = time.monotonic() + seconds
    while running():
        if time.monotonic() > end:
            return False
        time.sleep(PAUSE_SECONDS)
    return True

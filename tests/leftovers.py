"""What a test may leave behind by mistake: threads, listening sockets, tasks."""

import asyncio
import os
import socket
import stat
import threading
import time
from pathlib import Path

ACCEPTS = (socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
GRACE_SECONDS = 1.0  # what is being closed may take as long


def threads() -> set[threading.Thread]:
    """The threads that would keep the process alive."""
    return {thread for thread in threading.enumerate() if thread.is_alive() and not thread.daemon}


def listening() -> set[str]:
    """Addresses on which this process listens, as text."""
    return {address for entry in Path("/dev/fd").iterdir() if (address := _listening_address(int(entry.name)))}


def _listening_address(descriptor: int) -> str:
    """The address of a listening TCP socket, empty for every other open file."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return ""
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            internet = copy.family in {socket.AF_INET, socket.AF_INET6}
            return str(copy.getsockname()) if internet and copy.getsockopt(*ACCEPTS) else ""
    except OSError:
        return ""  # closed meanwhile, as the descriptor of the listing itself is


def left_by_thread_or_socket(threads_before: set[threading.Thread], listening_before: set[str]) -> list[str]:
    """Names of the threads and addresses of the sockets that were not there before and do not go within the grace."""
    end = time.monotonic() + GRACE_SECONDS
    while True:
        left = [f"thread {thread.name}" for thread in threads() - threads_before]
        left += [f"listening socket {address}" for address in listening() - listening_before]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.01)


async def tasks_left(before: set["asyncio.Task[object]"]) -> list[str]:
    """Descriptions of the loop's tasks that were not there before and do not end within the grace."""
    end = time.monotonic() + GRACE_SECONDS
    while True:
        left = [task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()]
        if not left or time.monotonic() > end:
            return [f"task {task.get_name()} {task.get_coro()}" for task in left]
        await asyncio.sleep(0.01)

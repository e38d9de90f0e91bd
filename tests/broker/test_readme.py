"""README.md executed: its commands in order, in a copy of this checkout, as a newcomer types them in two terminals."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from ops import runtime
from ops.broker import EmbeddedKafka
from ops.settings import Settings
from tests import snippets
from tests.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
PARTS: Final = ("schemas", "connectors", "streams", "ops", "tests")
LEFT_OUT: Final = {
    "make setup": "makes the environment in which this test runs",
    "make demo": "an evening of minutes that judges itself by its exit status; tests/demo holds its parts",
    "make test": "runs this very test",
    "make check": "looks at the source and changes nothing; its tests are a part of `make test`",
    "make bench": "measures for minutes on a machine of its own, and promises no figure",
    "make prove": "takes long; tests/faults runs a seeded share of it",
    "docker build": "no Docker is asked of a test machine; tests/ops/test_compose.py reads what is built",
    "docker run": "likewise; tests/ops/test_compose.py runs the command inside it",
    "docker compose": "likewise; tests/ops/test_compose.py reads the settings as each container does",
}
"""How a command that is not executed here begins, and why it is not."""
PROGRAMS: Final = (".venv/bin/sztab", ".venv/bin/pytest", "curl")
HOLDS_THE_TERMINAL: Final = ".venv/bin/sztab run all"
SHOWS: Final = {
    ".venv/bin/sztab check": "no mistakes",
    ".venv/bin/sztab status --wait": "supervisor",
    ".venv/bin/sztab status --url": "http://127.0.0.1:",
    "curl": '"id":"',
    ".venv/bin/sztab quarantine replay": "corrected",
    ".venv/bin/sztab trace": "from cpr-poznan",
    ".venv/bin/sztab feed": "8 accepted",
    ".venv/bin/sztab ledger": '"balanced":true',
    ".venv/bin/sztab new connector": "connectors/demo1/translate.py",
    ".venv/bin/pytest": "passed",
}
"""What a reader must see of a command, by how it begins."""


class Clone:
    """A copy of this checkout with an environment in `.venv`, and the terminal that `run all` holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(connectors={}, data_dir=folder / ".sztab")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SZTAB_")}
        self.held: subprocess.Popen[bytes] | None = None
        for part in PARTS:
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        # The environment's own `sztab` is that of the checkout it was set up for; `-m` takes the folder one stands in.
        for name, module in (("sztab", "ops"), ("pytest", "pytest")):
            program = folder / ".venv" / "bin" / name
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', encoding="utf-8")
            program.chmod(0o755)

    def typed(self, command: str) -> str:
        """Execute the command as a shell does; what it printed. It must succeed."""
        shell = ["bash", "-o", "pipefail", "-c", command]
        done = subprocess.run(
            shell, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}{self.log()}"
        return done.stdout

    def hold(self, command: str) -> None:
        """Start the command in a terminal of its own."""
        with (self.folder / ".terminal").open("wb") as out:
            shell = ["bash", "-c", f"exec {command}"]
            self.held = subprocess.Popen(shell, cwd=self.folder, env=self.environment, stdout=out, stderr=out)

    def log(self) -> str:
        """The end of what stands in the held terminal."""
        terminal = self.folder / ".terminal"
        return terminal.read_text(encoding="utf-8")[-3_000:] if terminal.exists() else ""

    def process_ids(self) -> set[int]:
        """Supervisor, roles and broker, as far as they run."""
        broker = EmbeddedKafka(self.settings.data_dir / "broker").process_id(1)
        return {one.pid for one in runtime.all_running(self.settings)} | ({broker} if broker else set())

    def release(self) -> int:
        """Ctrl-C in the held terminal; the exit status."""
        assert self.held is not None
        self.held.send_signal(signal.SIGINT)
        return self.held.wait(30)

    def end(self) -> None:
        """Kill what is left, each by its id."""
        left = self.process_ids()
        if self.held is not None:
            self.held.kill()
            self.held.wait()
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Clone]:
    """As after `git clone` and `make setup`; whatever the test did, nothing of it runs on."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine; install it: apt-get install curl")
    made = Clone(tmp_path)
    try:
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("command", snippets.commands())
def test_every_command_is_executed_or_left_out_for_a_reason(command: str) -> None:
    """A command that nobody has thought of fails here; none is silently passed over."""
    left_out = [reason for begin, reason in LEFT_OUT.items() if _begins(command, begin)]
    assert len(left_out) + (command.split(maxsplit=1)[0] in PROGRAMS) == 1


def test_nothing_is_left_out_or_awaited_that_is_not_there() -> None:
    """A reason or an expectation whose command has left README.md goes with it."""
    for begin in (*LEFT_OUT, *SHOWS, HOLDS_THE_TERMINAL):
        assert [command for command in snippets.commands() if _begins(command, begin)], begin


@pytest.mark.timeout(400)
def test_the_commands_do_what_is_said_of_them(clone: Clone) -> None:
    """From the check of the configuration to a connector of one's own; Ctrl-C then ends everything."""
    for command in snippets.commands():
        if any(_begins(command, begin) for begin in LEFT_OUT):
            continue
        if command == HOLDS_THE_TERMINAL:
            clone.hold(command)
            continue
        shown = clone.typed(command)
        for begin, text in SHOWS.items():
            assert not _begins(command, begin) or text in shown, f"{command}\n{shown}"
    running = clone.process_ids()
    assert len(running) > 2
    assert clone.release() == 0, clone.log()
    wait_until(lambda: not [pid for pid in running if Path(f"/proc/{pid}").exists()], 10, "no process left")
    assert clone.process_ids() == set()


def _begins(command: str, words: str) -> bool:
    return command.split()[: len(words.split())] == words.split()

"""What README.md and the build promise each other: its goals exist, and `.ci/run` is its test command."""

import re
import subprocess
from pathlib import Path

from tests import snippets

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
CI = ROOT / ".ci" / "run"


def goals_of_readme():
    """Goals of `make` that README.md names, in its commands or in its sentences."""
    text = snippets.README.read_text(encoding="utf-8")
    return set(re.findall(r"(?:^    |`)make ([a-z]+)\b", text, re.MULTILINE))


def test_readme_begins_with_two_commands():
    """One to see it, one to test it; each sets everything up by itself."""
    assert snippets.blocks()[0] == ["make demo", "make test"]
    for goal in ("demo", "test"):
        assert re.search(rf"^{goal}: setup$", MAKEFILE, re.MULTILINE)


def test_goals_named_in_readme_exist():
    """None was renamed behind its back; and none of them is a file, which make would take for done."""
    phony = set(re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[0].split())
    goals = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert goals_of_readme() >= {"setup", "demo", "test", "check", "bench", "prove"}
    assert goals_of_readme() <= goals & phony


def test_the_bare_machine_runs_readmes_test_command():
    """`.ci/run` can be executed, ends in the very command that README.md gives, and takes its exit status."""
    lines = [line for line in CI.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert "set -eu" in lines
    assert lines[-1] == "exec make test"
    assert "make test" in snippets.commands()
    assert CI.stat().st_mode & 0o111


def test_the_bare_machine_gets_every_program_of_readme():
    """What the README's commands call besides Docker is installed where it is missing."""
    needed = set(re.findall(r"^need (\S+) ", CI.read_text(encoding="utf-8"), re.MULTILINE))
    assert {"make", "curl"} <= needed


def test_the_scripts_of_a_newcomer_are_well_formed():
    """The shell reads them without a mistake."""
    for script in (CI, ROOT / "ops" / "needs.sh"):
        assert subprocess.run(["sh", "-n", script], check=False).returncode == 0

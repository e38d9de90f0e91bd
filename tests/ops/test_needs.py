"""`ops/needs.sh`, which `make setup` asks first: what this machine lacks, and which Python to use."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "ops" / "needs.sh"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def needs(path, script=SCRIPT, **environment):
    """Run the script with nothing but this PATH and these variables; what it ended with."""
    command = ["/bin/sh", str(script)]
    return subprocess.run(command, env={"PATH": str(path), **environment}, capture_output=True, text=True, check=False)


def tool(file, script):
    """A program that does what the shell script says; its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o700)
    return str(file)


def java(folder, version):
    """A Java runtime of this version in a folder."""
    tool(folder / "java", f"echo 'openjdk version \"{version}\" 2025-04-15' >&2")


@pytest.fixture
def path(tmp_path):
    """A folder for the PATH that has a Maven and an accepted Python, but no Java."""
    tool(tmp_path / "bin" / "mvn", "exit 0")
    tool(tmp_path / "bin" / "python3", "exit 0")
    return tmp_path / "bin"


def test_all_that_is_missing_is_named_at_once(tmp_path):
    """On a bare machine each thing is named with the command that installs it, and no Python is answered."""
    done = needs(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "missing: Python 3.11 or later",
        "  install it with: apt-get install python3 python3-venv",
        "missing: a Java runtime, 17 or later",
        "  install it with: apt-get install default-jre-headless",
        "missing: Maven, which resolves the Kafka jars",
        "  install it with: apt-get install maven",
    ]


@pytest.mark.parametrize(
    ("version", "accepted"), [("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("21", True)]
)
def test_java_of_the_path_is_judged_by_its_version(path, version, accepted):
    """Kafka 4 needs Java 17; a runtime that is older is as good as none."""
    java(path, version)
    done = needs(path)
    assert (done.returncode == 0) is accepted
    assert done.stdout == ("python3\n" if accepted else "")
    assert ("missing: a Java runtime" in done.stderr) is not accepted


def test_java_home_comes_first(path, tmp_path):
    """What the broker will be started with is judged: JAVA_HOME's runtime, without one there that of the PATH."""
    java(tmp_path / "new" / "bin", "21")
    assert needs(path, JAVA_HOME=str(tmp_path / "new")).returncode == 0
    assert needs(path, JAVA_HOME=str(tmp_path / "absent")).returncode == 1
    java(path, "21")
    assert needs(path, JAVA_HOME=str(tmp_path / "absent")).returncode == 0
    java(tmp_path / "old" / "bin", "11.0.2")
    assert "missing: a Java runtime" in needs(path, JAVA_HOME=str(tmp_path / "old")).stderr


@pytest.mark.parametrize(
    ("tried", "notices"), [(RUNNING, []), (f"{RUNNING}0", [f"notice: not tried on Python {RUNNING}"])]
)
def test_a_python_that_was_never_tried_is_a_notice(path, tmp_path, tried, notices):
    """A Python outside the project's classifiers is used all the same, and one line says it."""
    java(path, "21")
    (tmp_path / "ops").mkdir()
    script = shutil.copy(SCRIPT, tmp_path / "ops")
    told = f'[project]\nclassifiers = ["Programming Language :: Python :: {tried}"]\n'
    (tmp_path / "pyproject.toml").write_text(told, encoding="utf-8")
    done = needs(path, script, PYTHON=sys.executable)
    assert (done.returncode, done.stdout) == (0, f"{sys.executable}\n")
    assert done.stderr.splitlines() == notices

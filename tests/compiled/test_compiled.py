"""`sztab compile`: the machine code decides as the sources do, and is never that of other sources."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.compiled import MODULES

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("schemas", "connectors", "streams", "ops", "tests", "pyproject.toml")
MADE = shutil.ignore_patterns("__pycache__", "*.so", "compiled.sha256")
PURE = "not broker and not faults and not browser and not slow and not compiled"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the sources, compiled as its user would."""
    if shutil.which("cc") is None or not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        pytest.skip("needs a C compiler and Python's headers: apt-get install gcc python3-dev")
    folder = tmp_path_factory.mktemp("compiled")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=MADE)
        else:
            shutil.copy(ROOT / name, folder / name)
    done = called(folder, "-m", "ops", "compile")
    assert done.returncode == 0, done.stderr
    yield folder
    shutil.rmtree(folder)


def called(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """This Python in the folder, with the packages that stand there."""
    known = {name: told for name, told in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**known, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_module_is_compiled_and_what_it_tells_is_the_same(compiled: Path) -> None:
    """A storm, once by the sources and once by the machine code: byte for byte the same facts and the same state."""
    files = f"from streams import {', '.join(MODULES)}\nfor one in ({', '.join(MODULES)}): print(one.__file__)"
    told = called(compiled, "-c", files).stdout.split()
    assert len(told) == len(MODULES)
    assert all(name.startswith(str(compiled)) and name.endswith(".so") for name in told), told
    by_sources = called(ROOT, "-m", "tests.compiled.storm_played")
    by_machine_code = called(compiled, "-m", "tests.compiled.storm_played")
    assert by_sources.stdout.startswith("py "), by_sources.stderr
    assert by_machine_code.stdout == by_sources.stdout.replace("py ", "so ", 1), by_machine_code.stderr


def test_the_machine_code_passes_the_tests_of_the_sources(compiled: Path) -> None:
    """All tests that play a territory's log through the step, or ask the parts of it."""
    files = sorted((compiled / "tests" / "streams").glob("test_*.py"))
    played = [str(one) for one in files if "tests.streams.incident_log" in one.read_text("utf-8")]
    assert len(played) > 10
    done = called(compiled, "-m", "pytest", "-q", "-n", "logical", "-m", PURE, *played)
    assert done.returncode == 0, done.stdout[-6_000:]


def test_nothing_starts_with_machine_code_of_other_sources(compiled: Path, tmp_path: Path) -> None:
    """One number changed: roles, bench and tests refuse with the remedy, until the machine code is removed."""
    folder = Path(shutil.copytree(compiled, tmp_path / "copy"))
    assert '"compiled":true' in called(folder, "-m", "ops", "bench", "correlate", "--json", "--reports", "9").stdout
    source = folder / "streams" / "correlate.py"
    source.write_bytes(source.read_bytes().replace(b"MOST_BITS: Final = 60.0", b"MOST_BITS: Final = 61.0"))
    for command in (("run", "streams"), ("bench", "correlate", "--reports", "1")):
        done = called(folder, "-m", "ops", *command)
        assert (done.returncode, "sztab compile --remove" in done.stderr) == (2, True), done.stderr
    assert "sztab compile --remove" in called(folder, "-m", "pytest", "-q", "tests/test_tree.py").stderr
    assert called(folder, "-m", "ops", "compile", "--remove").returncode == 0
    assert '"compiled":false' in called(folder, "-m", "ops", "bench", "correlate", "--json", "--reports", "9").stdout

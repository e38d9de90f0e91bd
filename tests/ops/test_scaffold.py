"""`sztab new connector` writes one that passes from the first run, in a copy of this tree."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops import scaffold_cli
from ops.scaffold import registered, scaffold
from schemas.errors import Misconfigured

ROOT = Path(__file__).resolve().parent.parent.parent
PARTS = ("schemas", "connectors", "streams", "ops", "tests")


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of this tree with two new connectors: one that sorts first, one that sorts last."""
    root: Path = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "target", "*.jar"))
    shutil.copy(ROOT / "pyproject.toml", root)
    scaffold("aaa-first", root=root)
    scaffold("zz9", "Straż miejska", root=root)
    return root


def ran(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A program of this environment in the copy."""
    return subprocess.run([sys.executable, "-m", *command], cwd=tree, capture_output=True, text=True, check=False)


def test_it_passes_the_contract_of_sources_at_once(tree):
    """Nothing but the contract's own exemptions is left out, and its golden case holds."""
    tests = ("tests/connectors/test_aaa_first.py", "tests/connectors/test_zz9.py")
    done = ran(tree, "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout[-3_000:]
    assert "passed" in done.stdout
    assert "exempt" not in done.stdout


def test_it_is_clean(tree):
    """By the project's own rules of format and style."""
    places = ["connectors/aaa_first", "connectors/zz9", "connectors/registry.py", "tests/connectors"]
    assert ran(tree, "ruff", "check", "-q", *places).stdout == ""
    assert ran(tree, "ruff", "format", "--check", "-q", *places).returncode == 0


def test_it_is_registered(tree):
    """A configuration may name it, and the handbook has its page."""
    program = "from connectors.registry import CONNECTORS; print(*CONNECTORS)"
    shown = subprocess.run([sys.executable, "-c", program], cwd=tree, capture_output=True, text=True, check=True)
    assert {"aaa-first", "zz9", "cpr"} <= set(shown.stdout.split())
    assert "zz9" in (tree / "ops" / "handbook" / "connectors.md").read_text("utf-8")


@pytest.mark.parametrize(
    "name", ["", "Demo", "9lives", "a_b", "a--b", "class", "../x", "cpr", "runner", "kits", "x" * 50]
)
def test_a_name_that_cannot_be_one_writes_nothing(tree, name):
    """Told before anything is written."""
    before = sorted(path.name for path in (tree / "connectors").iterdir())
    with pytest.raises(Misconfigured):
        scaffold(name, root=tree)
    assert sorted(path.name for path in (tree / "connectors").iterdir()) == before


def test_outside_a_checkout_nothing_is_written(tmp_path):
    """A connector is written in a checkout, with its test."""
    with pytest.raises(Misconfigured, match="checkout"):
        scaffold("demo1", root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_registry_is_rewritten_in_order_and_wrapped():
    """Twice the same connector stands there once; a long list is wrapped as the formatter does."""
    text = (ROOT / "connectors" / "registry.py").read_text("utf-8")
    once = registered(text, "demo1")
    assert registered(once, "demo1") == once
    assert "demo1, desk" in once
    with pytest.raises(Misconfigured):
        registered("CONNECTORS = {}\n", "demo1")


def test_the_command_names_what_it_wrote(monkeypatch):
    """And what to run next."""
    monkeypatch.setattr(scaffold_cli, "scaffold", lambda name, title: [f"connectors/{name}/x.py", title])
    shown = CliRunner().invoke(scaffold_cli.new, ["connector", "demo-1", "--title", "T"])
    assert shown.output.splitlines() == ["connectors/demo-1/x.py", "T", "now: pytest tests/connectors/test_demo_1.py"]

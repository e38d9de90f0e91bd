"""The shape of the tree: who imports whom, how large a module is, what a file may be called and may contain.

Imports go one way, schemas <- connectors | streams <- ops; a connector never imports another.
"""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("schemas", "connectors", "streams", "ops")
MAY_IMPORT = {
    "schemas": {"schemas"},
    "connectors": {"schemas", "connectors"},
    "streams": {"schemas", "streams"},
    "ops": set(PACKAGES),
}
MOST_LINES = 300
MOST_FUNCTION_LINES = 60
VAGUE = {"util", "utils", "common", "base", "manager", "helper", "helpers", "misc"}
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".xml", ".html", ".css", ".js", ".sh", ".lock", ".txt", ".json", ""}
TOP = {
    ".ci",
    ".dockerignore",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "connectors",
    "docker-compose.yml",
    "ops",
    "pyproject.toml",
    "requirements-dev.lock",
    "requirements.lock",
    "schemas",
    "streams",
    "tests",
}


def kept_files():
    """Every file of the repository: what git knows or would take, or, without git, what is there."""
    told = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode == 0:
        return sorted(path for name in set(told.stdout.split("\0")) - {""} if (path := ROOT / name).is_file())
    return sorted(path for name in TOP for path in [ROOT / name, *(ROOT / name).rglob("*")] if path.is_file())


FILES = kept_files()
MODULES = [path for path in FILES if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in (*PACKAGES, "tests")]
SOURCES = [path for path in MODULES if path.relative_to(ROOT).parts[0] != "tests"]
CONNECTORS = {
    path.parent.name for path in SOURCES if path.parent.parent == ROOT / "connectors" and path.name == "__init__.py"
} - {"kits"}


def named(path):
    """The path below the repository, for messages."""
    return str(path.relative_to(ROOT))


def imports(path):
    """Every module that the file imports, anywhere in it, as dotted names; relative ones made absolute."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def test_there_is_something_to_look_at():
    """The rules below are not kept by an empty tree."""
    assert len(SOURCES) > 20
    assert {path.relative_to(ROOT).parts[0] for path in SOURCES} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package):
    """A lower package knows nothing of a higher one, and connectors and streams nothing of each other."""
    forbidden = {*PACKAGES, "tests"} - MAY_IMPORT[package]
    wrong = [
        f"{named(path)} imports {name}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == package
        for name in imports(path)
        if name.split(".")[0] in forbidden
    ]
    assert wrong == []


def test_connectors_do_not_import_each_other():
    """What two connectors share is a kit; only the registry knows them all."""
    wrong = [
        f"{named(path)} imports {name}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == "connectors" and path != ROOT / "connectors" / "registry.py"
        for name in imports(path)
        if (parts := name.split("."))[0] == "connectors" and len(parts) > 1
        if parts[1] in CONNECTORS - {path.relative_to(ROOT).parts[1]}
    ]
    assert wrong == []


def test_faust_stays_in_its_corner():
    """Only streams/tally.py imports faust: what may not be lost does not run on it."""
    users = {named(path) for path in SOURCES if any(name.split(".")[0] in {"faust", "mode"} for name in imports(path))}
    assert users <= {"streams/tally.py"}


def test_schemas_do_no_input_or_output():
    """Schemas and steps stay pure: the schemas import no client of anything."""
    wrong = [
        f"{named(path)} imports {name}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == "schemas"
        for name in imports(path)
        if name.split(".")[0] in {"aiokafka", "aiohttp", "sqlalchemy", "asyncio", "socket", "requests"}
    ]
    assert wrong == []


def test_modules_are_small():
    """No module is longer than 300 lines; a longer one is two."""
    long = {named(path): lines for path in MODULES if (lines := len(path.read_bytes().splitlines())) > MOST_LINES}
    assert long == {}


def test_functions_are_small():
    """No function is longer than 60 lines, docstring and all."""
    long = [
        f"{named(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or 0) - node.lineno + 1 > MOST_FUNCTION_LINES
    ]
    assert long == []


def test_names_say_what_is_in_a_file():
    """No file or folder is called utils, common, base, manager, helpers or misc, alone or as a part of its name."""
    vague = [
        named(path)
        for path in FILES
        if any(word in VAGUE for part in path.relative_to(ROOT).parts for word in re.split(r"[_.\-]", part.lower()))
    ]
    assert vague == []


def test_the_top_holds_what_a_newcomer_expects():
    """Nothing lies beside the files and folders of the architecture."""
    assert {path.relative_to(ROOT).parts[0] for path in FILES} - TOP == set()


def test_nothing_names_one_machine():
    """No path of somebody's machine stands in any file: a fresh clone elsewhere works the same."""
    homes = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/[\w.-]+")
    wrong = [
        f"{named(path)}: {match[0]}"
        for path in FILES
        if path.suffix in TEXT and "golden" not in path.parts
        for match in homes.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert wrong == []


def test_nothing_is_left_to_do():
    """No note to be done later stands in the code: it is done, or it is an issue."""
    notes = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|NotImplemented" r"Error")
    wrong = [named(path) for path in MODULES if notes.search(path.read_text(encoding="utf-8"))]
    assert wrong == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_hold_hashes_and_no_addresses(name):
    """Each package is pinned with hashes; where it is fetched from is the machine's business."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    kinds = re.compile(
        r"|# [\w ]+:|[a-z0-9._-]+==[^\s;]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", re.IGNORECASE
    )
    assert [line for line in lines if not kinds.fullmatch(line)] == []
    assert sum("==" in line for line in lines) > 40


def test_the_development_lock_holds_the_runtime_lock():
    """Tests run on exactly what is installed in production."""
    runtime, development = (
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime - development == set()


def test_every_dependency_has_its_reason():
    """In pyproject.toml a comment stands above each dependency, or above the few that belong together."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for block in re.findall(r"^(?:dependencies|dev) = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        assert lines[0].startswith("# ")
        assert sum(line.startswith("#") for line in lines) * 4 > len(lines)
        assert all(re.fullmatch(r'"[\w.-]+==[\w.]+",', line) for line in lines if not line.startswith("#"))

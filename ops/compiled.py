"""The decisions about incidents as machine code: `sztab compile`, for territories of a country's size.

mypyc, which comes with mypy, translates the same sources, so there is one text; `tests/compiled` runs the tests of the
incidents on its product. Python prefers a compiled module over its source in silence. So what it was made from is
written beside it, and nothing starts with machine code of other sources (ops/decisions/0219).
"""

import hashlib
import importlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from schemas.errors import Code, Misconfigured

ROOT: Final = Path(__file__).resolve().parent.parent
MODULES: Final = (
    "correlate",
    "deadlines",
    "feature_bits",
    "first_look",
    "incident_commands",
    "incident_content",
    "incident_doubts",
    "incident_grid",
    "incident_handover",
    "incident_joining",
    "incident_memory",
    "incident_moves",
    "incident_notices",
    "incident_reports",
    "incident_state",
    "incident_suggestions",
    "incident_summary",
    "incident_turn",
    "incidents",
    "lifecycle",
    "likeness",
    "match_weights",
)
"""Those of `streams` that a report to the incidents passes through; not the ones that define models of pydantic."""
GROUP: Final = "streams.compiled"
"""Name of what the modules share; in their package, so that it is found wherever that is."""
MADE_FROM: Final = "compiled.sha256"


def is_compiled(root: Path = ROOT) -> bool:
    """Whether machine code stands beside the sources."""
    return any(_products(root))


def refuse_other_sources(root: Path = ROOT) -> None:
    """Called before anything decides. Misconfigured(`configuration-invalid`): the machine code is of other sources."""
    noted = root / "streams" / MADE_FROM
    if is_compiled(root) and (not noted.exists() or noted.read_text(encoding="ascii") != _digest(root)):
        raise Misconfigured(
            Code.CONFIGURATION_INVALID,
            "streams/ was compiled from other sources than stand there now: run `sztab compile`, or "
            "`sztab compile --remove` to run the sources",
        )


def build(root: Path = ROOT) -> None:
    """Compile in place. Misconfigured(`tool-missing`) without mypyc, a C compiler or Python's headers."""
    try:
        mypyc, setuptools = (importlib.import_module(name) for name in ("mypyc.build", "setuptools"))
    except ImportError:
        raise Misconfigured(Code.TOOL_MISSING, "mypyc and setuptools are missing: run `make setup`") from None
    remove(root)
    before = Path.cwd()
    os.chdir(root)
    try:
        with tempfile.TemporaryDirectory(prefix="sztab-compile-") as folder:
            sources = [f"streams/{name}.py" for name in MODULES]
            extensions = mypyc.mypycify(["--strict", *sources], group_name=GROUP, target_dir=folder)
            command = setuptools.Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
            command.inplace, command.build_temp, command.build_lib = True, folder, folder
            command.ensure_finalized()
            command.run()
    except SystemExit as error:
        raise Misconfigured(Code.TOOL_MISSING, f"mypyc refused the sources: {error}") from None
    except Exception as error:
        if type(error).__name__ not in {"CompileError", "LinkError", "PlatformError"}:
            raise
        remedy = "install a C compiler and Python's headers (apt-get install gcc python3-dev)"
        raise Misconfigured(Code.TOOL_MISSING, f"the C compiler failed: {remedy}") from error
    finally:
        os.chdir(before)
    (root / "streams" / MADE_FROM).write_text(_digest(root), encoding="ascii")


def remove(root: Path = ROOT) -> None:
    """Remove the machine code; the sources are run again."""
    for one in (*_products(root), root / "streams" / MADE_FROM):
        one.unlink(missing_ok=True)


def _products(root: Path) -> Iterator[Path]:
    return (root / "streams").glob("*.so")


def _digest(root: Path) -> str:
    """Of every source in `streams` and `schemas`: types of the one are compiled into the other."""
    told = hashlib.sha256()
    for package in ("schemas", "streams"):
        for one in sorted((root / package).glob("*.py")):
            told.update(one.name.encode() + b"\0" + hashlib.sha256(one.read_bytes()).digest())
    return told.hexdigest()


@click.command("compile")
@click.option("--remove", "only_remove", is_flag=True, help="Run the sources again.")
def command(*, only_remove: bool) -> None:
    """Translate the decisions about incidents to machine code, in place: about half as much again per second.

    Needs a C compiler and Python's headers. Whoever changes a source compiles again; nothing starts before that.
    """
    if only_remove:
        remove()
        click.echo("the sources are run")
        return
    build()
    click.echo(f"compiled: {len(MODULES)} modules of streams")

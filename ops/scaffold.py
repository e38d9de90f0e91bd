"""Begins a connector: the files that every connector has, registered, with a test that passes at once."""

import keyword
import re
import subprocess
import sys
from pathlib import Path
from string import Template
from typing import Final

from schemas.errors import Code, Misconfigured

NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FILES: Final = {
    "init.txt": "connectors/{module}/__init__.py",
    "settings.txt": "connectors/{module}/settings.py",
    "translate.txt": "connectors/{module}/translate.py",
    "lab.txt": "connectors/{module}/lab.py",
    "readme.txt": "connectors/{module}/README.md",
    "golden_in.txt": "connectors/{module}/golden/first.in.json",
    "test.txt": "tests/connectors/test_{module}.py",
}
"""Template -> where it goes. The answer of the golden case is written by the new translation itself."""
REGISTRY: Final = "connectors/registry.py"
_TABLE: Final = re.compile(r"(from connectors import )\(?([\w,\s]+?),?\s*\)?\n(?=from)")
_LOOP: Final = re.compile(r"( for one in \()([\w,\s]+?),?\s*(\)\s*})")
_TEMPLATES: Final = Path(__file__).with_name("scaffold_templates")
_ROOT: Final = Path(__file__).resolve().parent.parent


def scaffold(name: str, title: str = "", root: Path = _ROOT) -> list[str]:
    """Write the connector `name` into the checkout at `root` and register it; the files, relative to it.

    Misconfigured when the name cannot be one, is taken, or there is no checkout to write into.
    """
    module = name.replace("-", "_")
    _check(name, module, root)
    told = {
        "name": name,
        "module": module,
        "class_name": "".join(part.capitalize() for part in name.split("-")),
        "title": title or f"Source {name}",
    }
    written = []
    for template, place in FILES.items():
        path = root / place.format(module=module)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (_TEMPLATES / template).read_text("utf-8")
        path.write_text(_sorted_imports(Template(text).substitute(told)), "utf-8")
        written.append(str(path.relative_to(root)))
    registry = root / REGISTRY
    registry.write_text(registered(registry.read_text("utf-8"), module), "utf-8")
    _finish(root, name, module)
    return [*written, f"connectors/{module}/golden/first.out.json", REGISTRY]


def registered(text: str, module: str) -> str:
    """The registry's source with one more connector, its names in order."""
    found = _TABLE.search(text)
    if found is None or _LOOP.search(text) is None:
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"{REGISTRY} has another shape than `sztab new` knows")
    names = sorted({*re.split(r"[,\s]+", found[2].strip(", \n")), module})
    text = _TABLE.sub(lambda match: _wrapped(match[1], names, "") + "\n", text, count=1)
    return _LOOP.sub(lambda match: match[1] + ", ".join(names) + match[3], text, count=1)


def _wrapped(begin: str, names: list[str], indent: str) -> str:
    line = indent + begin + ", ".join(names)
    if len(line) <= 120:
        return line
    return f"{indent}{begin}(\n" + "".join(f"{indent}    {name},\n" for name in names) + f"{indent})"


def _check(name: str, module: str, root: Path) -> None:
    wrong = ""
    if not NAME.fullmatch(name) or keyword.iskeyword(module) or len(name) > 40:
        wrong = "a name is small letters and digits, parts joined by a hyphen, as in far-system"
    elif not (root / REGISTRY).is_file() or not (root / "tests").is_dir():
        wrong = f"{root} is no checkout of Sztab; connectors are written in one"
    elif (root / "connectors" / module).exists() or (root / "connectors" / f"{module}.py").exists():
        wrong = f"connectors/{module} is there already"
    if wrong:
        raise Misconfigured(Code.CONFIGURATION_INVALID, wrong, "/name")


def _sorted_imports(text: str) -> str:
    """The block of `from connectors` imports in order: where the new module's name stands in it depends on the name."""
    block = re.search(r"(?:^from (?:connectors|schemas|tests)[^\n]*\n)+", text, re.MULTILINE)
    if block is None:
        return text
    lines = sorted(block[0].splitlines(keepends=True), key=lambda line: line.split()[1])
    return text[: block.start()] + "".join(lines) + text[block.end() :]


def _finish(root: Path, name: str, module: str) -> None:
    """Let the new tree itself write the golden answer and the generated pages: this process knows the old registry."""
    golden = f"""
from pathlib import Path
from connectors.contract import Document
from connectors.{module} import CONNECTOR
from tests.connectors import golden
folder = Path("connectors/{module}/golden")
translate = CONNECTOR.translate_for(CONNECTOR.settings(name={name!r}))
found = golden.meaning(translate, Document((folder / "first.in.json").read_bytes()))
golden.write(folder, "first", found)
"""
    for arguments in (["-c", golden], ["-m", "ops", "generate"]):
        done = subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Misconfigured(Code.CONFIGURATION_INVALID, f"the new connector does not run: {done.stderr[-500:]}")

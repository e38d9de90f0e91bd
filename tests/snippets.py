"""The command blocks of README.md: what a reader would copy into a terminal, command by command."""

import re
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
PICTURE = "far sides  "
"""How the one indented block begins that is drawn and not typed."""


def blocks() -> list[list[str]]:
    """The indented blocks in order, without the picture, each a list of commands; a broken line is one command."""
    found = re.findall(r"(?:^    .*\n)+", README.read_text(encoding="utf-8"), re.MULTILINE)
    texts = [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]
    return [_commands(text) for text in texts if not text.lstrip().startswith(PICTURE)]


def commands() -> list[str]:
    """Every command in order, whatever its block."""
    return [command for block in blocks() for command in block]


def _commands(text: str) -> list[str]:
    joined = re.sub(r"\\\n\s*", "", text)
    return [re.sub(r"\s+# .*", "", line).strip() for line in joined.splitlines()]

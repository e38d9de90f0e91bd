"""The runbook of the error codes: `ops/runbooks/codes.md`, one section for each."""

from functools import cache
from importlib.resources import files
from typing import Final

from schemas.errors import Code

HEADING: Final = "## "


@cache
def sections() -> dict[Code, str]:
    """What each code means and what to do, as paragraphs. ValueError for a section of no code."""
    text = (files("ops") / "runbooks" / "codes.md").read_text(encoding="utf-8")
    found: dict[Code, str] = {}
    for block in text.split(f"\n{HEADING}")[1:]:
        title, _, body = block.partition("\n")
        found[Code(title.strip())] = body.strip()
    return found

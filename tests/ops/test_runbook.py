"""The runbook of the codes."""

from ops import runbook
from schemas.errors import Code


def test_every_code_has_a_section_and_none_is_extra() -> None:
    """Whoever meets a code finds what it means and what to do; no section outlives its code."""
    assert set(runbook.sections()) == set(Code)


def test_every_section_says_what_it_means_and_what_to_do() -> None:
    """Two paragraphs at least: the meaning, the remedy."""
    assert [code for code, text in runbook.sections().items() if text.count("\n\n") < 1] == []

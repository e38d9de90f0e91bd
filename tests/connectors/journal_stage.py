"""Documents for a journal, and how to fill it."""

import os

from connectors.journal import Journal
from connectors.journal_rows import Entry, Stored
from schemas.errors import Code, Unavailable

KEY = bytes(range(32))


def entry(text: str, **more) -> Entry:
    """A document of a test's source."""
    return Entry(source="s", far_system="far", body=text.encode(), **more)


async def until_refused(journal: Journal, **more) -> list[Stored]:
    """Append documents of 10 kB until there is no room; those that were kept."""
    kept: list[Stored] = []
    try:
        while True:
            kept.append(await journal.append(entry(os.urandom(5000).hex(), **more)))
    except Unavailable as refused:
        assert refused.code is Code.JOURNAL_FULL  # noqa: PT017 - what was kept before matters too
    return kept

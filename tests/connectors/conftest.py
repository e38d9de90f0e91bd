"""What tests of the intake share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.journal import Journal
from tests.connectors.journal_stage import KEY


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """An empty journal that runs."""
    one = Journal(tmp_path / "journal.db", KEY)
    await one.start()
    yield one
    await one.close()

"""The connector keeps the contract of every source."""

from connectors.file import CONNECTOR
from tests.contract.source_suite import SourceContract


class TestFile(SourceContract):
    """All of it, but for what is exempt with a reason."""

    connector = CONNECTOR

"""The desk keeps the contract of every source."""

from connectors.desk import CONNECTOR
from tests.contract.source_suite import SourceContract


class TestDesk(SourceContract):
    """All of it."""

    connector = CONNECTOR

"""The call centre keeps the contract of every source."""

from connectors.cpr import CONNECTOR
from tests.contract.source_suite import SourceContract


class TestCpr(SourceContract):
    """All of it."""

    connector = CONNECTOR

"""The connector keeps the contract of every source."""

from connectors.sia_dc09 import CONNECTOR
from tests.contract.source_suite import SourceContract


class TestSiaDc09(SourceContract):
    """All of it, but for what is exempt with a reason."""

    connector = CONNECTOR

"""The connector keeps the contract of every source."""

from connectors.imgw_meteo import CONNECTOR
from tests.contract.source_suite import SourceContract


class TestImgwMeteo(SourceContract):
    """All of it, but for what is exempt with a reason."""

    connector = CONNECTOR

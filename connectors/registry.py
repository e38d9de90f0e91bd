"""The connectors that a configuration may name. A plain table: nothing is discovered by importing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors import cpr, desk, file, imgw_meteo, sia_dc09, webhook
from connectors.contract import Connector

CONNECTORS: Final[Mapping[str, Connector]] = MappingProxyType(
    {one.CONNECTOR.name: one.CONNECTOR for one in (cpr, desk, file, imgw_meteo, sia_dc09, webhook)}
)
"""Name -> declaration."""

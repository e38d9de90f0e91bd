"""The connectors that a configuration may name. A plain table: nothing is discovered by importing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from connectors import cpr, desk, file, webhook
from connectors.contract import Connector

CONNECTORS: Final[Mapping[str, Connector]] = MappingProxyType(
    {one.CONNECTOR.name: one.CONNECTOR for one in (cpr, desk, file, webhook)}
)
"""Name -> declaration."""

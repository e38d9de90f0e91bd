"""Settings of one emergency call centre (CPR)."""

from connectors.contract import Lane, SourceSettings
from connectors.kits.local_time import ZoneName


class CprSettings(SourceSettings):
    """One CPR that sends us forms."""

    lane: Lane = "emergency"
    """Emergency calls never wait behind other reports."""
    emergency: bool = True
    """No back-pressure; silence is an urgent alarm."""
    zone: ZoneName = "Europe/Warsaw"
    """Time zone of times without an offset."""

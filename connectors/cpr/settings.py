"""Settings of one emergency call centre (CPR)."""

from connectors.contract import SourceSettings


class CprSettings(SourceSettings):
    """One CPR that sends us forms."""

    lane: str = "emergency"
    """Emergency calls never wait behind other reports."""
    emergency: bool = True
    """No back-pressure; silence is an urgent alarm."""
    zone: str = "Europe/Warsaw"
    """Time zone of times without an offset."""

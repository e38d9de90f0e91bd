"""Settings of the post's own desk."""

from connectors.contract import SourceSettings
from connectors.kits.local_time import ZoneName


class DeskSettings(SourceSettings):
    """What the officers of the post type themselves."""

    emergency: bool = True
    """No back-pressure: an officer is never told to come later while the call centre is heard."""
    zone: ZoneName = "Europe/Warsaw"
    """Time zone of times without an offset."""

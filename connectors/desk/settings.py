"""Settings of the post's own desk."""

from connectors.contract import SourceSettings


class DeskSettings(SourceSettings):
    """What the officers of the post type themselves."""

    zone: str = "Europe/Warsaw"
    """Time zone of times without an offset."""

"""Polls IMGW's meteorological warnings."""

from connectors.imgw_meteo.settings import ImgwSettings
from connectors.imgw_meteo.translate import counts
from connectors.kits.polling import Feed, SnapshotSource


def source(settings: ImgwSettings) -> SnapshotSource:
    """The poller of the feed. "Nothing in force" comes as 404 with a certain body; any other 404 is an outage."""
    feed = Feed(settings.url, settings.poll_seconds, settings.timeout_seconds, settings.max_bytes)
    return SnapshotSource(feed, counts)

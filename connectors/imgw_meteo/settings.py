"""Settings of an `imgw-meteo` source."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from connectors.contract import SourceSettings
from connectors.kits.local_time import ZoneName


class ImgwSettings(SourceSettings):
    """One poller of the meteorological warnings. An installation has one."""

    url: str = "https://danepubliczne.imgw.pl/api/data/warningsmeteo"
    """The feed. Plain HTTP only to this machine."""
    poll_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Pause between two polls; public clients use 5 to 10 minutes."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 30.0
    """Longest wait for a whole answer."""
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 20
    """Largest answer; a day of storms in the whole country is about 100 KB."""
    zone: ZoneName = "Europe/Warsaw"
    """Time zone of the feed's times, which carry none. Not officially stated, hence a setting."""

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}):
            return url
        raise ValueError("https://..., or http:// to this machine")

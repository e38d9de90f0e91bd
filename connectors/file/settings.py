"""Settings of a `file` source."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from connectors.contract import SourceSettings
from connectors.file.mapping import load
from schemas.errors import Misconfigured


class FileSettings(SourceSettings):
    """One file of history or of a partner who can only write files: where it is and what its columns mean."""

    path: Path
    """The file: CSV or JSON Lines, plain or gzip (known by its first bytes)."""
    mapping: str
    """Name of a shipped mapping (`montgomery911`, `chp_incidents`) or path of a YAML file."""
    rows_at_once: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Rows handed over together."""
    look_again_seconds: Annotated[float, Field(gt=0)] = 5.0
    """How often the file is looked at for rows appended after its end."""
    most_unpacked_bytes: Annotated[int, Field(ge=1)] = 8 << 30
    """A gzip file that unpacks to more is not read further."""
    most_unpacked_ratio: Annotated[int, Field(ge=2)] = 200
    """A gzip file that unpacks to more than this many times its size (and 16 MiB) is not read further."""

    @field_validator("mapping")
    @classmethod
    def _loads(cls, mapping: str) -> str:
        try:
            load(mapping)
        except Misconfigured as error:
            raise ValueError(error.detail) from None
        return mapping

    @property
    def codes(self) -> str:
        """Name of the catalogue's mapping for this file's codes: that of its own mapping. Misconfigured as `load`."""
        return load(self.mapping).name

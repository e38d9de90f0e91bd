"""A partner who writes files, for tests and the demo."""

import tempfile
from pathlib import Path
from typing import Any, Final

from connectors.file.settings import FileSettings

MAPPING: Final = """
name: lab
title: Log of a partner who only writes files
id: number
time: {column: taken, zone: Europe/Warsaw}
point: {lat: lat, lon: lon}
place: {locality: town, street: street}
category: {column: kind}
text: {description: what}
fixed: {channel: phone}
"""
HEADER: Final = "number,taken,lat,lon,town,street,kind,what\n"


class FileLab:
    """Appends rows to one file."""

    content_type = "text/csv"

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.path = Path()

    async def start(self) -> None:
        """Begin a file with its header and no rows."""
        self._folder = tempfile.TemporaryDirectory(prefix="sztab-file-lab-")
        self.path = Path(self._folder.name) / "log.csv"
        self.path.write_text(HEADER)
        self.path.with_name("mapping.yaml").write_text(MAPPING)

    async def stop(self) -> None:
        """Take everything away. Also twice."""
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def settings(self, name: str = "partner-log", **changes: Any) -> FileSettings:
        """The source as our installation would configure it, looking again quickly. Call after `start`."""
        mapping = str(self.path.with_name("mapping.yaml"))
        told = {"name": name, "path": self.path, "mapping": mapping, "look_again_seconds": 0.01}
        return FileSettings.model_validate({**told, **changes})

    def write(self, line: str) -> None:
        """Append one line."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    async def tell(self, number: int) -> None:
        """Append one call."""
        self.write(f"{number},2026-02-14 18:{number % 60:02d}:00,51.757,18.115,Kalisz,Łódzka,2.3,stłuczka przy sklepie")

    async def revise(self, number: int) -> None:
        """Append one call's row again, with other words."""
        self.write(f"1,2026-02-14 18:00:00,51.757,18.115,Kalisz,Łódzka,2.3,stłuczka i {number} rannych")

    async def garble(self) -> None:
        """Append a line that is no row of this file."""
        self.write("to nie jest wiersz tego pliku")

    async def go_down(self) -> None:
        """Take the file away."""
        self.path.rename(self.path.with_suffix(".away"))

    async def come_back(self) -> None:
        """Put the file back."""
        self.path.with_suffix(".away").rename(self.path)

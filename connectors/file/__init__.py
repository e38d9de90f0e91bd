"""Files as a source: CSV or JSON Lines, plain or gzip, by a YAML mapping (see README.md beside this file)."""

from connectors.contract import Connector
from connectors.file.lab import FileLab
from connectors.file.settings import FileSettings
from connectors.file.source import FileSource
from connectors.file.translate import translate_for
from schemas.report import Report

CONNECTOR = Connector(
    name="file",
    title="Files of rows: history, exports, partners who can only write files",
    settings=FileSettings,
    lane="police",
    translate_for=translate_for,
    source=FileSource,
    content_types=("text/csv", "application/x-ndjson"),
    lab=FileLab,
    emits=(Report,),
    exempt={"credentials": "a file has none but the rights of the operating system, which an administrator passes by"},
)

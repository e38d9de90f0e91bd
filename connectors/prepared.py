"""A journal row on its way to the broker: where it came from, and the records it becomes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.contract import SourceSettings
from connectors.journal_rows import Mark
from connectors.keys import ThreadKey
from schemas.envelope import Headers
from schemas.finding import Finding


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record for the broker. `topic` is logical; the publisher puts the installation's prefix in front."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row ready for the broker: its records, the threads whose order it keeps, and the mark it gets at the end."""

    row: int
    received_ms: int
    source: str
    document_id: str
    records: tuple[Outgoing, ...]
    threads: tuple[str, ...]
    mark: Mark
    keys: tuple[ThreadKey, ...] = ()
    findings: tuple[Finding, ...] = ()
    in_order: bool = False
    """Of fed history: all such rows go in row order, so that none waits for the answer to another of its thread."""

    @property
    def size(self) -> int:
        """Bytes of its records' values."""
        return sum(len(one.value) for one in self.records)

    @property
    def report_ids(self) -> tuple[str, ...]:
        """Ids of what the document became."""
        return tuple(report for report, _ in self.mark.reports)


@dataclass(frozen=True, slots=True)
class Origin:
    """The source instance a row came from: its connector's name, lane and settings."""

    connector: str
    lane: str
    settings: SourceSettings

    @property
    def far_system(self) -> str:
        """Configured name of the sending system."""
        return self.settings.far_system or self.settings.name


def traceparent(document_id: str, context: Mapping[str, str]) -> str:
    """The far side's W3C trace context where it sent one, else one that follows from the document."""
    told = context.get("traceparent", "")
    if len(told) == 55 and told.isascii() and told.startswith("00-"):
        return told
    digest = hashlib.sha256(document_id.encode()).hexdigest()
    return f"00-{digest[:32]}-{digest[32:48]}-01"

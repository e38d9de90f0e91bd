"""One source instance as the runner keeps it: what it is, how it is, and what is said of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import structlog

from connectors.contract import Connector, SourceSettings, Translate, Translation
from connectors.journal_rows import Entry, Stored
from connectors.prepared import Origin
from schemas.envelope import Headers
from schemas.errors import Code, Misconfigured
from schemas.feed import FeedState, FeedStatus
from schemas.notice import SnapshotTaken
from schemas.report import WALL, Revision, Telling
from schemas.wire import derived_id, record

log = structlog.get_logger()

LANES: Final = ("emergency", "police", "civil", "commands")


class Feed:
    """A source instance: connector, settings, translation, state and counters since start."""

    def __init__(self, connector: Connector, settings: SourceSettings) -> None:
        lane = settings.lane or connector.lane
        if lane not in LANES:
            raise Misconfigured(Code.CONFIGURATION_INVALID, f"{settings.name}: no lane is called {lane!r}", "/lane")
        if connector.translate_for is None:
            raise Misconfigured(Code.CONFIGURATION_INVALID, f"{connector.name} is no source", "/connector")
        self.connector, self.settings = connector, settings
        self.translate: Translate = connector.translate_for(settings)
        self.origin = Origin(connector.name, lane, settings)
        self.state = FeedState.STOPPED
        self.since = datetime.now(UTC)
        self.code: Code | None = None
        self.documents = self.rejected = self.attempts = 0
        self.last_document_at: datetime | None = None
        self.skew_seconds: float | None = None
        self.unclear: Code | None = None
        """Why the picture that a polled feed shows now is not fully understood."""

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.settings.name

    def entry(
        self, body: bytes, content_type: str | None, occurrence: str, cursor: str | None, context: Mapping[str, str]
    ) -> Entry:
        """A document of this source on its way into the journal."""
        return Entry(
            source=self.name,
            far_system=self.origin.far_system,
            body=body,
            content_type=None if content_type is None else _text(content_type),
            occurrence=occurrence,
            cursor=cursor,
            context={name: _text(value) for name, value in context.items()},
            emergency=self.settings.emergency,
        )

    def become(self, state: FeedState, code: Code | None = None) -> bool:
        """Change state; one line in the log for each change, none for the same again. Whether it changed."""
        if state is self.state:
            self.code = code
            return False
        say = {FeedState.DOWN: log.warning, FeedState.DENIED: log.error}.get(state, log.info)
        say("source_" + state.value, source=self.name, code=code.value if code else None)
        self.state, self.code, self.since = state, code, datetime.now(UTC)
        return True

    def lived(self) -> None:
        """The far side answered and had nothing new: no document, but a word of it within its rhythm all the same."""
        self.last_document_at = datetime.now(UTC)

    def took(self, stored: Stored, translation: Translation | None) -> None:
        """Count a new document; None: it was not understood. Notes how far the far clock is from ours.

        A snapshot that is not complete counts as not understood too: what is shown of it hides that rows are missing.
        """
        self.documents += 1
        self.last_document_at = stored.received_at
        if SnapshotTaken in self.connector.emits:
            self.unclear = None if translation is not None and _complete(translation) else Code.NOT_UNDERSTOOD
        if translation is None:
            self.rejected += 1
            return
        self.rejected += not _complete(translation)
        for told in translation.events:
            said = told.payload
            if isinstance(said, Telling) and said.registered_at and said.revision is Revision.NEW:
                self.skew_seconds = None
                if said.clock == WALL:
                    self.skew_seconds = round((said.registered_at - stored.received_at).total_seconds(), 3)

    def status(self, node: str) -> tuple[bytes, Headers]:
        """What is said of it now: value and headers of a record for `feed.status`."""
        now = datetime.now(UTC)
        code = self.unclear if self.state is FeedState.UP else self.code
        status = FeedStatus(
            feed=self.name,
            system=self.connector.name,
            node=node,
            state=self.state,
            since=self.since,
            said_at=now,
            last_document_at=self.last_document_at,
            documents=self.documents,
            rejected=self.rejected,
            expected_every_seconds=self.settings.expected_every_seconds,
            emergency=self.settings.emergency,
            code=code.value if code else None,
            skew_seconds=self.skew_seconds,
        )
        return record(
            status,
            id=derived_id("feed", node, self.name, now.isoformat()),
            source=f"/sztab/{node}/{self.name}",
            time=now.isoformat().replace("+00:00", "Z"),
            extensions={"kind": self.state.value},
        )


def _text(told: str) -> str:
    """A header's text with what is no UTF-8 in it replaced: nothing of a far side's header may stop its document."""
    return told.encode(errors="replace").decode()


def _complete(translation: Translation) -> bool:
    """Whether no snapshot in it has a row that was not understood."""
    said = (told.payload for told in translation.events)
    return all(one.complete for one in said if isinstance(one, SnapshotTaken))

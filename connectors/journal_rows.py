"""The rows of the intake journal: what goes in, what comes back, how bytes are sealed and chained."""

import hashlib
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final, NamedTuple

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connectors.contract import Document
from schemas.errors import Code, Rejected
from schemas.privacy import NONCE_BYTES
from schemas.wire import secret_id

FIRST_LINK: Final = hashlib.sha256(b"sztab journal").digest()
"""What the first row's chain value rests on."""


HELD_CODE: Final = Code.STATE_FOREIGN
"""Why a row of a restored journal is held: journal and topics are of different ages."""
GAP_CODE: Final = Code.JOURNAL_UNAVAILABLE
"""Why the row that begins an epoch is set aside: what was received in the gap is not in the journal."""
Gap = tuple[int, int]
"""Of which time a restored journal knows nothing: when its backup was made, when it was put back (epoch ms)."""


class RowState(IntEnum):
    """Where a row is on its way. HELD: since a restore a person must say whether it leaves (see `journal_epochs`)."""

    RECEIVED = 0
    PUBLISHED = 1
    QUARANTINE_PENDING = 2
    QUARANTINED = 3
    HELD = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a document was set aside: code, JSON pointer, detail without input text."""

    code: Code
    detail: str
    at: str = ""

    def to_json(self) -> str:
        """The text that the journal keeps."""
        return orjson.dumps([self.code.value, self.detail, self.at]).decode()

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """The verdict kept by `to_json`."""
        code, detail, at = orjson.loads(text)
        return cls(Code(code), detail, at)

    @classmethod
    def of(cls, error: Rejected) -> "Verdict":
        """The verdict that an error names."""
        return cls(error.code, error.detail, error.at)


@dataclass(frozen=True, slots=True)
class Entry:
    """One document on its way into the journal. `emergency` entries may use the last fifth of the room."""

    source: str
    far_system: str
    body: bytes
    content_type: str | None = None
    occurrence: str = ""
    cursor: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    emergency: bool = False


class Stored(NamedTuple):
    """What the journal says of an appended document: durable, under this row. `repeated`: it was there before."""

    row: int
    document_id: str
    sha256: str
    received_ms: int
    state: RowState
    verdict: Verdict | None
    repeated: bool

    @property
    def received_at(self) -> datetime:
        """When the journal held it."""
        return datetime.fromtimestamp(self.received_ms / 1000, UTC)


@dataclass(frozen=True, slots=True)
class JournalRow:
    """A row read back. `body` is None when it was trimmed or is damaged; `reports` are (id, payload kind) it became."""

    stored: Stored
    source: str
    far_system: str
    content_type: str | None
    occurrence: str
    context: Mapping[str, str]
    thread: str | None
    reports: tuple[tuple[str, str], ...]
    body: bytes | None

    def document(self) -> Document:
        """The document as the source gave it; Rejected(`record-invalid`) when its bytes were trimmed or are damaged."""
        if self.body is None:
            raise Rejected(Code.RECORD_INVALID, "the document's bytes are not kept or are damaged")
        return Document(self.body, self.content_type, self.occurrence, None, self.context)


class Mark(NamedTuple):
    """What became of a row, noted lazily: losing a mark only means that the row is published once more."""

    row: int
    state: RowState
    reports: tuple[tuple[str, str], ...] = ()
    thread: str | None = None
    verdict: Verdict | None = None


class Decision(NamedTuple):
    """What was decided of a held row: it leaves as if it were new, or never. Kept with who, why and when."""

    row: int
    released: bool
    by: str
    reason: str
    at_ms: int


class StoredKey(NamedTuple):
    """A thread's wrapped key as the journal keeps it; `published` once `keys.current` holds it."""

    thread_id: str
    key_id: str
    nonce: bytes
    wrapped: bytes
    published: bool = False


def document_id(ids_key: bytes, far_system: str, sha256: str, occurrence: str) -> str:
    """Names bytes of a far system and their n-th lawful occurrence, on whichever node they arrive."""
    return secret_id(ids_key, "document", far_system, sha256, occurrence)


def link(previous: bytes, row: int, document: str, digest: bytes, received_ms: int) -> bytes:
    """The chain value of a row: a digest over the one before and over what names this row's bytes."""
    return hashlib.sha256(
        previous + row.to_bytes(8, "big") + received_ms.to_bytes(8, "big") + digest + document.encode()
    ).digest()


def seal_body(cipher: AESGCM, document: str, body: bytes) -> bytes:
    """Nonce and AES-256-GCM ciphertext of a body, bound to its document."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, body, document.encode())


def open_body(cipher: AESGCM, document: str, sealed: bytes) -> bytes:
    """The body; Rejected(`record-invalid`) when the bytes were changed or the key is another installation's."""
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], document.encode())
    except (InvalidTag, ValueError):
        raise Rejected(Code.RECORD_INVALID, "a journal row does not open") from None


def checksum(sealed: bytes) -> int:
    """CRC-32 of the sealed bytes: finds a flipped bit without the key."""
    return zlib.crc32(sealed)


def context_text(context: Mapping[str, str]) -> str | None:
    """The kept form of a document's context."""
    return orjson.dumps(dict(context)).decode() if context else None


def reports_text(reports: tuple[tuple[str, str], ...]) -> str:
    """The kept form of a row's report ids with their payload kinds."""
    return orjson.dumps(reports).decode()


def loaded(text: str | None, empty: Any) -> Any:
    """JSON that this module wrote, or `empty` for none."""
    return orjson.loads(text) if text else empty

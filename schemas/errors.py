"""Errors, named by what happens next.

    SztabError
    +-- Misconfigured   refuse to start; a person mends the configuration
    +-- Denied          stop and page; credentials or rights are wrong
    +-- Unavailable     wait and retry; the far side or a part of ours is not there
    +-- Rejected        set this one aside; the neighbours go on

Every code stands in `ops/runbooks/codes.md` with what to do, and is the last part of the RFC 9457 problem type.
"""

from enum import StrEnum
from typing import Final


class Code(StrEnum):
    """The closed list of reasons. A test holds it against the runbook."""

    # Misconfigured
    CONFIGURATION_INVALID = "configuration-invalid"
    TOOL_MISSING = "tool-missing"
    TOPIC_MISMATCH = "topic-mismatch"
    RETENTION_OUTSIDE_LIMITS = "retention-outside-limits"
    PARTITIONS_FEWER = "partitions-fewer"
    KEY_FILE_UNSAFE = "key-file-unsafe"
    STATE_FOREIGN = "state-foreign"
    # Denied
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    RECIPIENT_GONE = "recipient-gone"
    # Unavailable
    BROKER_UNAVAILABLE = "broker-unavailable"
    FAR_SIDE_UNAVAILABLE = "far-side-unavailable"
    JOURNAL_FULL = "journal-full"
    JOURNAL_UNAVAILABLE = "journal-unavailable"
    OVERLOADED = "overloaded"
    # Rejected: the document
    TOO_LARGE = "too-large"
    EMPTY = "empty"
    WRONG_CONTENT_TYPE = "wrong-content-type"
    ENCODING_INVALID = "encoding-invalid"
    COMPRESSION_INVALID = "compression-invalid"
    SYNTAX_INVALID = "syntax-invalid"
    TOO_DEEP = "too-deep"
    DUPLICATE_KEY = "duplicate-key"
    NUMBER_INVALID = "number-invalid"
    FIELD_MISSING = "field-missing"
    FIELD_INVALID = "field-invalid"
    FRAME_INVALID = "frame-invalid"
    CRC_MISMATCH = "crc-mismatch"
    NOT_UNDERSTOOD = "not-understood"
    # Rejected: the record or the delivery
    RECORD_INVALID = "record-invalid"
    OUTPUT_TOO_LARGE = "output-too-large"
    STEP_BUG = "step-bug"
    TRANSLATION_BUG = "translation-bug"
    RECIPIENT_REFUSED = "recipient-refused"
    MODE_MIXED = "mode-mixed"
    # Rejected: the command
    SOURCE_UNKNOWN = "source-unknown"
    UNKNOWN_HERE = "unknown-here"
    INCIDENT_UNKNOWN = "incident-unknown"
    REPORT_UNKNOWN = "report-unknown"
    VERSION_CONFLICT = "version-conflict"
    STATE_FORBIDS = "state-forbids"
    REASON_MISSING = "reason-missing"
    COMMAND_UNKNOWN = "command-unknown"
    KEY_REUSED = "key-reused"


class SztabError(Exception):
    """Any failure that we name. `at` is a JSON pointer into the input, or empty; `detail` never holds input text."""

    next_step: str = ""

    def __init__(self, code: Code, detail: str, at: str = "") -> None:
        super().__init__(f"{code.value}: {detail}" + (f" (at {at})" if at else ""))
        self.code: Final = code
        self.detail: Final = detail
        self.at: Final = at


class Misconfigured(SztabError):
    """What we were given to start with is wrong: nothing starts until a person mends it."""

    next_step = "refuse to start"


class Denied(SztabError):
    """We or the caller may not: stop, tell a person, do not retry."""

    next_step = "stop and page"


class Unavailable(SztabError):
    """Not there now: wait and try again, nothing is lost meanwhile.

    `retry_after_seconds` is what the far side asked for, if it did.
    """

    next_step = "wait and retry"

    def __init__(self, code: Code, detail: str, at: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(code, detail, at)
        self.retry_after_seconds: Final = retry_after_seconds


class Rejected(SztabError):
    """This one cannot be handled: it is set aside where a person sees it, its neighbours go on."""

    next_step = "set this one aside"

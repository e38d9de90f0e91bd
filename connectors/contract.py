"""What a connector is: a source, a sink, or both.

A source brings documents in; `translate` says what they mean; the runner owns order, concurrency, back-pressure,
retries, the
wording of outages, metrics and feed status. A sink takes messages to the far side. Neither knows Kafka, ids or keys.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.command import Command
from schemas.delivery import Delivery
from schemas.errors import Code
from schemas.finding import Finding
from schemas.model import Message
from schemas.notice import SnapshotTaken
from schemas.report import Mode, Person, Telling


def _readable(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        msg = f"not a regular expression: {error.msg}"
        raise ValueError(msg) from None
    return pattern


Pattern = Annotated[str, AfterValidator(_readable)]
"""A regular expression, refused with the configuration where it is none."""


Lane = Literal["", "emergency", "police", "civil"]
"""Where reports go in; empty: where the connector says."""


class SourceSettings(BaseModel):
    """What every source instance has, beside its connector's own settings (which inherit from this)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
    """Name of the instance: unique, in addresses and metrics, `[a-z0-9-]+`."""
    far_system: str = ""
    """Configured name of the sending system, never a node; empty: the instance's name."""
    lane: Lane = ""
    """`emergency`, `police` or `civil`; empty: the connector's."""
    mode: Mode = Mode.REAL
    """What this source's documents are, unless they say otherwise."""
    emergency: bool = False
    """An emergency source meets no back-pressure, and its silence is an urgent alarm."""
    expected_every_seconds: Annotated[float, Field(gt=0)] | None = None
    """Expected rhythm; silence beyond it is an alarm. None: none is expected."""
    max_bytes: Annotated[int, Field(ge=1)] = 1_048_576
    """Largest document."""
    token_sha256: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{64})?$")] = ""
    """SHA-256 of the bearer token of who may speak, hexadecimal. Empty: loopback only."""
    unit: str = ""
    """Responsible unit when this source fixes it."""
    placeholder_numbers: tuple[Pattern, ...] = (r"0+", r"112\d*", r"(\d)\1{6,}", r"ANONYM.*|UNKNOWN|NIEZNANY|ZASTRZE.*")
    """Numbers shown for a phone without SIM or a withheld one, as regular expressions over letters and digits alone:
    they never count as "same caller"."""


@dataclass(frozen=True, slots=True)
class Document:
    """The bytes that a far side sent, untouched.

    `occurrence` tells apart what may lawfully come twice with equal bytes (file: n-th occurrence of the row; SIA:
    sequence and time
    stamp; polled feed: the poll after a change). Equal bytes with equal occurrence are one document. `cursor` is
    where to go on
    after this document; saved once its row is durable. `context` is for the translation only: mapping name, peer,
    HTTP query.
    """

    body: bytes
    content_type: str | None = None
    occurrence: str = ""
    cursor: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)


class Held(StrEnum):
    """Where an accepted document is held when the answer goes out."""

    BROKER = "broker"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The journal holds the document: the far side may be told yes."""

    document_id: str
    held: Held
    report_ids: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The document is not ours to keep, or is kept in quarantine (`document_id` set).

    Code, JSON pointer, detail without input text.
    """

    code: Code
    detail: str
    at: str = ""
    document_id: str | None = None


Settled = Accepted | Refused


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents in order.

    `settle` is called once per document, in order, when its outcome is known; a far side that waits is answered
    there.
    """

    documents: tuple[Document, ...]
    cursor: str | None = None
    settle: Callable[[Document, Settled], Awaitable[None]] | None = None


class Source(Protocol):
    """I/O with one far side.

    The runner calls `connect`, then `read` again and again, then `close`; no call overlaps another.
    """

    async def connect(self) -> None:
        """Get ready. Denied: stop and page. Unavailable: the runner calls again later."""

    async def read(self, cursor: str | None) -> Batch:
        """Wait until there is something after `cursor` and give it.

        Unavailable: the runner connects anew. Cancelled at will: nothing may be lost.
        """

    async def close(self) -> None:
        """Give everything back. Also twice, also before connect."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a document, before the runner gives it identity and seals persons.

    `far_id` None: the runner makes the thread of the document itself. `revision_order` sorts revisions of a thread.
    `plates` are vehicle registration numbers told apart from persons; like phones and PESELs they become keyed hashes.
    """

    payload: Telling | SnapshotTaken | Command
    far_id: str | None = None
    far_revision: str | None = None
    revision_order: int = 0
    mode: Mode | None = None
    caller: Person | None = None
    subscriber: Person | None = None
    persons: tuple[Person, ...] = ()
    plates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Translation:
    """What a document means, and what was odd about it. No events is lawful (heartbeat, "nothing in force")."""

    events: tuple[Told, ...] = ()
    findings: tuple[Finding, ...] = ()


class SinkSettings(BaseModel):
    """What every recipient has, beside its connector's own settings (which inherit from this)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the recipient: unique, in topics, rules and metrics, `[a-z0-9-]+`."""
    installation: str = ""
    """Our name in outgoing messages (loops are broken by it); empty: the installation's."""
    replay: bool = False
    """Whether the recipient agreed to get history again (`sztab replay --recipients`) and ignores what it has."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The far side holds the message.

    `far_reference` is its own name for it; `superseded`: it had a newer one already. `sent` is False when nothing
    left the house, so that nothing was disclosed: such a receipt has no audit record.
    """

    far_reference: str | None = None
    superseded: bool = False
    sent: bool = True


class Sink(Protocol):
    """I/O with one recipient.

    `write` is never called twice at once for one subject; again with the same delivery id changes nothing there.
    """

    async def connect(self) -> None:
        """Get ready. Denied: stop and page. Unavailable: called again later."""

    async def write(self, delivery: Delivery) -> Receipt:
        """Returning means the far side holds it.

        Unavailable: again later. Rejected: this one to quarantine. Denied: the sink stops.
        """

    async def close(self) -> None:
        """Give everything back. Also twice, also before connect."""


Translate = Callable[[Document], Translation]
"""Pure and total: any bytes in, a Translation or `Rejected(code, at, detail)` out; never another exception."""

Compose = Callable[[Delivery], bytes]
"""Pure: the far side's format of a delivery."""


@dataclass(frozen=True, slots=True)
class Connector:
    """The declaration of a connector, the only name in its `__init__`: what it is called, what it needs, what it does.

    `push` sources have no `source`: the intake's HTTP listener hands their documents to the runner.
    `sink_settings` describe a recipient; None: `settings` do. `translate_for` builds the
    translation from the instance's settings. `lab` is the far side's wire for contract tests and the demo.
    `emits` lists payload
    types. `exempt` names rules of the contract suite that do not hold, each with its reason; printed in the
    connector table.
    """

    name: str
    title: str
    settings: type[BaseModel]
    lane: str = "police"
    translate_for: Callable[[Any], Translate] | None = None
    source: Callable[[Any], Source] | None = None
    push: bool = False
    content_types: tuple[str, ...] = ("application/json",)
    sink: Callable[[Any], Sink] | None = None
    sink_settings: type[SinkSettings] | None = None
    compose: Compose | None = None
    lab: Callable[[], Any] | None = None
    emits: tuple[type[Message], ...] = ()
    exempt: Mapping[str, str] = field(default_factory=dict)

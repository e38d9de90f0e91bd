"""Who is who: from a journal row and its translation to records with ids, sealed persons and keyed hashes.

Everything here follows from the row, so a row published again after a crash gives the same ids and the same content
(the nonces of sealed fields apart).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.contract import Told, Translation
from connectors.journal_rows import HELD_CODE, Mark, RowState, Stored, Verdict
from connectors.keys import ThreadKey, ThreadKeys
from connectors.prepared import Origin, Outgoing, Prepared, traceparent
from schemas import topics
from schemas.command import Command
from schemas.delivery import Quarantined
from schemas.errors import Code, Rejected
from schemas.finding import Finding, FindingCode
from schemas.model import Message
from schemas.notice import SnapshotTaken
from schemas.privacy import Sealed, derive, seal, token
from schemas.report import RECORDS, DocumentRef, Mode, Person, Persons, Report, Telling
from schemas.wire import derived_id, record, secret_id

_PESEL_WEIGHTS: Final = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
STAGE: Final = "intake"
CORRECTS: Final = "corrects"
"""Name in a document's context of the document that it corrects; only our own quarantine says so."""


def wrong_pesel(text: str) -> bool:
    """Whether a PESEL is not 11 digits with the right check digit (weights 1 3 7 9 1 3 7 9 1 3)."""
    if len(text) != 11 or not (text.isascii() and text.isdigit()):
        return True
    total = sum(int(digit) * weight for digit, weight in zip(text, _PESEL_WEIGHTS, strict=False))
    return (10 - total % 10) % 10 != int(text[10])


class Identity:
    """Gives ids and seals persons for one intake node of one installation. `mode` is the installation's own."""

    def __init__(self, installation: bytes, node: str, keys: ThreadKeys, mode: Mode = Mode.REAL) -> None:
        self._ids = derive(installation, "ids")
        self._tokens = derive(installation, "tokens")
        self._node, self._keys, self._mode = node, keys, mode

    def prepare(
        self, origin: Origin, stored: Stored, occurrence: str, context: Mapping[str, str], translation: Translation
    ) -> Prepared:
        """The records of a translated row. Rejected(`mode-mixed`) when it may not meet this installation's data."""
        about = _Row(
            origin,
            stored,
            occurrence,
            traceparent(stored.document_id, context),
            translation.findings,
            context.get(CORRECTS),
        )
        records: list[Outgoing] = []
        reports: list[tuple[str, str]] = []
        threads: dict[str, None] = {}
        keys: dict[str, ThreadKey] = {}
        for ordinal, told in enumerate(translation.events):
            thread, made, outgoing = self._event(about, ordinal, told, keys)
            threads[thread] = None
            reports.append((made, type(told.payload).__name__.replace("Telling", "Report")))
            records.append(outgoing)
        fed = any(_fed(told.payload) for told in translation.events)
        fresh = tuple(key for key in keys.values() if not key.published)
        mark = Mark(stored.row, RowState.PUBLISHED, tuple(reports), next(iter(threads), None))
        numbers = tuple(finding for told in translation.events for finding in _pesel_findings(told))
        return Prepared(
            row=stored.row,
            received_ms=stored.received_ms,
            source=origin.settings.name,
            document_id=stored.document_id,
            records=(*(self._key_record(about, key) for key in fresh), *records),
            threads=() if fed else tuple(threads),
            mark=mark,
            keys=fresh,
            findings=translation.findings + numbers,
            in_order=fed,
        )

    def quarantined(
        self, source: str, stored: Stored, verdict: Verdict, context: Mapping[str, str], far_system: str = ""
    ) -> Prepared:
        """The record that sets a row aside: its bytes stay in this node's journal."""
        item = Quarantined(
            item_id=derived_id(STAGE, stored.document_id),
            stage=STAGE,
            code=verdict.code,
            at=verdict.at,
            detail=verdict.detail,
            source=source,
            document_id=stored.document_id,
            node=self._node,
            peer=far_system or None,
            set_aside_at=stored.received_at,
        )
        extensions = {
            "documentid": stored.document_id,
            "kind": verdict.code.value,
            "traceparent": traceparent(stored.document_id, context),
        }
        outgoing = self._record(topics.QUARANTINE, stored.document_id, item, item.item_id, source, stored, extensions)
        held = verdict.code is HELD_CODE
        mark = Mark(stored.row, RowState.HELD if held else RowState.QUARANTINED, verdict=verdict)
        return Prepared(stored.row, stored.received_ms, source, stored.document_id, (outgoing,), (), mark)

    def _event(self, about: "_Row", ordinal: int, told: Told, keys: dict[str, ThreadKey]) -> tuple[str, str, Outgoing]:
        mode = self._mode_of(told, about.origin)
        payload = told.payload
        if isinstance(payload, SnapshotTaken):
            return self._snapshot(about, payload, mode)
        if isinstance(payload, Command):
            return self._command(about, payload, told.far_id or "", mode)
        return self._report(about, ordinal, told, payload, mode, keys)

    def _report(
        self, about: "_Row", ordinal: int, told: Told, telling: Telling, mode: Mode, keys: dict[str, ThreadKey]
    ) -> tuple[str, str, Outgoing]:
        far, stored, settings = about.origin.far_system, about.stored, about.origin.settings
        content = (stored.sha256, about.occurrence, str(ordinal))
        matter = (told.far_id,) if told.far_id is not None else ("", *content)
        thread = secret_id(self._ids, "thread", far, *matter)
        revision = (told.far_revision,) if told.far_revision is not None else ("", *content)
        report_id = secret_id(self._ids, "report", far, *matter, *revision)
        if settings.unit and telling.unit is None:
            telling = telling.model_copy(update={"unit": settings.unit})
        report = Report(
            report_id=report_id,
            thread_id=thread,
            far_system=far,
            source=settings.name,
            far_id=told.far_id,
            far_revision=told.far_revision,
            revision_order=told.revision_order,
            mode=mode,
            received_at=stored.received_at,
            document=self._document(stored),
            told=telling,
            caller=self._sealed(thread, report_id, "caller", told.caller, keys),
            subscriber=self._sealed(thread, report_id, "subscriber", told.subscriber, keys),
            persons=self._sealed(
                thread, report_id, "persons", Persons(persons=told.persons) if told.persons else None, keys
            ),
            tokens=self._tokens_of(told, settings.placeholder_numbers),
            findings=(*about.findings, *_pesel_findings(told)),
            corrects=about.corrects,
        )
        extensions = about.extensions(mode) | {"reportid": report_id, "threadid": thread}
        topic = f"intake.{about.origin.lane}"
        key = far if _fed(telling) else thread
        return thread, report_id, self._record(topic, key, report, report_id, settings.name, stored, extensions)

    def _snapshot(self, about: "_Row", taken: SnapshotTaken, mode: Mode) -> tuple[str, str, Outgoing]:
        stored, feed = about.stored, about.origin.settings.name
        thread = secret_id(self._ids, "thread", about.origin.far_system, "", "snapshot")
        snapshot_id = secret_id(self._ids, "snapshot", feed, stored.document_id)
        items = tuple(
            item.model_copy(
                update={"notice_id": secret_id(self._ids, "notice", feed, item.far_id), "feed": feed, "mode": mode}
            )
            for item in taken.items
        )
        whole = taken.model_copy(
            update={
                "snapshot_id": snapshot_id,
                "feed": feed,
                "taken_at": stored.received_at,
                "items": items,
                "document": self._document(stored),
                "findings": (*about.findings, *taken.findings),
            }
        )
        extensions = about.extensions(mode) | {"threadid": thread}
        topic = f"intake.{about.origin.lane}"
        return thread, snapshot_id, self._record(topic, thread, whole, snapshot_id, feed, stored, extensions)

    def _command(self, about: "_Row", asked: Command, key: str, mode: Mode) -> tuple[str, str, Outgoing]:
        stored = about.stored
        command_id = self.command_id(asked.actor, key)
        command = asked.model_copy(update={"command_id": command_id, "asked_at": stored.received_at, "mode": mode})
        extensions = about.extensions(mode) | {
            "threadid": asked.incident_id,
            "incidentid": asked.incident_id,
            "unit": asked.unit,
            "kind": asked.verb.value,
            "causeid": command_id,
        }
        name = about.origin.settings.name
        outgoing = self._record(topics.COMMANDS, asked.incident_id, command, command_id, name, stored, extensions)
        return asked.incident_id, command_id, outgoing

    def command_id(self, actor: str, key: str) -> str:
        """The id of a command, from who asks and the idempotency key: asked twice, it is one command."""
        return secret_id(self._ids, "command", actor, key)

    def _mode_of(self, told: Told, origin: Origin) -> Mode:
        """Real stands beside test alone; an exercise is an installation of its own."""
        mode = told.mode or origin.settings.mode
        if self._mode is Mode.EXERCISE:
            if told.mode is Mode.REAL:
                raise Rejected(Code.MODE_MIXED, "a real document on an installation for exercises", "/mode")
            return Mode.EXERCISE
        if mode is Mode.EXERCISE:
            raise Rejected(Code.MODE_MIXED, "an exercise on the real installation", "/mode")
        return mode

    def _document(self, stored: Stored) -> DocumentRef:
        return DocumentRef(document_id=stored.document_id, sha256=stored.sha256, node=self._node, row=stored.row)

    def _sealed(
        self, thread: str, report_id: str, field: str, value: Person | Persons | None, keys: dict[str, ThreadKey]
    ) -> Sealed | None:
        if value is None:
            return None
        key = keys.get(thread) or keys.setdefault(thread, self._keys.of(thread))
        return seal(key.key, key.key_id, value.to_json(), report_id, field)

    def _tokens_of(self, told: Told, placeholders: tuple[str, ...]) -> tuple[str, ...]:
        made: set[str | None] = {token(self._tokens, "plate", plate) for plate in told.plates}
        for person in (told.caller, told.subscriber, *told.persons):
            if person and person.phone:
                made.add(token(self._tokens, "phone", person.phone, placeholders))
            if person and person.pesel and not wrong_pesel(person.pesel):
                made.add(token(self._tokens, "pesel", person.pesel))
        return tuple(sorted(one for one in made if one))

    def _key_record(self, about: "_Row", key: ThreadKey) -> Outgoing:
        name = about.origin.settings.name
        return self._record(topics.KEYS, key.key_id, key.wrapped, key.key_id, name, about.stored, {})

    def _record(
        self, topic: str, key: str, payload: Message, id: str, part: str, stored: Stored, extensions: dict[str, str]
    ) -> Outgoing:
        value, headers = record(
            payload,
            id=id,
            source=f"/sztab/{self._node}/{part}",
            time=stored.received_at.isoformat().replace("+00:00", "Z"),
            extensions=extensions,
        )
        return Outgoing(topic, key.encode(), value, headers)


def _fed(payload: object) -> bool:
    """Whether this is a row of history, by whose order time passes (decision 0105)."""
    return isinstance(payload, Telling) and payload.clock == RECORDS


@dataclass(frozen=True, slots=True)
class _Row:
    """What all events of one row share."""

    origin: Origin
    stored: Stored
    occurrence: str
    traceparent: str
    findings: tuple[Finding, ...]
    corrects: str | None = None

    def extensions(self, mode: Mode) -> dict[str, str]:
        told = {"documentid": self.stored.document_id, "mode": mode.value, "traceparent": self.traceparent}
        return {**told, CORRECTS: self.corrects} if self.corrects else told


def _pesel_findings(told: Told) -> tuple[Finding, ...]:
    named = [("/caller/pesel", told.caller), ("/subscriber/pesel", told.subscriber)]
    named += [(f"/persons/{number}/pesel", person) for number, person in enumerate(told.persons)]
    return tuple(
        Finding(code=FindingCode.CHECKSUM_WRONG, at=at, detail="not a PESEL number: digits or check digit are wrong")
        for at, person in named
        if person is not None and person.pesel and wrong_pesel(person.pesel)
    )

"""What was set aside, for the person who must look at it: each item once; its bytes only when they are asked for."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from aiokafka.errors import KafkaError

from connectors.journal_reader import JournalReader
from ops import kafka, runtime
from ops.reading import Reading
from ops.settings import Settings
from ops.trail import without_record
from schemas.audit import Act, Audited
from schemas.errors import Code, Unavailable
from schemas.privacy import installation_key
from schemas.topics import AUDIT, QUARANTINE
from schemas.wire import derived_id, record
from streams.clients import begin

HEX_ROW: Final = 16


async def items(settings: Settings) -> list[dict[str, Any]]:
    """Every item once, oldest first: code, pointer, stage, source, ids, when first and last seen, how often.

    A repeat after a crash, or the same document sent again, is the same item. Unavailable without a broker.
    """
    found: dict[str, dict[str, Any]] = {}
    async for _, records in Reading(kafka.cluster(settings), [QUARANTINE]).on():
        for one in records:
            value = orjson.loads(one.value)
            at = datetime.fromtimestamp(one.timestamp / 1000, UTC).isoformat()
            known = found.get(value["item_id"], {"first_seen": at, "last_seen": at, "times": 0})
            found[value["item_id"]] = {
                **without_record(value),
                "first_seen": min(known["first_seen"], at),
                "last_seen": max(known["last_seen"], at),
                "times": known["times"] + 1,
            }
    return sorted(found.values(), key=lambda one: (one["first_seen"], one["item_id"]))


async def item(settings: Settings, id: str) -> dict[str, Any] | None:
    """The item of that item, document, report or delivery id; an unambiguous beginning suffices."""
    names = ("item_id", "document_id", "report_id", "delivery_id")
    some = [one for one in await items(settings) if any(str(one.get(name) or "").startswith(id) for name in names)]
    exact = [one for one in some if id in {one.get(name) for name in names}]
    return exact[0] if exact else some[0] if len(some) == 1 else None


async def document(settings: Settings, one: dict[str, Any]) -> bytes | None:
    """The bytes of the item's document from a journal of this machine, opened by the installation's key.

    None when the item has no document, or its bytes are trimmed. Unavailable when another machine keeps them.
    """
    if not one.get("document_id"):
        return None
    files = runtime.journals(settings.node, runtime.journal_file(settings))
    file = files.get(one.get("node") or settings.node)
    if file is None:
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"its bytes are in the journal of {one['node']}; ask there")
    key = installation_key(runtime.key_file(settings))
    return await asyncio.to_thread(_bytes, file, key, one["document_id"])


async def consulted(settings: Settings, one: dict[str, Any], actor: str, purpose: str) -> None:
    """Write down who looks at an item's bytes and why, before they are shown (DODO Act art. 36).

    Unavailable when that cannot be written: then nothing is shown.
    """
    at = datetime.now(UTC)
    told = Audited(
        audit_id=derived_id("consultation", actor, one["item_id"], at.isoformat()),
        act=Act.CONSULTATION,
        actor=actor,
        purpose=purpose,
        at=at,
        report_ids=(one["report_id"],) if one.get("report_id") else (),
        fields=("document",),
    )
    value, headers = record(
        told, id=told.audit_id, source="/sztab/quarantine", time=at.isoformat(), extensions={"kind": told.act.value}
    )
    producer = kafka.cluster(settings).producer()
    try:
        await begin(producer)
        topic = settings.topic(AUDIT)
        await producer.send_and_wait(topic, key=actor.encode(), value=value, headers=list(headers))
    except (KafkaError, OSError) as error:
        detail = f"the audit record cannot be written ({type(error).__name__}), so nothing is shown"
        raise Unavailable(Code.BROKER_UNAVAILABLE, detail) from None
    finally:
        await producer.stop()


def _bytes(file: Path, key: bytes, document_id: str) -> bytes | None:
    reader = JournalReader(file, key)
    try:
        row = reader.document(document_id)
    finally:
        reader.close()
    return row.body if row is not None else None


def hexed(body: bytes) -> list[str]:
    """The bytes in rows of sixteen: offset, hexadecimal, text with a dot for what does not print."""
    rows: list[str] = []
    for start in range(0, len(body), HEX_ROW):
        part = body[start : start + HEX_ROW]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        rows.append(f"{start:08x}  {part.hex(' '):<47}  {text}")
    return rows

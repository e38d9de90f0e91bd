"""What was set aside, read from this machine alone: topics and journal files, whether an intake runs or not.

What changes something goes through the intake (`ops.aside.api`); this is for looking.
"""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from connectors.journal_reader import JournalReader
from ops import kafka, runtime
from ops.aside.records import audited
from ops.aside.shelf import INTAKE, Item, Shelf
from ops.aside.topic import Shelved, fetched, pen
from ops.settings import Settings
from schemas.audit import Act
from schemas.delivery import Quarantined
from schemas.errors import Code, Unavailable
from schemas.privacy import installation_key
from schemas.topics import QUARANTINE
from schemas.wire import parse


async def shelf(settings: Settings) -> Shelf:
    """Everything that was set aside, and what was done with it. Unavailable without a broker."""
    return await Shelved(lambda: kafka.cluster(settings)).fresh()


async def item(settings: Settings, id: str) -> Item | None:
    """The item of that item, document, report or delivery id; an unambiguous beginning suffices."""
    return (await shelf(settings)).find(id)


async def content(settings: Settings, one: Item) -> bytes | None:
    """What was set aside: a document's bytes from a journal of this machine, else the record's value.

    None when its bytes are trimmed. Unavailable when another machine keeps them.
    """
    if one.stage != INTAKE:
        found = await fetched(kafka.cluster(settings), QUARANTINE, *one.place)
        return parse(Quarantined, found.value).record
    return await document(settings, str(one.told["document_id"]), one.told.get("node"))


async def document(settings: Settings, document_id: str, node: str | None) -> bytes | None:
    """The bytes of a document from a node's journal on this machine, opened by the installation's key."""
    files = runtime.journals(settings.node, runtime.journal_file(settings))
    file = files.get(node or settings.node)
    if file is None:
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"its bytes are in the journal of {node}; ask there")
    key = installation_key(runtime.key_file(settings))
    return await asyncio.to_thread(_bytes, file, key, document_id)


async def consulted(settings: Settings, one: Item, actor: str, purpose: str) -> None:
    """Write down who looks at an item's bytes and why, before they are shown (DODO Act art. 36).

    Unavailable when that cannot be written: then nothing is shown.
    """
    async with pen(kafka.cluster(settings)) as writing:
        await writing.write(audited(one, Act.CONSULTATION, actor, purpose, datetime.now(UTC), ("document",)))


def _bytes(file: Path, key: bytes, document_id: str) -> bytes | None:
    reader = JournalReader(file, key)
    try:
        row = reader.document(document_id)
    finally:
        reader.close()
    return row.body if row is not None else None

"""A copy of what cannot be made again: this machine's journals and the installation's key, taken while everything runs.

DIR/journal.db  DIR/feed-NAME.db (of each feed)  DIR/installation.key  DIR/sztab.toml (if there is one)
DIR/manifest.json (digests, what it is)

Topics are not in it: they are replicated, and what they hold comes from the journal or can be derived again within
their retention. Whoever has this folder can read the persons in it: it is readable by its owner alone.
"""

import hashlib
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from connectors.journal_reader import JournalReader
from ops import runtime
from ops.settings import Settings
from schemas.errors import Code, Misconfigured, Unavailable
from schemas.privacy import installation_key

JOURNAL: Final = "journal.db"
KEY: Final = runtime.KEY_FILE
CONFIGURATION: Final = "sztab.toml"
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True)
class Copied:
    """One file of a backup."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is. `last_rows`: each journal's last row in it, by file name: what came later is not."""

    made_at: str
    version: str
    installation: str
    node: str
    last_rows: dict[str, int]
    files: dict[str, Copied]


def back_up(settings: Settings, folder: Path, configuration: Path | None = None) -> Manifest:
    """Write a backup into a folder that does not exist yet; it appears whole or not at all.

    Misconfigured when the folder exists or cannot be made; Unavailable when there is no journal to copy.
    """
    if folder.exists():
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"{folder} exists already; a backup never writes over another")
    if not _journals(settings):
        detail = f"there is no journal in {settings.data_dir}; intake makes it at its first start"
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, detail)
    scratch = folder.with_name(f"{folder.name}.partial")
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, mode=0o700)
        manifest = _fill(settings, scratch, configuration)
        scratch.rename(folder)
    except OSError as error:
        detail = f"{folder} cannot be written: {error.strerror}"
        raise Misconfigured(Code.CONFIGURATION_INVALID, detail) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def _fill(settings: Settings, folder: Path, configuration: Path | None) -> Manifest:
    # Before the copy begins: what comes from now on may not be in it.
    made_at = datetime.now(UTC).isoformat()
    journals = [folder / one.name for one in _journals(settings)]
    for one in _journals(settings):
        reader = JournalReader(one)
        try:
            reader.backup(folder / one.name)
        finally:
            reader.close()
    shutil.copyfile(runtime.key_file(settings), folder / KEY)
    if configuration is not None:
        shutil.copyfile(configuration, folder / CONFIGURATION)
    for one in folder.iterdir():
        one.chmod(0o600)
    manifest = Manifest(
        made_at=made_at,
        version=version("sztab"),
        installation=settings.installation.name,
        node=settings.node,
        last_rows={one.name: _last_row(one) for one in journals},
        files={one.name: _copied(one) for one in sorted(folder.iterdir())},
    )
    (folder / MANIFEST).write_bytes(orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2))
    for one in (*folder.iterdir(), folder):
        fsync(one)
    return manifest


def _journals(settings: Settings) -> list[Path]:
    """This node's journal and those of the feeds that ran here: each holds documents and keys that no other has."""
    return sorted(runtime.journals(settings.node, runtime.journal_file(settings)).values())


def faults(folder: Path) -> list[str]:
    """What is wrong with a backup: digests, and each journal's own chain and checksums opened with the key.

    Empty: it is whole. Misconfigured when the folder is no backup.
    """
    try:
        told: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
        named = {name: Copied(**one) for name, one in told["files"].items()}
        # A backup of an earlier version holds one journal and says its last row alone.
        rows: dict[str, int] = told["last_rows"] if "last_rows" in told else {JOURNAL: int(told["last_row"])}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"{folder} is no backup: no readable {MANIFEST}") from error
    found = []
    for name, one in named.items():
        if not (folder / name).is_file():
            found.append(f"{name}: is missing")
        elif _copied(folder / name) != one:
            found.append(f"{name}: is not what was copied")
    return found or [fault for name, row in rows.items() for fault in _journal_faults(folder, name, row)]


def _journal_faults(folder: Path, name: str, last_row: int) -> list[str]:
    reader = JournalReader(folder / name, installation_key(folder / KEY))
    try:
        found = [f"{name}, row {fault.row}, document {fault.document_id}: {fault.what}" for fault in reader.verify()]
        if reader.last_row() != last_row:
            found.append(f"{name} ends with row {reader.last_row()}, the manifest says {last_row}")
        return found
    finally:
        reader.close()


def _last_row(journal: Path) -> int:
    reader = JournalReader(journal)
    try:
        return reader.last_row()
    finally:
        reader.close()


def _copied(file: Path) -> Copied:
    with file.open("rb") as opened:
        return Copied(file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest())


def fsync(path: Path) -> None:
    """Make a file's or a folder's content durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

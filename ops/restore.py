"""Puts a backup back into a data folder without journals, and begins a new epoch of each journal before anything runs.

Nothing of the old epoch is published by itself: the topics know more than the backup. What it does not mark as
published is held for a person (`sztab journal held`); the gap from the backup to now is named in the answer, in the log
and as an item in quarantine. Ids stay what they were, so whatever is let go twice has one effect.
"""

import fcntl
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import structlog

from connectors.journal_epochs import Epoch, begin_epoch
from connectors.journal_rows import GAP_CODE
from ops import runtime
from ops.backup import CONFIGURATION, KEY, MANIFEST, faults, fsync
from ops.settings import Settings
from schemas.errors import Code, Misconfigured, Unavailable
from schemas.privacy import installation_key

log = structlog.get_logger()

OLDEST: Final = timedelta(days=14)
"""Processors remember what they have seen for 15 days. Pulled sources go on from the backup's cursors: what they bring
once more after a longer time than this could be opened anew."""
_SCRATCH: Final = "restore.partial"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back. `epochs`: of each journal by file name. `damage`: what is wrong with the backup itself."""

    made_at: datetime
    restored_at: datetime
    epochs: dict[str, Epoch]
    damage: tuple[str, ...] = ()

    @property
    def held(self) -> int:
        """Rows that wait for a person."""
        return sum(one.held for one in self.epochs.values())

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "gap": {"from": self.made_at.isoformat(), "to": self.restored_at.isoformat()},
            "gap_seconds": round((self.restored_at - self.made_at).total_seconds(), 3),
            "held": self.held,
            "epochs": {name: asdict(one) for name, one in self.epochs.items()},
            "damage": list(self.damage),
        }


def restore(settings: Settings, folder: Path, *, damaged: bool = False, old: bool = False) -> Restored:
    """Put the backup in `folder` back. `damaged`, `old`: although it is.

    Misconfigured when it is no backup of this node, is damaged or too old, or when there is a journal already: then
    nothing was changed. Interrupted, it leaves no journal, and is simply called again.
    """
    damage = tuple(faults(folder))
    if damage and not damaged:
        raise _refused(f"{folder} is damaged, nothing was restored; first: {damage[0]}")
    told = _manifest(folder)
    made_at = datetime.fromisoformat(told["made_at"])
    restored_at = datetime.now(UTC)
    if restored_at - made_at > OLDEST and not old:
        raise _refused(
            f"the backup is {(restored_at - made_at).days} days old; what pulled sources bring again since then could"
            " be opened a second time. Stop them first, then say --old"
        )
    _check_place(settings, told, folder)
    scratch = runtime.prepare(settings) / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        epochs = _put_back(settings, folder, scratch, made_at, restored_at)
    except OSError as error:
        raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"nothing was restored: {error.strerror}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    found = Restored(made_at, restored_at, epochs, damage)
    for name, epoch in epochs.items():
        log.error(
            "journal_restored",
            code=GAP_CODE.value,
            journal=name,
            epoch=epoch.number,
            held=epoch.held,
            gap_from=made_at.isoformat(),
            gap_to=restored_at.isoformat(),
        )
    return found


def bring_configuration(folder: Path, file: Path) -> bool:
    """Put the backup's configuration where there is none; whether it was. One that is there stays."""
    kept = folder / CONFIGURATION
    if file.exists() or not kept.is_file():
        return False
    shutil.copyfile(kept, file)
    return True


def _put_back(
    settings: Settings, folder: Path, scratch: Path, made_at: datetime, restored_at: datetime
) -> dict[str, Epoch]:
    """Everything is made beside its place first; then the key, and all journals by one rename of their folder."""
    made, key, place = scratch / "journal", runtime.key_file(settings), runtime.journal_file(settings).parent
    made.mkdir(parents=True, mode=0o700)
    shutil.copyfile(folder / KEY, scratch / KEY)
    (scratch / KEY).chmod(0o600)
    installation = installation_key(scratch / KEY)
    epochs: dict[str, Epoch] = {}
    for name in sorted(_manifest(folder)["last_rows"]):
        shutil.copyfile(folder / name, made / name)
        (made / name).chmod(0o600)
        epochs[name] = begin_epoch(made / name, installation, made_at, restored_at)
        fsync(made / name)
    for one in (scratch / KEY, made):
        fsync(one)
    (scratch / KEY).replace(key)
    fsync(key.parent)
    for lock in place.glob("*.lock"):
        lock.unlink()
    made.replace(place)
    fsync(place.parent)
    return epochs


def _check_place(settings: Settings, told: dict[str, Any], folder: Path) -> None:
    for what, here in (("installation", settings.installation.name), ("node", settings.node)):
        if told.get(what) != here:
            raise _refused(f"{folder} is of {what} {told.get(what)}, this is {here}")
    place = runtime.journal_file(settings).parent
    for lock in place.glob("*.lock"):
        _check_free(lock)
    there = sorted(one.name for one in place.glob("*") if one.suffix != ".lock") if place.exists() else []
    if there:
        raise _refused(f"there is a journal already: {', '.join(there)} in {place}; move it away first, and keep it")
    key = runtime.key_file(settings)
    if key.exists() and key.read_bytes() != (folder / KEY).read_bytes():
        raise _refused(f"{key} is another key than the backup's; move it away first, and keep it")


def _check_free(lock: Path) -> None:
    with lock.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refused(f"an intake or a feed is running on {lock.with_suffix('.db')}; stop it first") from None


def _manifest(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads((folder / MANIFEST).read_bytes())
    # A backup of an earlier version holds one journal.
    return told if "last_rows" in told else {**told, "last_rows": {"journal.db": told["last_row"]}}


def _refused(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIGURATION_INVALID, why)

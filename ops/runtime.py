"""Where an installation keeps things, and what runs on this machine: the data folder and its `run/<role>.json` notes.

data_dir/journal/   the intake's journal        data_dir/broker/   the embedded broker
data_dir/keys/      the installation's key      data_dir/run/      who runs here, and at which address
data_dir/log/       logs of supervised roles    data_dir/console/  what the console keeps
data_dir/ledger/    the ledger's projection
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import orjson

from ops.settings import Settings
from schemas.errors import Code, Misconfigured, Unavailable
from schemas.privacy import derive, installation_key

FOLDERS: Final = ("journal", "keys", "log", "run", "console")
KEY_FILE: Final = "installation.key"


@dataclass(frozen=True, slots=True)
class Running:
    """A role that announced itself. `url` is what it serves, `operation` its metrics and health; empty: none."""

    role: str
    pid: int
    url: str = ""
    operation: str = ""

    @property
    def alive(self) -> bool:
        """Whether a process of that id exists."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def prepare(settings: Settings) -> Path:
    """Make the data folder, readable by us alone. Misconfigured when it cannot be made or written."""
    try:
        for name in FOLDERS:
            (settings.data_dir / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        detail = f"data_dir {settings.data_dir} cannot be used: {error.strerror}"
        raise Misconfigured(Code.CONFIGURATION_INVALID, detail) from error
    return settings.data_dir


def key_file(settings: Settings) -> Path:
    """File of the installation's key (`schemas.privacy.installation_key` makes and reads it)."""
    return settings.data_dir / "keys" / KEY_FILE


def ledger_file(settings: Settings) -> Path:
    """File of the ledger's projection."""
    return settings.data_dir / "ledger" / "ledger.db"


def reconciler_token(settings: Settings) -> str:
    """By which the intake knows our own reconciler: whoever can read the installation's key has it."""
    return derive(installation_key(key_file(settings)), "reconciler").hex()


def journal_file(settings: Settings) -> Path:
    """File of this node's journal."""
    return settings.data_dir / "journal" / "journal.db"


def journals(node: str, file: Path) -> dict[str, Path]:
    """Every journal beside `file`, which is this node's: ours, and those of feeds, each named after its node."""
    beside = {one.stem: one for one in sorted(file.parent.glob("*.db")) if one != file}
    return {**beside, node: file} if file.exists() else beside


@contextmanager
def alone(settings: Settings, role: str) -> Iterator[None]:
    """Hold `run/<role>.lock` for as long as the context lasts; the system frees it when the process ends, however.

    Misconfigured when another process holds it: two under one static id would put each other out.
    """
    file = prepare(settings) / "run" / f"{role}.lock"
    with file.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            detail = f"{role} runs already with this data folder, as process {lock.read(20).strip() or 'unknown'}"
            raise Misconfigured(Code.CONFIGURATION_INVALID, detail) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def announced(settings: Settings, role: str, url: str = "", operation: str = "") -> Iterator[Running]:
    """Say in `run/<role>.json` where a role is found, for as long as it runs."""
    told = Running(role, os.getpid(), url, operation)
    file = prepare(settings) / "run" / f"{role}.json"
    scratch = file.with_suffix(f".{told.pid}")
    scratch.write_bytes(orjson.dumps(asdict(told)))
    scratch.replace(file)
    try:
        yield told
    finally:
        here = running(settings, role)
        if here is not None and here.pid == told.pid:
            file.unlink(missing_ok=True)


def running(settings: Settings, role: str) -> Running | None:
    """The role as it announced itself; None when it did not, or its note cannot be read."""
    try:
        kept = orjson.loads((settings.data_dir / "run" / f"{role}.json").read_bytes())
        return Running(str(kept["role"]), int(kept["pid"]), str(kept["url"]), str(kept["operation"]))
    except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def all_running(settings: Settings) -> list[Running]:
    """Every role that announced itself here and whose process exists."""
    folder = settings.data_dir / "run"
    found = [running(settings, file.stem) for file in sorted(folder.glob("*.json"))]
    return [one for one in found if one is not None and one.alive]


def address(settings: Settings, role: str) -> str:
    """The URL that a role serves: the configured one of an intake elsewhere, else as it announced itself here.

    Unavailable with the remedy when it does not run here and no address is configured.
    """
    if role == "intake" and settings.intake.url:
        return settings.intake.url
    found = running(settings, role)
    if found is None or not found.alive or not found.url:
        raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"{role} does not run here; start it: sztab run {role}")
    return found.url


def bootstrap_servers(settings: Settings) -> str:
    """Addresses of the cluster: the configured ones, else those of the embedded broker, which was started once."""
    if settings.kafka.bootstrap_servers:
        return settings.kafka.bootstrap_servers
    from ops.broker import EmbeddedKafka

    return EmbeddedKafka(settings.data_dir / "broker").bootstrap_servers

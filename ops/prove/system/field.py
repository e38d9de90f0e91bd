"""The field of a proof: three real brokers, two intake nodes, workers, deliver and recipients, each a process.

    field = await Field.prepare(folder, shape); ...; await field.close()

A process that dies by itself is started again, as `sztab run all` does; what a fault stopped stays stopped until the
fault starts it. Every process is ended by its id.
"""

import asyncio
import contextlib
import shutil
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiohttp

from connectors.webhook.lab import WebhookLab
from ops import kafka, runtime
from ops import settings as settings_module
from ops.broker import EmbeddedKafka
from ops.broker.layout import HOST, free_ports
from ops.prove.cluster_io import CLEANING
from ops.prove.proxy import FaultProxy
from ops.prove.small_disk import SmallDisk
from ops.prove.system.configured import RECIPIENTS, Shape, written
from ops.prove.system.crew import LOOK_SECONDS, Child, Crew
from ops.prove.system.role import Told
from ops.provision_cli import provision_installation
from ops.reading import Cluster
from ops.settings import Settings
from schemas.errors import Code, Unavailable
from schemas.privacy import installation_key

READY_SECONDS: Final = 90.0
BLOCKED_SECONDS: Final = 60.0
"""How long SIGUSR1 blocks a worker's event loop: longer than any worker may stand still."""
NODES: Final = (1, 2)
BROKERS: Final = 3
SMALL: Final = 3
"""The broker whose disk is small, where one is."""


class Field(Crew):
    """One installation under attack. Made by `prepare`."""

    def __init__(self, folder: Path, shape: Shape, off: tuple[str, ...]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)
        self.shape: Final = shape
        self.prefix: Final = f"p{uuid.uuid4().hex[:8]}."
        self.proxies: Final[dict[int, FaultProxy]] = {}
        """By the number of the broker behind each, where clients go through them."""
        self.between: Final[dict[int, FaultProxy]] = {}
        """The same for the lines of the brokers among themselves."""
        self.lines: Final[dict[str, FaultProxy]] = {}
        """The same by recipient."""
        self.kafka = EmbeddedKafka(folder / "brokers", BROKERS, extra=CLEANING)
        self.disk: Final = SmallDisk(folder / "brokers" / f"node-{SMALL}" / "data")
        self.configs: Final[dict[int, Path]] = {}
        self._off = off
        self._keys: Final = {name: WebhookLab().keys for name in RECIPIENTS}
        self._settings: Final[dict[Path, Settings]] = {}
        self._panel_ports: Sequence[int] = ()
        self._keeper: asyncio.Task[None] | None = None

    # Beginning and end

    @classmethod
    async def prepare(cls, folder: Path, shape: Shape, off: tuple[str, ...] = ()) -> "Field":
        """Bring everything up and wait until it is ready. Unavailable naming the log of what is not."""
        field = cls(folder, shape, off)
        try:
            if shape.proxied:
                await field._stand_between()
            if shape.small_disk:
                await asyncio.to_thread(field.disk.mount)
            await asyncio.to_thread(field.kafka.up)
            for name in RECIPIENTS:
                await field.start_recipient(name)
            receivers = {name: (await field._hook(name), field._keys[name]) for name in RECIPIENTS}
            found = free_ports(2 * len(NODES))
            ports = dict(zip(NODES, found, strict=False))
            field._panel_ports = found[len(NODES) :]
            for node, panels in zip(NODES, field._panel_ports, strict=True):
                place, where = folder / f"node-{node}", field.bootstrap
                field.configs[node] = written(place, node, field.prefix, where, receivers, shape, ports, panels)
            field._share_key()
            await asyncio.to_thread(provision_installation, field.settings(), dry_run=False)
            field._keeper = asyncio.create_task(field.keep())
            for told in field._roles():
                field.start(_name(told), told)
            await field.ready()
        except BaseException:
            await field.close()
            raise
        return field

    async def close(self) -> None:
        """End everything. Also twice, also half prepared."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self.end_all()
        await asyncio.to_thread(self.kafka.down, 0)
        for proxy in (*self.proxies.values(), *self.between.values(), *self.lines.values()):
            await proxy.stop()
        self.disk.free()

    async def _stand_between(self) -> None:
        """Put proxies before each broker, which tells their addresses: to clients one, to other brokers another."""
        found = free_ports(2 * BROKERS)
        ports, inner = found[:BROKERS], dict(enumerate(found[BROKERS:], 1))
        for proxies, targets in ((self.proxies, dict(enumerate(ports, 1))), (self.between, inner)):
            for number, port in targets.items():
                proxies[number] = FaultProxy((HOST, port), seed=number)
                await proxies[number].start()
        told = {number: proxy.port for number, proxy in self.proxies.items()}
        between = {number: (port, self.between[number].port) for number, port in inner.items()}
        self.kafka = EmbeddedKafka(self.folder / "brokers", BROKERS, ports, CLEANING, told, between)

    async def _hook(self, recipient: str) -> str:
        """Where a recipient is told: at its own address, or at that of the proxy before it."""
        port = self.port(recipient)
        if self.shape.proxied:
            self.lines[recipient] = FaultProxy((HOST, port), seed=port)
            await self.lines[recipient].start()
            port = self.lines[recipient].port
        return f"http://{HOST}:{port}/hook"

    def _roles(self) -> list[Told]:
        first = str(self.configs[1])
        intakes = [
            Told(
                str(self.configs[node]), "intake", off=self._off, images=self.images(node), clock_file=self.clock(node)
            )
            for node in NODES
        ]
        workers = [
            Told(
                first,
                "streams",
                worker,
                off=self._off,
                raises=True,
                blocked_seconds=BLOCKED_SECONDS,
                clock_file=self.clock(worker),
            )
            for worker in range(1, self.shape.workers + 1)
        ]
        return [*intakes, *workers, *(Told(first, role) for role in self.shape.roles)]

    def _share_key(self) -> None:
        """Both nodes are one installation: the same document has the same ids at both."""
        first, second = (runtime.key_file(self.settings(node)) for node in NODES)
        for node in NODES:
            runtime.prepare(self.settings(node))
        installation_key(first)
        shutil.copy2(first, second)

    # What the harness asks

    @property
    def bootstrap(self) -> str:
        """Addresses at which clients reach the brokers."""
        return self.kafka.bootstrap_servers

    def settings(self, node: int = 1) -> Settings:
        """A node's settings."""
        return self._loaded(self.configs[node])

    def settings_of(self, child: Child) -> Settings:
        """What a role was started with."""
        return self._loaded(Path(child.told.config))

    def role_name(self, child: Child) -> str:
        """Under which name the role announces itself in its data folder."""
        told = child.told
        return told.role + (f"-{told.worker}" if told.worker != 1 else "")

    def _loaded(self, config: Path) -> Settings:
        if config not in self._settings:
            self._settings[config] = settings_module.load(config)
        return self._settings[config]

    def cluster(self) -> Cluster:
        """For reading topics."""
        return kafka.cluster(self.settings())

    def key(self) -> bytes:
        """The installation's key."""
        return installation_key(runtime.key_file(self.settings()))

    def intakes(self) -> list[str]:
        """Addresses of the intake nodes, as they announced them last."""
        found = [runtime.running(self.settings(node), "intake") for node in NODES]
        return [one.url for one in found if one is not None]

    def panels(self) -> list[str]:
        """Addresses at which the intake nodes hear alarm panels."""
        return [f"{HOST}:{port}" for port in self._panel_ports]

    def images(self, node: int) -> str:
        """Where a node's journal is imaged as of its last fsync; empty where this installation does not do it."""
        return str(self.folder / f"images-{node}") if self.shape.images else ""

    def clock(self, number: int) -> str:
        """The file of a faked clock: node and worker of one number share it; empty where clocks are real."""
        if not self.shape.clocks:
            return ""
        file = self.folder / f"clock-{number}"
        if not file.exists():
            file.write_text("+0", "ascii")
        return str(file)

    def port(self, recipient: str) -> int:
        """Where a recipient listens."""
        return int(self.effects_file(recipient).with_suffix(".port").read_text("ascii"))

    def effects_file(self, recipient: str) -> Path:
        """Where a recipient writes down what it gets."""
        return self.folder / f"effects-{recipient}.jsonl"

    # Processes

    async def start_recipient(self, name: str) -> None:
        """Start a recipient, again on its old port; returns when it listens."""
        port_file = self.effects_file(name).with_suffix(".port")
        port = self.port(name) if port_file.exists() else 0
        port_file.unlink(missing_ok=True)
        told = {"name": name, "keys": self._keys[name], "port": port, "file": str(self.effects_file(name))}
        process = self.beside(name, "recipient", told)
        deadline = time.monotonic() + READY_SECONDS
        while not port_file.exists() or not port_file.read_text("ascii").endswith("\n"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"{name} did not start; see {self.log_file(name)}")
            await asyncio.sleep(LOOK_SECONDS)

    async def mood(self, recipient: str, mood: str, delay_seconds: float = 0.0) -> None:
        """How a recipient answers from now on."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"http://127.0.0.1:{self.port(recipient)}/mood", json={"mood": mood, "delay_seconds": delay_seconds}
            ) as answer,
        ):
            answer.raise_for_status()
        self.struck(recipient, mood)

    # Readiness

    async def ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until every role that should run says that it is ready. Unavailable naming those that are not."""
        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3)) as session:
            waiting = [child for child in self.children.values() if child.told.config]
            while waiting:
                waiting = [child for child in waiting if not await self._is_ready(session, child)]
                if waiting and time.monotonic() > deadline:
                    names = ", ".join(child.name for child in waiting)
                    raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, f"not ready: {names}; see the logs in {self.folder}")
                await asyncio.sleep(LOOK_SECONDS * 2)

    async def _is_ready(self, session: aiohttp.ClientSession, child: Child) -> bool:
        found = runtime.running(self.settings_of(child), self.role_name(child))
        if found is None or found.pid != self.children[child.name].pid:
            return False
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{found.operation}/health/ready") as answer:
                return answer.status == 200
        return False


def _name(told: Told) -> str:
    """A role's name in the field: `intake-1`, `intake-2`, `streams-1`, `streams-2`, `deliver`."""
    if told.role == "intake":
        return f"intake-{Path(told.config).parent.name.removeprefix('node-')}"
    return f"streams-{told.worker}" if told.role == "streams" else told.role

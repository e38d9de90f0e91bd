"""What one embedded cluster is on disk: its ports, identities, and each node's settings. No process is touched here."""

import base64
import json
import random
import socket
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from schemas.errors import Code, Misconfigured

HOST: Final = "127.0.0.1"
LEAST_PORT: Final = 10_000
MOST_TRIES: Final = 2_000
SIZES: Final = (1, 3)


@dataclass(frozen=True, slots=True)
class Node:
    """One broker that is also a controller. `directory` is the KRaft directory id, part of the quorum's identity."""

    number: int
    port: int
    controller_port: int
    directory: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The remembered shape of a cluster; written once, so that data and advertised ports outlive a restart."""

    cluster_id: str
    nodes: tuple[Node, ...]

    @property
    def bootstrap_servers(self) -> str:
        """Every node's address, comma separated, as Kafka clients take it."""
        return ",".join(f"{HOST}:{node.port}" for node in self.nodes)

    @property
    def initial_controllers(self) -> str:
        """The quorum as `kafka-storage format --initial-controllers` takes it."""
        return ",".join(f"{node.number}@{HOST}:{node.controller_port}:{node.directory}" for node in self.nodes)


def read(file: Path) -> Layout | None:
    """The layout that was written to `file`, or None where there is none; Misconfigured if it cannot be read."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return Layout(kept["cluster_id"], tuple(Node(**node) for node in kept["nodes"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as wrong:
        raise Misconfigured(
            Code.CONFIGURATION_INVALID,
            f"{file} is not a broker's layout ({type(wrong).__name__}); move the folder away",
        ) from wrong


def write(file: Path, layout: Layout) -> None:
    """Remember the layout, whole or not at all."""
    scratch = file.with_suffix(".new")
    scratch.write_text(json.dumps(asdict(layout), indent=2) + "\n", encoding="utf-8")
    scratch.replace(file)


def new(nodes: int, ports: Sequence[int] | None = None) -> Layout:
    """A layout of 1 or 3 nodes on `ports` (one for each node) or on free ones; controllers always take free ones."""
    if nodes not in SIZES:
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"nodes: {nodes} is not one of 1, 3")
    if ports is not None and len(set(ports)) != nodes:
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"ports: {nodes} different ones are needed, {len(ports)} given")
    found = free_ports(nodes * 2)
    clients = list(ports) if ports is not None else found[:nodes]
    return Layout(
        _identity(),
        tuple(Node(index + 1, clients[index], found[nodes + index], _identity()) for index in range(nodes)),
    )


def is_free(port: int) -> bool:
    """Whether nothing listens on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that the system lets us bind, below the range from which it takes the near ends of connections.

    A port of that range is asked for again and again by clients while its broker is down, and one of them may in the
    end connect to itself and hold the port, so that the broker cannot come back.
    """
    below = _ephemeral_start()
    draw = random.SystemRandom()
    with ExitStack() as held:
        ports: list[int] = []
        for _ in range(MOST_TRIES):
            if len(ports) == count:
                return ports
            probe = held.enter_context(socket.socket())
            try:
                probe.bind((HOST, draw.randrange(LEAST_PORT, below)))
            except OSError:
                continue
            ports.append(probe.getsockname()[1])
    raise Misconfigured(
        Code.CONFIGURATION_INVALID, f"{count} free ports between {LEAST_PORT} and {below} were not found"
    )


def _ephemeral_start() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first = 0
    return first if first > 2 * LEAST_PORT else 32_768


def _identity() -> str:
    """A cluster or directory id as Kafka writes them: 16 bytes, URL-safe base 64, not beginning with a dash."""
    while True:
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not identity.startswith("-"):
            return identity


def properties(layout: Layout, node: Node, data: Path, extra: Mapping[str, str]) -> str:
    """The node's server.properties. `extra` wins over ours; tests shorten times with it."""
    replicas = str(len(layout.nodes))
    least = "2" if len(layout.nodes) > 1 else "1"
    controllers = ",".join(f"{HOST}:{one.controller_port}" for one in layout.nodes)
    settings = {
        "process.roles": "broker,controller",
        "node.id": str(node.number),
        "log.dirs": str(data),
        "controller.quorum.bootstrap.servers": controllers,
        "listeners": f"PLAINTEXT://{HOST}:{node.port},CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{node.port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        # A typing error must not make a topic.
        "auto.create.topics.enable": "false",
        # An acknowledged record survives one node (of three), internal topics too; nothing is cut off in silence.
        "default.replication.factor": replicas,
        "min.insync.replicas": least,
        "unclean.leader.election.enable": "false",
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": least,
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": least,
        # A dead node is noticed within 6 s, a new group starts at once.
        "broker.session.timeout.ms": "6000",
        "broker.heartbeat.interval.ms": "1000",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "2000",
        # A small heap: the cleaner's buffer alone is 128 MiB otherwise.
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    return "".join(f"{name}={value}\n" for name, value in (settings | dict(extra)).items())


def advertising(node: Node, told: int, between: tuple[int, int]) -> dict[str, str]:
    """Settings with which a node sends its clients elsewhere: to a proxy that a proof has put before it.

    `told`: the port that clients are told instead of the node's own. Brokers meet at a listener apart: `between` is its
    port, and the one that the other brokers are told.
    """
    return {
        "listeners": f"PLAINTEXT://{HOST}:{node.port},BETWEEN://{HOST}:{between[0]},"
        f"CONTROLLER://{HOST}:{node.controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{told},BETWEEN://{HOST}:{between[1]}",
        "inter.broker.listener.name": "BETWEEN",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,BETWEEN:PLAINTEXT",
    }

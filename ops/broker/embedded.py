"""The embedded cluster: `up`, `down`, `status`, and what fault tests need: kill, freeze, thaw and start one node.

data_dir/cluster.json          ports and identities, written once
data_dir/node-1/…              server.properties, data/, pid, broker.log, output.log
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.broker import jars, layout, processes, ready
from ops.broker.layout import HOST, Layout, Node
from schemas.errors import Code, Misconfigured, Unavailable

HEAP: Final = ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
READY_SECONDS: Final = 90.0
DOWN_SECONDS: Final = 15.0
FORMAT_SECONDS: Final = 60.0
MAIN_CLASS: Final = "kafka.Kafka"
LOG4J: Final = Path(__file__).with_name("log4j2.xml")


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node as it is now. `process_id` is None if it does not run, `answers` whether it answered a request."""

    number: int
    address: str
    process_id: int | None
    answers: bool
    log: str


class EmbeddedKafka:
    """Real Kafka in one folder: one node, or three that form a quorum.

    `ports` are the nodes' client ports; None asks the system the first time and keeps the answer in the folder.
    `extra` are broker settings that win over ours. Nodes run on when this process ends; another EmbeddedKafka on the
    same folder finds them. All methods block; coroutines call them through `asyncio.to_thread` (kill, freeze and thaw
    return at once). They raise Misconfigured with the remedy, or Unavailable naming the log.

    Only proofs and tests pass the last two. `advertised`: node number -> port that clients are told instead of the
    node's own, a proxy's; `bootstrap_servers` names these, too. Brokers then meet directly, or as `between` says: node
    number -> (port to listen on for the other brokers, port that they are told).
    """

    def __init__(
        self,
        data_dir: Path,
        nodes: int | None = None,
        ports: Sequence[int] | None = None,
        extra: Mapping[str, str] | None = None,
        advertised: Mapping[int, int] | None = None,
        between: Mapping[int, tuple[int, int]] | None = None,
    ) -> None:
        self.data_dir: Final = Path(data_dir).absolute()
        self._wanted_nodes = nodes
        self._wanted_ports = tuple(ports) if ports is not None else None
        self._extra = dict(extra or {})
        self._advertised = dict(advertised or {})
        self._between = dict(between or {number: (port, port) for number, port in _apart(self._advertised)})
        self._layout = layout.read(self._layout_file)

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all nodes as Kafka clients take them; Misconfigured before the first `up`."""
        told = (self._advertised.get(node.number, node.port) for node in self._known.nodes)
        return ",".join(f"{HOST}:{port}" for port in told)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the nodes, from 1; empty before the first `up`."""
        return tuple(node.number for node in self._layout.nodes) if self._layout else ()

    def up(self, seconds: float = READY_SECONDS) -> list[int]:
        """Start what does not run and wait until every node answers and sees all others.

        Answers the numbers of the nodes that ran already, for instance left behind by a crash. May be called again.
        """
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock():
            self._settle_layout()
            found = self.running()
            waiting = [node for node in self._known.nodes if node.number not in found]
            if waiting:
                self._launch(waiting)
            self._wait_ready(self._known.nodes, len(self._known.nodes), seconds)
        return found

    def down(self, seconds: float = DOWN_SECONDS, only: Collection[int] | None = None) -> list[int]:
        """Stop every node, or only these, by SIGTERM and after `seconds` by SIGKILL; data stays.

        Answers the numbers of those that ran.
        """
        if self._layout is None:
            return []
        numbers = [number for number in self.numbers if only is None or number in only]
        with self._lock():
            running = [number for number in self.running() if number in numbers]
            for number in running:
                self._signal(number, signal.SIGTERM)
                self._signal(number, signal.SIGCONT)  # a frozen one hears the other only then
            if not processes.wait_gone(lambda: any(self.process_id(number) for number in running), seconds):
                for number in running:
                    self._signal(number, signal.SIGKILL)
                processes.wait_gone(lambda: any(self.process_id(number) for number in running), seconds)
            for number in numbers:
                (self._folder(number) / "pid").unlink(missing_ok=True)
        return running

    def running(self) -> list[int]:
        """The numbers of the nodes whose process runs, whether they answer or not."""
        return [number for number in self.numbers if self.process_id(number)]

    def status(self) -> list[NodeStatus]:
        """Every node of the folder, asked now; empty before the first `up`."""
        return [self._status(node) for node in self._layout.nodes] if self._layout else []

    def process_id(self, number: int) -> int | None:
        """The node's process id, or None if it does not run; found by its command line, also without a pid file."""
        return processes.find(self._ending(number), self._folder(number) / "pid")

    def kill(self, number: int) -> None:
        """SIGKILL one node and wait until it is gone."""
        self._signal(number, signal.SIGKILL)
        processes.wait_gone(lambda: self.process_id(number) is not None, DOWN_SECONDS)

    def freeze(self, number: int) -> None:
        """SIGSTOP one node: it keeps its connections and answers nothing."""
        self._signal(number, signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """SIGCONT one node."""
        self._signal(number, signal.SIGCONT)

    def start(self, number: int, seconds: float = READY_SECONDS) -> None:
        """Start one node again and wait until it answers; the others need not run."""
        node = self._node(number)
        with self._lock():
            if self.process_id(number) is None:
                self._launch([node])
            self._wait_ready([node], 1, seconds)

    @property
    def _layout_file(self) -> Path:
        return self.data_dir / "cluster.json"

    @property
    def _known(self) -> Layout:
        if self._layout is None:
            raise Misconfigured(
                Code.CONFIGURATION_INVALID,
                f"there is no embedded broker in {self.data_dir}; start it with: sztab broker up",
            )
        return self._layout

    def _settle_layout(self) -> None:
        """Take the remembered layout, refuse one that contradicts what was asked for, or make a new one."""
        self._layout = layout.read(self._layout_file)
        if self._layout is None:
            self._layout = layout.new(self._wanted_nodes or 1, self._wanted_ports)
            layout.write(self._layout_file, self._layout)
            return
        nodes = len(self._layout.nodes)
        if self._wanted_nodes not in {None, nodes}:
            raise Misconfigured(
                Code.CONFIGURATION_INVALID,
                f"nodes: {self.data_dir} holds a cluster of {nodes}, {self._wanted_nodes} was asked for;"
                " use that number or another folder",
            )
        ports = tuple(node.port for node in self._layout.nodes)
        if self._wanted_ports not in {None, ports}:
            raise Misconfigured(
                Code.CONFIGURATION_INVALID,
                f"ports: {self.data_dir} holds a cluster on {', '.join(map(str, ports))}; use these or another folder",
            )

    def _launch(self, nodes: Sequence[Node]) -> None:
        """Format what was never formatted, then start the processes; does not wait for them to serve."""
        java, classpath = jars.java(), f"{jars.resolve()}/*"
        for node in nodes:
            taken = [port for port in (node.port, node.controller_port) if not layout.is_free(port)]
            if taken:
                raise Misconfigured(
                    Code.CONFIGURATION_INVALID,
                    f"port {taken[0]} of node {node.number} is taken by another process; free it or use another folder",
                )
            self._write_properties(node)
        self._format([node for node in nodes if not (self._data(node) / "meta.properties").exists()], java, classpath)
        for node in nodes:
            folder = self._folder(node.number)
            logging = (f"-Dlog4j2.configurationFile={LOG4J}", f"-Dsztab.log={folder / 'broker.log'}")
            command = [java, *HEAP, *logging, "-cp", classpath, *self._ending(node.number)]
            pid = processes.spawn(command, folder / "output.log")
            (folder / "pid").write_text(f"{pid}\n", encoding="ascii")

    def _write_properties(self, node: Node) -> None:
        folder = self._folder(node.number)
        folder.mkdir(exist_ok=True, mode=0o700)
        extra = self._extra
        if (told := self._advertised.get(node.number)) is not None:
            extra = layout.advertising(node, told, self._between[node.number]) | extra
        text = layout.properties(self._known, node, self._data(node), extra)
        (folder / "server.properties").write_text(text, encoding="utf-8")

    def _format(self, nodes: Sequence[Node], java: str, classpath: str) -> None:
        """Give each node's data folder its identity, all at the same time."""
        known = self._known
        tool = [
            java,
            *HEAP,
            f"-Dlog4j2.configurationFile={LOG4J}",
            "-cp",
            classpath,
            "kafka.tools.StorageTool",
            "format",
        ]
        running = []
        for node in nodes:
            folder = self._folder(node.number)
            command = [*tool, "-t", known.cluster_id, "-c", str(folder / "server.properties")]
            command += ["--initial-controllers", known.initial_controllers]
            command.insert(1, f"-Dsztab.log={folder / 'format.log'}")
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        answers = [(process, process.communicate(timeout=FORMAT_SECONDS)[0]) for process in running]
        for process, said in answers:
            if process.returncode:
                raise Misconfigured(
                    Code.CONFIGURATION_INVALID, f"Kafka could not format {self.data_dir}: {said.strip()[-300:]}"
                )

    def _wait_ready(self, nodes: Sequence[Node], peers: int, seconds: float) -> None:
        """Wait until each node's metadata names at least `peers` nodes; Unavailable names the log of one that died."""
        end = time.monotonic() + seconds
        for node in nodes:
            log = self._folder(node.number) / "broker.log"
            while len(ready.seen_from(HOST, node.port)) < peers:
                if self.process_id(node.number) is None:
                    raise Unavailable(Code.BROKER_UNAVAILABLE, f"node {node.number} ended while starting; see {log}")
                if time.monotonic() > end:
                    raise Unavailable(
                        Code.BROKER_UNAVAILABLE, f"node {node.number} did not answer within {seconds:g} s; see {log}"
                    )
                time.sleep(processes.PAUSE_SECONDS)

    def _status(self, node: Node) -> NodeStatus:
        pid = self.process_id(node.number)
        answers = pid is not None and bool(ready.seen_from(HOST, node.port))
        log = self._folder(node.number) / "broker.log"
        return NodeStatus(node.number, f"{HOST}:{node.port}", pid, answers, str(log))

    def _signal(self, number: int, what: signal.Signals) -> None:
        self._node(number)
        if (pid := self.process_id(number)) is not None:
            processes.send(pid, what)

    def _node(self, number: int) -> Node:
        for node in self._known.nodes:
            if node.number == number:
                return node
        raise Misconfigured(
            Code.CONFIGURATION_INVALID, f"node {number} is not one of {', '.join(map(str, self.numbers))}"
        )

    def _ending(self, number: int) -> tuple[str, str]:
        """The last words of the node's command line, by which its process is known."""
        return MAIN_CLASS, str(self._folder(number) / "server.properties")

    def _folder(self, number: int) -> Path:
        return self.data_dir / f"node-{number}"

    def _data(self, node: Node) -> Path:
        return self._folder(node.number) / "data"

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Two `up` or `down` on one folder go one after the other."""
        file = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


def _apart(advertised: Mapping[int, int]) -> list[tuple[int, int]]:
    """A free port for each node whose clients are sent elsewhere, where the other brokers find it all the same."""
    return list(zip(advertised, layout.free_ports(len(advertised)), strict=True))

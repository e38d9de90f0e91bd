"""The embedded broker's shape on disk and its tools, without a broker."""

import os
import signal
import socket
import stat
import sys
from functools import partial
from pathlib import Path

import pytest

from ops.broker import EmbeddedKafka, jars, layout, processes
from schemas.errors import Code, Misconfigured
from tests.waiting import wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_ports_stay_out_of_the_range_of_connections():
    """A broker's port is never one that the system hands to a client, and two asked for together differ."""
    ports = layout.free_ports(6)
    assert len(set(ports)) == 6
    assert all(layout.LEAST_PORT <= port < layout._ephemeral_start() for port in ports)


def test_a_taken_port_is_seen():
    """A port on which something listens is not free, and is free again afterwards."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not layout.is_free(port)
    assert layout.is_free(port)


def test_a_layout_outlives_its_process(tmp_path):
    """What was written is read back the same, so that ports and identities survive."""
    first = layout.new(3)
    layout.write(tmp_path / "cluster.json", first)
    assert layout.read(tmp_path / "cluster.json") == first
    assert layout.read(tmp_path / "absent.json") is None


def test_given_ports_are_the_clients_ports():
    """Ports that a person names are the ones advertised, in their order."""
    assert layout.new(1, [19092]).bootstrap_servers == "127.0.0.1:19092"


@pytest.mark.parametrize(("nodes", "ports"), [(2, None), (0, None), (3, [19092]), (3, [19092, 19092, 19093])])
def test_an_impossible_layout_is_refused(nodes, ports):
    """Two nodes form no useful quorum, and each node needs a port of its own."""
    with pytest.raises(Misconfigured):
        layout.new(nodes, ports)


@pytest.mark.parametrize("text", ["", "{}", '{"cluster_id": "x", "nodes": [{"number": 1}]}', "[]"])
def test_a_spoilt_layout_names_its_file(tmp_path, text):
    """A layout that cannot be read stops us, by its name, instead of being replaced in silence."""
    file = tmp_path / "cluster.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"cluster\.json"):
        EmbeddedKafka(tmp_path)


@pytest.mark.parametrize(("nodes", "least"), [(1, "1"), (3, "2")])
def test_settings_keep_an_acknowledged_record(tmp_path, nodes, least):
    """With three nodes an acknowledged record is on two; no topic appears by itself; nothing is cut off."""
    cluster = layout.new(nodes)
    text = layout.properties(cluster, cluster.nodes[0], tmp_path, {"num.io.threads": "7"})
    settings = dict(line.split("=", 1) for line in text.splitlines())
    assert settings["default.replication.factor"] == settings["offsets.topic.replication.factor"] == str(nodes)
    assert settings["min.insync.replicas"] == settings["transaction.state.log.min.isr"] == least
    assert settings["auto.create.topics.enable"] == settings["unclean.leader.election.enable"] == "false"
    assert settings["num.io.threads"] == "7"
    assert settings["listeners"].count("://127.0.0.1:") == 2


def test_another_number_of_nodes_is_refused(tmp_path):
    """A folder with one node is not taken for three; the sentence says what it holds."""
    layout.write(tmp_path / "cluster.json", layout.new(1))
    with pytest.raises(Misconfigured, match="holds a cluster of 1"):
        EmbeddedKafka(tmp_path, 3).up()
    with pytest.raises(Misconfigured, match="holds a cluster on"):
        EmbeddedKafka(tmp_path, 1, [9]).up()


def test_before_the_first_start_there_is_nothing(tmp_path):
    """An empty folder has no nodes, nothing to stop, and its address names the command that makes one."""
    kafka = EmbeddedKafka(tmp_path / "none")
    assert (kafka.status(), kafka.down(), kafka.numbers) == ([], [], ())
    with pytest.raises(Misconfigured, match="sztab broker up"):
        _ = kafka.bootstrap_servers


def test_a_missing_tool_is_named_with_its_remedy(tmp_path, monkeypatch):
    """Without Java or Maven one sentence says which and how to install it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SZTAB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(Misconfigured, match=r"Java .* apt-get install") as java:
        jars.java()
    with pytest.raises(Misconfigured, match=r"Maven .* apt-get install") as maven:
        jars.resolve()
    assert java.value.code is maven.value.code is Code.TOOL_MISSING


@pytest.mark.parametrize(
    ("version", "accepted"), [("1.8.0_402", False), ("11.0.2", False), ("17.0.15", True), ("21", True)]
)
def test_java_is_asked_for_its_version(tmp_path, monkeypatch, version, accepted):
    """Kafka 4 needs Java 17; an older one is named by its version."""
    _tool(tmp_path / "java", f"echo 'openjdk version \"{version}\" 2025-04-15' >&2")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if accepted:
        assert jars.java() == str(tmp_path / "java")
    else:
        with pytest.raises(Misconfigured, match="17 or later"):
            jars.java()


def test_jars_are_fetched_once(tmp_path, monkeypatch):
    """Maven runs the first time; afterwards the folder is there and Maven is not needed any more."""
    _tool(tmp_path / "java", "echo 'openjdk version \"17\"' >&2")
    target = "for word; do case $word in -DoutputDirectory=*) out=${word#*=};; esac; done"
    _tool(tmp_path / "mvn", f'{target}; mkdir -p "$out"; : >"$out/kafka_1.jar"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SZTAB_CACHE", str(tmp_path / "cache"))
    folder = jars.resolve()
    assert [jar.name for jar in folder.iterdir()] == ["kafka_1.jar"]
    _tool(tmp_path / "mvn", "exit 1")
    assert jars.resolve() == folder
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]


def test_a_failing_maven_is_quoted(tmp_path, monkeypatch):
    """What Maven complains of stands in our sentence, and no half-filled folder stays."""
    _tool(tmp_path / "java", "echo 'openjdk version \"17\"' >&2")
    _tool(tmp_path / "mvn", "echo '[ERROR] the repository does not answer'; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SZTAB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(Misconfigured, match="the repository does not answer"):
        jars.resolve()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_process_is_known_by_its_command_line(tmp_path):
    """Found by a wrong pid file, by none, and not found once it is dead; a stranger's pid is never taken for ours."""
    mark = str(tmp_path / "server.properties")
    pid_file = tmp_path / "pid"
    pid = processes.spawn([*SLEEPER, mark], tmp_path / "output.log")
    try:
        wait_until(lambda: processes.find([mark], pid_file) == pid, what="found without a pid file")
        pid_file.write_text(str(os.getpid()), encoding="ascii")
        assert processes.find([mark], pid_file) == pid
        assert processes.find([f"{mark}.other"], pid_file) is None
    finally:
        processes.send(pid, signal.SIGKILL)
    assert processes.wait_gone(lambda: processes.find([mark], pid_file) is not None, 10)
    processes.send(pid, signal.SIGKILL)


@pytest.mark.parametrize("words", [["{file}"], ["{file}", "kafka.Kafka"], ["kafka.Kafka", "{file}.old"]])
def test_a_bystander_is_no_broker(tmp_path, words):
    """A process that only names a node's file, an editor say, is not taken for the node: `down` leaves it alone."""
    layout.write(tmp_path / "cluster.json", layout.new(1))
    node = tmp_path / "node-1"
    node.mkdir()
    named = [word.format(file=node / "server.properties") for word in words]
    pid = processes.spawn([*SLEEPER, *named], tmp_path / "output.log")
    (node / "pid").write_text(str(pid), encoding="ascii")
    try:
        kafka = EmbeddedKafka(tmp_path)
        assert kafka.process_id(1) is None
        assert kafka.down(0) == []
        assert processes._exists(pid)
    finally:
        processes.send(pid, signal.SIGKILL)
    assert processes.wait_gone(partial(processes._exists, pid), 10)


def test_a_process_that_ends_while_it_is_looked_at_is_none(monkeypatch):
    """Other programs come and go; one that ends between opening and reading its command line is simply not there."""

    def gone(_):
        raise ProcessLookupError

    monkeypatch.setattr(Path, "read_bytes", gone)
    assert processes.command_line(os.getpid()) == []


def test_a_process_is_known_from_its_first_moment(tmp_path):
    """As soon as `spawn` answers, the process is found: a node just started is never taken for one that ended."""
    for attempt in range(25):
        mark = str(tmp_path / f"server-{attempt}.properties")
        pid = processes.spawn([*SLEEPER, mark], tmp_path / "output.log")
        try:
            assert processes.find([mark], tmp_path / "absent") == pid
        finally:
            processes.send(pid, signal.SIGKILL)
        assert processes.wait_gone(partial(processes._exists, pid), 10)


def _tool(file, script):
    """A program on the PATH that does what the shell script says."""
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)

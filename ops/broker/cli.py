"""`sztab broker up | down | status`: the embedded broker from the command line.

An SztabError passes through; `ops/cli.py` prints it and sets the exit status.
"""

from dataclasses import asdict
from pathlib import Path

import click
import orjson

from ops.broker import jars
from ops.broker.embedded import EmbeddedKafka, NodeStatus
from ops.broker.installed import FOLDER, embedded
from ops.invocation import settings_of

_data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder, instead of the installation's; the broker uses the folder `broker` in it.",
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")


@click.group()
def broker() -> None:
    """The embedded broker: real Kafka on this machine, for one machine and for tests."""


@broker.command()
@click.option("--nodes", type=click.Choice(["1", "3"]), help="Number of nodes; that of the settings by default.")
@click.option("--port", "ports", type=int, multiple=True, help="Client port, once for each node; free ones by default.")
@_data_dir
@_json
@click.pass_context
def up(
    context: click.Context, nodes: str | None, ports: tuple[int, ...], data_dir: Path | None, *, as_json: bool
) -> None:
    """Start the broker, or find the one that runs; returns when every node has answered a metadata request."""
    kafka = _embedded(context, data_dir, int(nodes) if nodes else None, ports or None)
    found = kafka.up()
    if as_json:
        click.echo(_object(kafka, kafka.status(), found=found))
        return
    for number in found:
        click.echo(f"node {number} was running already (pid {kafka.process_id(number)})")
    click.echo(f"bootstrap_servers = {kafka.bootstrap_servers}")


@broker.command()
@_data_dir
@_json
@click.pass_context
def down(context: click.Context, data_dir: Path | None, *, as_json: bool) -> None:
    """Stop the broker; its data and ports stay for the next `up`."""
    kafka = _embedded(context, data_dir)
    stopped = kafka.down()
    if as_json:
        click.echo(orjson.dumps({"stopped": stopped}))
        return
    named = ", ".join(map(str, stopped))
    click.echo(f"stopped: node {named}" if stopped else "no broker ran here")


@broker.command()
@_data_dir
@_json
@click.pass_context
def status(context: click.Context, data_dir: Path | None, *, as_json: bool) -> None:
    """Say what runs and what answers; the exit status is 0 only if every node answers."""
    kafka = _embedded(context, data_dir)
    nodes = kafka.status()
    if as_json:
        click.echo(_object(kafka, nodes))
    else:
        click.echo("\n".join(map(_line, nodes)) or f"no broker was ever started in {kafka.data_dir}")
    context.exit(0 if nodes and all(node.answers for node in nodes) else 1)


@broker.command()
def fetch() -> None:
    """Fetch Kafka's jars with Maven, once; `make setup` does it, and `up` where that was left out."""
    click.echo(jars.resolve())


def _embedded(
    context: click.Context, data_dir: Path | None, nodes: int | None = None, ports: tuple[int, ...] | None = None
) -> EmbeddedKafka:
    """The broker of the folder that was named, else of the installation; only the latter needs the settings."""
    if data_dir is not None:
        return EmbeddedKafka(data_dir / FOLDER, nodes, ports)
    return embedded(settings_of(context), nodes, ports)


def _line(node: NodeStatus) -> str:
    runs = f"pid {node.process_id}" if node.process_id else "does not run"
    answers = ", answers" if node.answers else ", does not answer" if node.process_id else ""
    return f"node {node.number}  {node.address}  {runs}{answers}  log {node.log}"


def _object(kafka: EmbeddedKafka, nodes: list[NodeStatus], **more: object) -> bytes:
    known = kafka.bootstrap_servers if nodes else None
    return orjson.dumps({"bootstrap_servers": known, "nodes": [asdict(node) for node in nodes], **more})

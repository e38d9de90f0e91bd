"""The command line `sztab`: the one place where the parts are put together.

A command is a `click.Command` beside its code; this table names it, and it is imported only when it is used.
Exit status: 0 done, 2 misconfigured or wrongly called, 1 anything else. An SztabError is one clear sentence with its
code on standard error; with `--json` an object on standard output.
"""

import importlib
from pathlib import Path
from typing import Any, Final

import click
import orjson

from ops.invocation import Invocation
from ops.mistakes import ConfigurationMistakes
from schemas.errors import Misconfigured, SztabError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "backup": ("ops.backup_cli:backup", "Copy journals and keys while everything runs."),
    "bench": ("ops.bench.cli:bench", "Measure the journal, the pipeline and the engine."),
    "broker": ("ops.broker.cli:broker", "The embedded broker: up, down, status."),
    "check": ("ops.check_cli:check", "Explain every mistake of the configuration."),
    "command": ("ops.command_cli:command", "Ask for a change of an incident."),
    "compile": ("ops.compiled:command", "Translate the decisions about incidents to machine code."),
    "correlate": ("ops.correlate_cli:correlate", "How good the linking of reports is, on what dispatchers decided."),
    "demo": ("ops.demo.cli:demo", "An evening in Kalisz on this machine."),
    "feed": ("ops.feed_cli:feed", "Play a file as a source."),
    "gazetteer": ("ops.gazetteer_cli:gazetteer", "Load official names and boundaries."),
    "generate": ("ops.generate_cli:generate", "Write the generated documents, or check that they are current."),
    "journal": ("ops.journal_cli:journal", "Is the journal whole, and what does it hold for a person?"),
    "ledger": ("ops.ledger_cli:ledger", "Is everything accepted delivered, quarantined or in flight?"),
    "new": ("ops.scaffold_cli:new", "Begin a connector."),
    "prove": ("ops.prove.cli:prove", "Attack an installation, or the shell alone, and judge."),
    "provision": ("ops.provision_cli:provision", "Create and alter the topics."),
    "quarantine": ("ops.quarantine_cli:quarantine", "What was set aside."),
    "replay": ("ops.replay_cli:replay", "History again: for test consumers, or for recipients who agreed."),
    "restore": ("ops.restore_cli:command", "Put a backup back; what is not surely published is held."),
    "route": ("ops.route_cli:route", "Who would get what, and which fields."),
    "run": ("ops.run_cli:run", "Run a role, or all of them."),
    "status": ("ops.status_cli:status", "What runs on this machine, and is it ready?"),
    "tally": ("ops.tally_cli:tally", "The derived figures."),
    "token": ("ops.token_cli:token", "Make a token and the hash that the configuration keeps."),
    "trace": ("ops.trace_cli:trace", "The way of one document, report, incident or delivery."),
}
"""Name -> (module:attribute, one line for the list of commands)."""


class Sztab(click.Group):
    """Finds commands in the table and turns an SztabError into a sentence and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """The names, in order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - likewise
        """The command, imported now; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name][0].split(":")
        found: click.Command = getattr(importlib.import_module(module), attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - likewise
        """The list of commands, from the table: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a named error ends with its sentence."""
        # Read now: click empties it before the command runs, and the error comes from there.
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except SztabError as error:
            _say(error, as_json=as_json)
            ctx.exit(2 if isinstance(error, Misconfigured) else 1)


def _say(error: SztabError, *, as_json: bool) -> None:
    if not as_json:
        click.echo(f"sztab: {error}", err=True)
        return
    told: dict[str, Any] = {"code": error.code.value, "detail": error.detail, "at": error.at}
    if isinstance(error, ConfigurationMistakes):
        told["mistakes"] = [{"path": one.path, "wrong": one.wrong, "allowed": one.allowed} for one in error.mistakes]
    click.echo(orjson.dumps({"error": told}))


@click.command(cls=Sztab)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The configuration; else SZTAB_CONFIG, else sztab.toml here, else the built-in example.",
)
@click.version_option(package_name="sztab")
@click.pass_context
def sztab(context: click.Context, config: Path | None) -> None:
    """Sztab: takes reports from emergency lines and services, links them, and routes them."""
    context.obj = Invocation(config)


def main() -> None:
    """Entry point of `sztab` and of `python -m ops`."""
    sztab(prog_name="sztab")


if __name__ == "__main__":
    main()

"""`sztab run ROLE` and `sztab run all`."""

from typing import Any

import click

from ops.compiled import refuse_other_sources
from ops.invocation import Invocation, settings_of
from ops.invocation import run as run_to_the_end
from ops.roles import ROLES


@click.command("run")
@click.argument("role", type=click.Choice([*ROLES, "all"]))
@click.option("--only", multiple=True, help="streams: this processor only (repeatable), by name.")
@click.option(
    "--worker",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="streams: number of this worker on the node.",
)
@click.option("--parent", type=int, hidden=True, help="End when this process is no longer the parent.")
@click.pass_context
def run(context: click.Context, role: str, only: tuple[str, ...], worker: int, parent: int | None) -> None:
    """Run one role, or all of them under a supervisor, until SIGTERM or Ctrl-C."""
    refuse_other_sources()
    settings = settings_of(context)
    if role != "streams" and (only or worker != 1):
        raise click.UsageError("--only and --worker belong to the role streams")
    if role == "all":
        from ops.supervisor import Supervisor

        invocation = context.find_object(Invocation)
        run_to_the_end(Supervisor(settings, invocation.config if invocation else None).run())
        return
    from ops.operating import run_role

    options: dict[str, Any] = {"only": only, "worker": worker} if role == "streams" else {}
    run_to_the_end(run_role(settings, role, parent, **options))

"""`sztab command`: ask for a change of an incident, through the running intake, as the page does."""

import os
import uuid
from typing import Any, Final

import aiohttp
import click
import orjson

from ops import runtime
from ops.invocation import run, settings_of
from ops.settings import Settings
from schemas.command import Verb
from schemas.errors import Code, Unavailable
from schemas.report import Mode

TOKEN: Final = "SZTAB_TOKEN"  # noqa: S105 - the variable's name
SECONDS: Final = 10.0


@click.command()
@click.argument("verb", type=click.Choice([verb.value for verb in Verb]))
@click.argument("incident")
@click.option("--unit", help="Responsible unit; needed only for an incident the intake has not heard of.")
@click.option("--mode", type=click.Choice([one.value for one in Mode]), help="The incident's, where it is a test.")
@click.option("--reason", help="Why; compulsory for refuse, reject and unlink.")
@click.option("--report", "report_id", help="The report, for link and unlink.")
@click.option("--target", "target_id", help="The other incident, for link, confirm and reject.")
@click.option("--to-unit", help="Who shall answer, for hand-over.")
@click.option("--resource", help="The patrol, for dispatch and arrive.")
@click.option("--category", help="For recategorise.")
@click.option("--urgency", type=click.Choice(["urgent", "ordinary"]), help="For recategorise.")
@click.option("--delivery", "delivery_id", help="For redeliver.")
@click.option("--expected-version", type=int, help="Refuse when the incident has changed since.")
@click.option("--key", help="Idempotency key: the same key is the same command. Else a new one.")
@click.option("--json", "as_json", is_flag=True, help="The answer as it came.")
@click.pass_context
def command(
    context: click.Context, /, *, verb: str, incident: str, key: str | None, as_json: bool, **told: Any
) -> None:
    """Ask for a change of an incident. With accounts configured, your token stands in SZTAB_TOKEN.

    Exit status 0 when it was done or written down, 1 when it was refused.
    """
    body = {name: value for name, value in told.items() if value is not None}
    body |= {"verb": verb, "idempotency_key": key or str(uuid.uuid4())}
    status, said = run(ask(settings_of(context), incident, body))
    if as_json:
        click.echo(orjson.dumps(said))
    elif status == 200:
        click.echo(f"{said['kind']}: state {said['state']}, version {said['version']} (fact {said['fact_id']})")
    elif status == 202:
        click.echo(f"written down; ask later: {said['status']}")
    else:
        click.echo(f"refused: {said.get('code')} {said.get('pointer', '')} {said.get('detail', '')}".rstrip(), err=True)
    if status not in (200, 202):
        context.exit(1)


async def ask(settings: Settings, incident: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Post the command; status and body of the answer. Unavailable when the intake does not answer."""
    address = f"{runtime.address(settings, 'intake')}/v1/incidents/{incident}/commands"
    token = os.environ.get(TOKEN, "")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
            session.post(address, data=orjson.dumps(body), headers=headers) as answer,
        ):
            return answer.status, orjson.loads(await answer.read())
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        detail = f"the intake does not answer ({type(error).__name__})"
        raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, detail) from None

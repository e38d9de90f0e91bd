"""`sztab status`: which roles run on this machine, where, and whether they are ready."""

import asyncio
import time
from dataclasses import asdict

import aiohttp
import click
import orjson

from ops import runtime
from ops.invocation import run, settings_of
from ops.runtime import Running
from ops.settings import Settings

ASK_SECONDS = 8.0
AGAIN_SECONDS = 0.5


@click.command("status")
@click.option("--url", "role", help="Print only the address that this role serves (intake, console).")
@click.option("--wait", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait until all are ready.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@click.pass_context
def status(context: click.Context, role: str | None, wait: float, *, as_json: bool) -> None:
    """Say which roles run here and whether each is ready; exit status 0 only if at least one runs and all are."""
    settings = settings_of(context)
    if role is not None:
        click.echo(runtime.address(settings, role))
        return
    found, answers = run(_looked(settings, wait))
    if as_json:
        roles = [{**asdict(one), "not_ready": why} for one, why in zip(found, answers, strict=True)]
        click.echo(orjson.dumps({"roles": roles}))
    else:
        for one, why in zip(found, answers, strict=True):
            click.echo(f"{one.role:<12}pid {one.pid:<8}{'; '.join(why) or 'ready'}  {one.url or one.operation}")
        if not found:
            click.echo("no role runs here; start all: sztab run all")
    context.exit(0 if found and not any(answers) else 1)


async def _looked(settings: Settings, wait: float) -> tuple[list[Running], list[list[str]]]:
    """Who runs and why each is not ready; looked at again until all are, or `wait` seconds have passed."""
    until = time.monotonic() + wait
    while True:
        found = runtime.all_running(settings)
        answers = await _ask_all(found)
        if (found and not any(answers)) or time.monotonic() >= until:
            return found, answers
        await asyncio.sleep(AGAIN_SECONDS)


async def _ask_all(roles: list[Running]) -> list[list[str]]:
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        return await asyncio.gather(*(_why_not(session, one) for one in roles))


async def _why_not(session: aiohttp.ClientSession, one: Running) -> list[str]:
    """Why the role is not ready; empty when it is."""
    try:
        async with session.get(f"{one.operation}/health/ready") as answer:
            if answer.ok:
                return []
            told = await answer.json()
            return [str(why) for why in told["why"]] or ["not ready"]
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        return [f"does not answer ({type(error).__name__})"]

"""Roles of an installation as tasks of the test's own loop, on the session's broker, with recording recipients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from connectors.webhook.lab import WebhookLab
from ops import runtime
from ops.demo.stage import quoted, toml
from ops.ledger_cli import account
from ops.provision_cli import provision_installation
from ops.settings import Settings, load
from tests.waiting import until

RECIPIENTS = ("dispatch", "fire", "crisis")
Run = Callable[[Settings], Awaitable[None]]


@asynccontextmanager
async def recipients() -> AsyncIterator[Mapping[str, WebhookLab]]:
    """The far sides of the built-in routing."""
    labs = {name: WebhookLab() for name in RECIPIENTS}
    try:
        for lab in labs.values():
            await lab.start()
        yield labs
    finally:
        for lab in labs.values():
            await lab.stop()


def installation(folder: Path, servers: str, prefix: str, labs: Mapping[str, WebhookLab], node: str = "n1") -> Settings:
    """A provisioned installation with one call centre; a second node of it has another folder and name."""
    folder.mkdir(exist_ok=True)
    told = [
        f'connector = "webhook"\nname = "{name}"\nurl = {quoted(lab.url)}\nallowed_networks = ["127.0.0.0/8"]\n'
        f"keys = [{', '.join(quoted(key) for key in lab.keys)}]"
        for name, lab in labs.items()
    ]
    text = toml("test", prefix=prefix, sources=['connector = "cpr"\nname = "cpr"\nemergency = true'], recipients=told)
    text = text.replace('node = "intake-1"', f'node = "{node}"')
    file = folder / "sztab.toml"
    file.write_text(f'{text}[kafka]\nbootstrap_servers = "{servers}"\nwide = 2\n', encoding="utf-8")
    settings = load(file)
    runtime.prepare(settings)
    provision_installation(settings, dry_run=False)
    return settings


@asynccontextmanager
async def role(settings: Settings, name: str, run: Run) -> AsyncIterator[None]:
    """A role for as long as the context; what ends it early fails the test."""
    task = asyncio.ensure_future(run(settings))
    try:
        await until(lambda: task.done() or runtime.running(settings, name), 30)
        if task.done():
            task.result()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def post(settings: Settings, body: bytes) -> dict[str, Any]:
    """Hand one form to the intake; the answer, which must be a yes."""
    url = f"{runtime.address(settings, 'intake')}/v1/sources/cpr/documents"
    async with (
        aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as client,
        client.post(url, data=body) as answer,
    ):
        told: dict[str, Any] = orjson.loads(await answer.read())
        assert answer.status == 202, told
        return told


async def drained(settings: Settings, seconds: float = 60.0, **others: str) -> dict[str, Any]:
    """The ledger once nothing is in flight any more."""
    told = await account(settings, seconds, others)
    assert (told["in_flight"], told["changes"]["in_flight"]) == (0, 0), told
    return told

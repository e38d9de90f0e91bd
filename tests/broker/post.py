"""A whole installation and the person at its command line, for tests of quarantine."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from connectors.webhook.lab import WebhookLab
from ops.demo.stage import Stage, quoted, toml
from ops.reading import Cluster, Reading

FORM: dict[str, Any] = {
    "cpr_id": "PL-1",
    "revision": 1,
    "category": "2.1",
    "description": "Potrącenie pieszego",
    "caller": {"surname": "Zmyślona", "phone": "+48600100200"},
    "place": {"locality": "Kalisz", "street": "Łódzka", "lat": 51.757, "lon": 18.115},
}
GOOD = orjson.dumps(FORM)
BROKEN = GOOD[:-1]
RECIPIENTS = ("dispatch", "fire", "crisis")
FAST = "[streams]\nsession_seconds = 6"


class Post:
    """A running installation with a recipient that really takes webhooks, and a person at its command line."""

    def __init__(self, stage: Stage, session: aiohttp.ClientSession, lab: WebhookLab, cluster: Cluster) -> None:
        self.stage, self.session, self.lab, self.cluster = stage, session, lab, cluster

    async def sztab(self, *words: str, status: int = 0) -> Any:
        """A command with `--json`: what it printed, after it ended as it should."""
        ended, printed = await self.stage.run(*words, "--json")
        assert ended == status, printed
        return orjson.loads(printed)

    async def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """The HTTP API, as a person on this machine asks it."""
        address, headers = self.stage.urls["intake"] + path, {"X-Sztab-User": "anna"}
        async with self.session.request(method, address, json=body, headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())

    def lines(self, job: str) -> int:
        """How many items have their end in a job's file."""
        file = self.stage.folder / "data" / "quarantine" / f"{job}.jsonl"
        return sum(b'"outcome"' in line for line in file.read_bytes().splitlines())

    def again(self) -> None:
        """Where the intake is after it was started again."""
        told = orjson.loads((self.stage.folder / "data" / "run" / "intake.json").read_bytes())
        self.stage.urls["intake"] = told["url"]

    async def items(self, *words: str) -> dict[str, Any]:
        """The list, by item id."""
        return {one["item_id"]: one for one in await self.sztab("quarantine", "list", *words)}

    async def delivered(self, sought: str) -> list[dict[str, Any]]:
        """What was delivered of an id."""
        found = await self.sztab("trace", sought)
        return [one for one in found["deliveries"] if one["outcome"] == "delivered"]

    async def records(self, topic: str) -> list[Any]:
        """Everything in a topic."""
        return [one async for _, records in Reading(self.cluster, [topic]).on() for one in records]

    async def screen(self, *words: str) -> str:
        """What a command shows to a person."""
        ended, printed = await self.stage.run(*words)
        assert ended == 0, printed
        return printed

    async def send(self, body: bytes, kind: str = "application/json") -> tuple[int, dict[str, Any]]:
        """What the call centre sends, and the answer."""
        address = f"{self.stage.urls['intake']}/v1/sources/cpr/documents"
        headers = {"Content-Type": kind}
        async with self.session.post(address, data=body, headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())


@pytest.fixture
async def post(kafka: Any, prefix: str, tmp_path: Path) -> AsyncIterator[Post]:
    """Everything of `sztab run all` over the session's broker."""
    lab = WebhookLab()
    await lab.start()
    stage = Stage(tmp_path / "installation")
    text = toml(
        "post",
        prefix=prefix,
        sources=['connector = "cpr"\nname = "cpr"'],
        recipients=[
            f'connector = "webhook"\nname = "{name}"\nurl = {quoted(lab.url)}\n'
            f'keys = {quoted(list(lab.keys))}\nallowed_networks = ["127.0.0.0/8"]\n'
            f"replay = {quoted(name == 'dispatch')}"
            for name in RECIPIENTS
        ],
        extra=f"[kafka]\nbootstrap_servers = {quoted(kafka.bootstrap_servers)}\nwide = 2\n\n{FAST}\n",
    )
    try:
        await stage.start(text)
        async with aiohttp.ClientSession() as session:
            await stage.ready(session)
            yield Post(stage, session, lab, Cluster(kafka.bootstrap_servers, prefix))
    finally:
        await stage.stop()
        await lab.stop()

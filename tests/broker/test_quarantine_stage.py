"""Quarantine as a person works with it: a whole installation, its command line, its page for a developer's curl."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from connectors.webhook.lab import WebhookLab
from ops.demo.stage import Stage, quoted, toml
from tests.waiting import until

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

    def __init__(self, stage: Stage, session: aiohttp.ClientSession, lab: WebhookLab) -> None:
        self.stage, self.session, self.lab = stage, session, lab

    async def sztab(self, *words: str, status: int = 0) -> Any:
        """A command with `--json`: what it printed, after it ended as it should."""
        ended, printed = await self.stage.run(*words, "--json")
        assert ended == status, printed
        return orjson.loads(printed)

    async def screen(self, *words: str) -> str:
        """What a command shows to a person."""
        ended, printed = await self.stage.run(*words)
        assert ended == 0, printed
        return printed

    async def send(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """What the call centre sends, and the answer."""
        address = f"{self.stage.urls['intake']}/v1/sources/cpr/documents"
        headers = {"Content-Type": "application/json"}
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
            f'keys = {quoted(list(lab.keys))}\nallowed_networks = ["127.0.0.0/8"]'
            for name in RECIPIENTS
        ],
        extra=f"[kafka]\nbootstrap_servers = {quoted(kafka.bootstrap_servers)}\nwide = 2\n\n{FAST}\n",
    )
    try:
        await stage.start(text)
        async with aiohttp.ClientSession() as session:
            await stage.ready(session)
            yield Post(stage, session, lab)
    finally:
        await stage.stop()
        await lab.stop()


@pytest.mark.timeout(240)
async def test_a_malformed_report_is_corrected_replayed_and_traced(post: Post, tmp_path: Path) -> None:
    """From the partner's broken form to the recipient: nothing but the command line, and nothing lost on the way."""
    status, refused = await post.send(BROKEN)
    assert (status, refused["code"], refused["kept"]) == (422, "syntax-invalid", "quarantine")
    original = refused["id"]

    async def listed() -> Any:
        return await post.sztab("quarantine", "list")

    items: Any = await until(listed, 30, "the item in the list")
    (item,) = items
    assert (item["document_id"], item["stage"], item["source"], item["peer"]) == (original, "intake", "cpr", "cpr")
    shown = await post.sztab("quarantine", "show", original, "--bytes", "--purpose", "looking at the form")
    assert shown["state"] == "open"
    corrected = tmp_path / "corrected.json"
    corrected.write_bytes(GOOD)
    told = await post.sztab("quarantine", "diff", original, str(corrected), "--purpose", "looking at the form")
    assert told["how"] == "text"
    worse = tmp_path / "worse.json"
    worse.write_bytes(GOOD[:-2])
    refused = await post.sztab(
        "quarantine", "replay", original, "--corrected", str(worse), "--purpose", "a bracket was missing", status=1
    )
    assert refused["code"] == "syntax-invalid"
    replayed = ("quarantine", "replay", original, "--corrected", str(corrected), "--purpose", "a bracket was missing")
    done = await post.sztab(*replayed)
    correction = done["document_id"]
    assert correction != original

    async def delivered() -> Any:
        found = await post.sztab("trace", original)
        return found if any(one["outcome"] == "delivered" for one in found["deliveries"]) else None

    trace: Any = await until(delivered, 60, "the delivery of the correction")
    assert {one["document_id"]: one["state"] for one in trace["documents"]} == {
        original: "quarantined",
        correction: "published",
    }
    assert [(one["document_id"], one["corrected_by"]) for one in trace["handled"]] == [(original, correction)]
    assert trace["reports"] == done["reports"]
    assert any(one["topic"] == "intake.emergency" and one["corrects"] == original for one in trace["records"])
    assert post.lab.kept
    for sought in (correction, done["reports"][0], item["item_id"], trace["deliveries"][0]["delivery_id"]):
        other = await post.sztab("trace", sought)
        assert {original, correction} <= {one["document_id"] for one in other["documents"]}, sought
        assert other["handled"] == trace["handled"]
    screen = await post.screen("trace", original)
    assert f"document {correction} corrects it" in screen
    assert "Zmyślona" not in screen
    assert await listed() == []
    (after,) = await post.sztab("quarantine", "list", "--state", "all")
    assert (after["state"], after["resolved"]["corrected_by"]) == ("corrected", correction)
    assert after["resolved"]["reason"] == "a bracket was missing"
    twice = await post.sztab(*replayed, status=1)
    assert twice["code"] == "state-forbids"
    ledger = await post.sztab("ledger", "--wait", "30")
    assert (ledger["balanced"], ledger["missing"]) == (True, {})

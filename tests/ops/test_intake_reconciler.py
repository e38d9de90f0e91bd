"""What the reconciler asks of an intake node: a command of its own, and a document once more."""

from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from connectors.cpr.lab import CprLab
from connectors.journal_rows import RowState
from schemas.topics import EMERGENCY
from tests.connectors.broker_double import FakeBroker
from tests.ops.intake_node import OFFICER, RECONCILER, TOKEN, IntakeNode, intake_node
from tests.waiting import until


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[IntakeNode]:
    """A node whose broker works."""
    async with intake_node(tmp_path, FakeBroker()) as one:
        yield one


async def test_the_installations_own_reconciler_is_known(node: IntakeNode) -> None:
    """Its token comes from the installation's key, not from an account: an operator by the name of its own, no more."""
    url, headers = f"{node.url}/v1/incidents/i-1/commands", {"Authorization": f"Bearer {RECONCILER}"}
    body = {"verb": "redeliver", "unit": "kmp-kalisz", "idempotency_key": "k", "delivery_id": "d-1"}
    async with node.client.post(url, json=body, headers=headers) as answer:
        assert answer.status == 202
    (row,) = await node.runner.journal.ids(0, 10)
    kept = await node.runner.journal.document(row.document_id)
    assert kept is not None
    assert kept.body is not None
    assert orjson.loads(kept.body)["actor"] == "reconciler"
    async with node.client.get(f"{node.url}/v1/journal/ids", headers=headers) as answer:
        assert answer.status == 200
    for wrong in ("", "reconciler"):
        async with node.client.get(
            f"{node.url}/v1/journal/ids", headers={"Authorization": f"Bearer {wrong}"}
        ) as answer:
            assert answer.status == 401


async def publish(node: IntakeNode, document: str, token: str = RECONCILER) -> int:
    """Ask for a document once more; the status of the answer."""
    url, headers = f"{node.url}/v1/journal/documents/{document}/publish", {"Authorization": f"Bearer {token}"}
    async with node.client.post(url, headers=headers) as answer:
        return answer.status


async def test_a_published_document_goes_to_the_broker_once_more(node: IntakeNode) -> None:
    """The same report under the same ids, by the one publisher; the journal's row is as it was."""
    url, headers = f"{node.url}/v1/sources/cpr/documents", {"Authorization": f"Bearer {TOKEN}"}
    async with node.client.post(
        url, data=CprLab().form(), headers={**headers, "Content-Type": "application/json"}
    ) as answer:
        document = (await answer.json())["id"]
    sent = [one for one in node.broker.kept if one.topic.endswith(EMERGENCY)]
    assert len(sent) == 1
    assert await publish(node, document) == 202
    await until(lambda: len([one for one in node.broker.kept if one.topic.endswith(EMERGENCY)]) == 2)
    again = [one for one in node.broker.kept if one.topic.endswith(EMERGENCY)][1]
    assert (again.key, again.headers) == (sent[0].key, sent[0].headers)
    first, second = sent[0].message().model_dump(), again.message().model_dump()
    assert {name for name in first if first[name] != second[name]} <= {"caller"}, (
        "what is sealed has a nonce of its own"
    )

    async def marked() -> bool:
        row = await node.runner.journal.document(document)
        return row is not None and row.stored.state is RowState.PUBLISHED

    await until(marked, what="the row's mark")


async def test_who_may_not_and_what_is_not_there(node: IntakeNode) -> None:
    """Officers may not; a document of another node is not known here."""
    assert await publish(node, "nowhere") == 404
    assert await publish(node, "nowhere", OFFICER) == 403
    assert await publish(node, "nowhere", "") == 401

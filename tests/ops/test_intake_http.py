"""The intake over HTTP: every answer tells the truth about the document, whatever was sent."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.cpr.lab import CprLab
from connectors.journal_store import Limits
from connectors.kits.http import Pushed, check_reach
from connectors.kits.inflating import inflated
from schemas.errors import Code, Misconfigured, Rejected
from tests.connectors.broker_double import FakeBroker
from tests.ops.intake_node import OFFICER, OPERATOR, TOKEN, IntakeNode, intake_node
from tests.waiting import until

Answer = tuple[int, dict[str, Any], dict[str, str]]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[IntakeNode]:
    """A node whose broker works."""
    async with intake_node(tmp_path, FakeBroker()) as one:
        yield one


async def post(
    node: IntakeNode,
    body: Any,
    source: str = "cpr",
    token: str = TOKEN,
    content_type: str | None = "application/json",
    **headers: str,
) -> Answer:
    """POST a document; status, body, headers."""
    told = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in headers.items()}}
    skip = [] if content_type else ["Content-Type"]
    if content_type:
        told["Content-Type"] = content_type
    url = f"{node.url}/v1/sources/{source}/documents"
    async with node.client.post(url, data=body, headers=told, skip_auto_headers=skip) as answer:
        return answer.status, orjson.loads(await answer.read()), dict(answer.headers)


async def receipt(node: IntakeNode, id: str, token: str = TOKEN) -> tuple[int, dict[str, Any]]:
    """GET a receipt."""
    headers = {"Authorization": f"Bearer {token}"}
    async with node.client.get(f"{node.url}/v1/receipts/{id}", headers=headers) as answer:
        return answer.status, orjson.loads(await answer.read())


async def test_accepted_with_a_receipt(node: IntakeNode) -> None:
    """202 names id, who holds it, findings, reports and where to ask; the same message again has the same id."""
    body = CprLab().form(strange=1)
    status, told, _ = await post(node, body)
    assert status == 202
    assert told["held"] == "broker"
    assert told["status"] == f"/v1/receipts/{told['id']}"
    assert [finding["code"] for finding in told["findings"]] == ["unknown-field"]
    again = await post(node, body)
    assert (again[0], again[1]["id"], again[1]["reports"]) == (202, told["id"], told["reports"])
    status, kept = await receipt(node, told["id"])
    assert (status, kept["held"], kept["state"], kept["source"]) == (200, "broker", "published", "cpr")


async def test_receipts_are_for_their_sender_alone(node: IntakeNode) -> None:
    """Another source, nobody, and an unknown id all get the same 404 `unknown-here`."""
    _, told, _ = await post(node, CprLab().form())
    for asked, token in ((told["id"], "another"), (told["id"], ""), ("none", TOKEN)):
        status, refused = await receipt(node, asked, token)
        assert (status, refused["code"]) == (404, "unknown-here")


@pytest.mark.parametrize(("source", "token", "status"), [("cpr", "wrong", 401), ("cpr", "", 401), ("none", TOKEN, 404)])
async def test_who_may_speak(node: IntakeNode, source: str, token: str, status: int) -> None:
    """Without the source's own token nothing is kept, and the problem says why."""
    answer = await post(node, CprLab().form(), source, token)
    assert answer[0] == status
    assert answer[2]["Content-Type"] == "application/problem+json"
    assert node.runner.journal.last_row == 0


BAD: list[tuple[bytes, int, str, str]] = [
    (b"", 422, "empty", ""),
    (b'{"cpr_id": "1"', 422, "syntax-invalid", ""),
    (b'{"cpr_id": "\xff"}', 422, "encoding-invalid", ""),
    (b'{"cpr_id": "1", "cpr_id": "2"}', 422, "duplicate-key", "/cpr_id"),
    (b'{"cpr_id": "1", "revision": NaN}', 422, "number-invalid", ""),
    (b'{"cpr_id": "1", "revision": 1e400}', 422, "number-invalid", ""),
    (b'{"a":' * 10_000, 422, "too-deep", ""),
    (b"[1]", 422, "field-invalid", ""),
    (b'{"revision": 1}', 422, "field-missing", "/cpr_id"),
]


@pytest.mark.parametrize(("body", "status", "code", "at"), BAD)
async def test_not_understood_is_refused_and_kept(
    node: IntakeNode, body: bytes, status: int, code: str, at: str
) -> None:
    """Each kind of bad document has its problem with code, pointer and document id, and stands in quarantine."""
    answered, told, headers = await post(node, body)
    assert (answered, told["code"], told.get("pointer", "")) == (status, code, at)
    assert told["type"] == f"/problems/{code}"
    assert headers["Content-Type"] == "application/problem+json"
    await until(lambda: node.broker.of("t.quarantine"))
    (kept,) = node.broker.of("t.quarantine")
    assert kept.header("documentid") == told["id"]
    status, receipted = await receipt(node, told["id"])
    assert (status, receipted["code"]) == (200, code)
    row = await node.runner.journal.document(told["id"])
    assert row is not None
    assert row.body == body


async def test_wrong_type_and_coding_are_kept_too(node: IntakeNode) -> None:
    """415 for another content type, charset or coding, 422 for a broken gzip body: all authenticated, so all kept."""
    form = CprLab().form()
    answers = [
        await post(node, form, content_type="text/xml"),
        await post(node, form + b" ", content_type="application/json; charset=iso-8859-2"),
        await post(node, form + b"  ", content_type=None),
        await post(node, form + b"   ", Content_Encoding="br"),
        await post(node, gzip.compress(form)[:-9], Content_Encoding="gzip"),
        await post(node, b"no gzip", Content_Encoding="gzip"),
    ]
    assert [(status, told["code"]) for status, told, _ in answers] == [
        (415, "wrong-content-type"),
        (415, "wrong-content-type"),
        (415, "wrong-content-type"),
        (415, "wrong-content-type"),
        (422, "compression-invalid"),
        (422, "compression-invalid"),
    ]
    assert all(told["id"] for _, told, _ in answers)
    assert node.runner.journal.last_row == len(answers)


async def test_compressed_bodies(node: IntakeNode) -> None:
    """Gzip and deflate are understood, and a compressed form is the same document as a plain one."""
    form = CprLab().form()
    _, plain, _ = await post(node, form)
    for body, coding in ((gzip.compress(form), "gzip"), (zlib.compress(form), "deflate")):
        status, told, _ = await post(node, body, Content_Encoding=coding)
        assert (status, told["id"]) == (202, plain["id"])


@pytest.mark.parametrize("coding", [None, "gzip", "deflate"])
async def test_too_large_is_not_read(node: IntakeNode, coding: str | None) -> None:
    """Beyond the source's limit 413, also for a body that is small before it is inflated; nothing is kept."""
    large = b" " * 5_000_000
    body = {None: large[:100_000], "gzip": gzip.compress(large), "deflate": zlib.compress(large)}[coding]
    status, told, _ = await post(node, body, **({"Content_Encoding": coding} if coding else {}))
    assert (status, told["code"]) == (413, "too-large")
    assert node.runner.journal.last_row == 0


async def test_too_large_without_a_length(node: IntakeNode) -> None:
    """A chunked body is cut off at the limit, however long it goes on."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 65_536

    status, told, _ = await post(node, endless())
    assert (status, told["code"]) == (413, "too-large")


def test_bombs_of_many_members() -> None:
    """Concatenated gzip members count together, in bytes and in number."""
    with pytest.raises(Rejected) as large:
        inflated(gzip.compress(b" " * 1000) * 20, "gzip", 10_000)
    with pytest.raises(Rejected) as many:
        inflated(gzip.compress(b"") * 1_000, "gzip", 10_000)
    assert (large.value.code, many.value.code) == (Code.TOO_LARGE, Code.COMPRESSION_INVALID)
    assert inflated(gzip.compress(b"ab") + gzip.compress(b"cd"), "gzip", 4) == b"abcd"


async def test_a_truncated_request_keeps_nothing(node: IntakeNode) -> None:
    """A connection that breaks off inside the body leaves nothing behind, and the node goes on."""
    host, port = node.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /v1/sources/cpr/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await post(node, CprLab().form()))[0] == 202
    assert node.runner.journal.last_row == 1


async def test_json_test_suite(node: IntakeNode, shared: Path) -> None:
    """Every file of JSONTestSuite gets an answer with a code; none is accepted as a form, none is a 5xx."""
    files = sorted((shared / "badinput/JSONTestSuite/test_parsing").iterdir())
    for file in files:
        body = file.read_bytes()
        if len(body) > 65_536:
            body = body[:65_536]
        status, told, _ = await post(node, body)
        assert status == 422, file.name
        assert told["code"] in set(Code), file.name
    assert (await post(node, CprLab().form()))[0] == 202


async def test_what_is_odd_is_taken_with_findings(node: IntakeNode) -> None:
    """Unknown fields, impossible dates, swapped and far coordinates: accepted, each with its finding."""
    form = json.loads(CprLab().form())
    form |= {"registered_at": "2026-02-30T10:00:00Z", "more": {"x": 1}, "place": {"lat": 18.09, "lon": 51.76}}
    status, told, _ = await post(node, orjson.dumps(form))
    codes = {finding["code"] for finding in told["findings"]}
    assert status == 202
    assert {"time-implausible", "unknown-field", "coordinates-swapped"} <= codes
    status, told, _ = await post(node, CprLab().form(cpr_id="far", place={"lat": 10.0, "lon": 10.0}))
    assert "coordinates-outside" in {finding["code"] for finding in told["findings"]}


async def test_no_room_is_said(tmp_path: Path) -> None:
    """A full journal answers 503 with Retry-After, never a false yes."""
    broker = FakeBroker()
    async with intake_node(tmp_path, broker, limits=Limits(max_bytes=1 << 20)) as node:
        lab = CprLab()
        answers = [await post(node, lab.form(description=f"{number:05d}" * 9_000)) for number in range(30)]
        status, told, headers = answers[-1]
        assert (status, told["code"], headers["Retry-After"]) == (503, "journal-full", "5")


async def test_unknown_addresses_are_problems_too(node: IntakeNode) -> None:
    """No such path and a wrong method are problems of the same form."""
    async with node.client.get(f"{node.url}/nothing") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
    async with node.client.get(f"{node.url}/v1/sources/cpr/documents") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_an_officer_types_at_the_desk(node: IntakeNode) -> None:
    """An officer's account may speak for the desk, an operator's may not, and nobody but CPR for the CPR."""
    entry = orjson.dumps({"entry_id": "1", "description": "x", "channel": "radio"})
    assert (await post(node, entry, "desk", OFFICER))[0] == 202
    assert (await post(node, entry, "desk", OPERATOR))[0] == 401
    assert (await post(node, entry, "cpr", OFFICER))[0] == 401


def test_open_sources_stay_on_loopback() -> None:
    """A source without a token refuses to be heard beyond this machine."""
    sources = {"open": Pushed("open", "", 10, ("application/json",)), "shut": Pushed("shut", "ab", 10, ())}
    check_reach("127.0.0.1", sources)
    check_reach("::1", sources)
    with pytest.raises(Misconfigured, match="open: token_sha256"):
        check_reach("0.0.0.0", sources)  # noqa: S104 - that it is refused is the test


async def test_commands_over_http(node: IntakeNode) -> None:
    """A command is written down and answered 202 with an address while no fact tells; who may not ask is refused."""
    url = f"{node.url}/v1/incidents/inc-1/commands"
    body = {"verb": "accept", "idempotency_key": "k1", "unit": "kmp-kalisz"}
    node.outcomes.units["inc-1"] = "kmp-kalisz"
    async with node.client.post(url, json=body, headers={"Authorization": f"Bearer {OFFICER}"}) as answer:
        told = await answer.json()
        assert answer.status == 202
    (kept,) = node.broker.of("t.intake.commands")
    assert (kept.key, kept.header("kind"), kept.header("causeid")) == (b"inc-1", "accept", told["command_id"])
    async with node.client.get(node.url + told["status"], headers={"Authorization": f"Bearer {OFFICER}"}) as answer:
        assert answer.status == 202
    async with node.client.post(url, json=body) as answer:
        assert answer.status == 401
    async with node.client.post(url, data=b"[", headers={"Authorization": f"Bearer {OFFICER}"}) as answer:
        assert (answer.status, orjson.loads(await answer.read())["code"]) == (422, "syntax-invalid")


async def test_ids_for_the_ledger(node: IntakeNode) -> None:
    """Pages of ids with state and reports, for operators only."""
    lab = CprLab()
    for _ in range(3):
        await post(node, lab.form())
    headers = {"Authorization": f"Bearer {OPERATOR}"}
    async with node.client.get(f"{node.url}/v1/journal/ids?after=0&limit=2", headers=headers) as answer:
        first = await answer.json()
    async with node.client.get(f"{node.url}/v1/journal/ids?after={first['next']}", headers=headers) as answer:
        second = await answer.json()
    assert [row["row"] for row in first["rows"] + second["rows"]] == [1, 2, 3]
    assert (second["next"], second["last_row"]) == (None, 3)
    async with node.client.get(f"{node.url}/v1/journal/ids", headers={"Authorization": f"Bearer {OFFICER}"}) as answer:
        assert answer.status == 403


async def test_the_same_bytes_sent_rightly_are_taken(node: IntakeNode) -> None:
    """A wrong header sets that message aside, not its bytes for ever; and what is published stays so."""
    body = CprLab().form()
    refused, first, _ = await post(node, body, content_type="text/plain")
    assert (refused, first["code"]) == (415, Code.WRONG_CONTENT_TYPE.value)
    accepted, taken, _ = await post(node, body)
    assert (accepted, taken["repeated"]) == (202, False)
    again, said, _ = await post(node, body, content_type="text/plain")
    assert (again, said["id"]) == (415, first["id"])
    assert (await receipt(node, taken["id"]))[1]["state"] == "published"

"""Header bytes that no client library sends: no document is lost to them, nobody is let in by them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from yarl import URL

from connectors.cpr.lab import CprLab
from tests.connectors.broker_double import FakeBroker
from tests.ops.intake_node import TOKEN, IntakeNode, intake_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[IntakeNode]:
    """A node whose broker works."""
    async with intake_node(tmp_path, FakeBroker()) as one:
        yield one


@pytest.mark.parametrize("name", [b"traceparent", b"Content-Encoding", b"Content-Type"])
async def test_a_header_of_odd_bytes_stops_no_document(node: IntakeNode, name: bytes) -> None:
    """Kept and answered with a problem or a receipt, never with an endless 503."""
    status = await posted_raw(node, [(name, b"application/json; x=\xff" if name == b"Content-Type" else b"\xff")])
    assert status in {202, 415, 422}


async def test_a_token_of_odd_bytes_is_refused(node: IntakeNode) -> None:
    """401, not a failure of ours."""
    assert await posted_raw(node, [(b"Authorization", b"Bearer \xff")]) == 401


async def posted_raw(node: IntakeNode, headers: list[tuple[bytes, bytes]]) -> int:
    """POST a form with header bytes that a client library would not send; the status."""
    body = CprLab().form()
    told = {b"Authorization": b"Bearer " + TOKEN.encode(), b"Content-Type": b"application/json", **dict(headers)}
    lines = [b"POST /v1/sources/cpr/documents HTTP/1.1", b"Host: here", b"Connection: close"]
    lines += [name + b": " + value for name, value in told.items()]
    lines += [b"Content-Length: %d" % len(body), b"", body]
    url = URL(node.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"\r\n".join(lines))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1])

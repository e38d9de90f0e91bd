"""The flood keeps its rate whatever it is told, comes back when it is told to, and keeps account of every message."""

from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from ops.prove.system import flood
from ops.prove.system.configured import ORDINARY
from ops.prove.system.history import FAIL, INFO, OK, Operation, read


def told(server: BaseTestServer, file: Path, **changes: object) -> dict[str, object]:
    """What the harness tells the process."""
    node = f"127.0.0.1:{server.port}"
    base = {"run": "r", "name": "r-flood", "ids_key": "00" * 32, "nodes": [node], "rate": 2000, "count": 200, "seed": 1}
    return {**base, "file": str(file), **changes}


def operations(file: Path) -> list[Operation]:
    """What it kept."""
    return [one for one in read(file) if isinstance(one, Operation)]


async def test_every_message_is_accounted_for(tmp_path: Path) -> None:
    """Accepted; refused once and then accepted; refused for good; cut off in the middle: each as what it was."""
    asked: Counter[str] = Counter()

    async def hear(request: web.Request) -> web.Response:
        assert request.match_info["source"] in ORDINARY
        number = int((await request.json())["cpr_id"].rpartition("-")[2])
        asked[str(number)] += 1
        if number == 1 and asked["1"] == 1:
            return web.json_response({"code": "overloaded"}, status=429, headers={"Retry-After": "0.01"})
        if number == 2:
            return web.json_response({"code": "not-understood"}, status=422)
        if number == 3:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"id": f"d{number}", "reports": [f"r{number}"]}, status=202)

    app = web.Application()
    app.router.add_post("/v1/sources/{source}/documents", hear)
    async with TestServer(app) as server:
        await flood.main(told(server, tmp_path / "f.jsonl"))
    found = {one.counter: one for one in operations(tmp_path / "f.jsonl")}
    assert len(found) == 200
    assert Counter(one.outcome for one in found.values()) == {OK: 198, FAIL: 1, INFO: 1}
    assert [attempt.outcome for attempt in found[1].attempts] == [FAIL, OK]
    assert found[2].outcome == FAIL
    assert (found[3].outcome, len(found[3].attempts)) == (INFO, flood.TRIES)
    assert found[5].report_ids == ("r5",)
    assert not any(one.emergency for one in found.values())


async def test_a_refusal_without_retry_after_is_told(tmp_path: Path) -> None:
    """The harness must hear of it: the process does not end well."""

    async def hear(_: web.Request) -> web.Response:
        return web.json_response({"code": "overloaded"}, status=429)

    app = web.Application()
    app.router.add_post("/v1/sources/{source}/documents", hear)
    async with TestServer(app) as server:
        with pytest.raises(SystemExit, match="refusals without Retry-After"):
            await flood.main(told(server, tmp_path / "f.jsonl", count=1))
    assert [one.outcome for one in operations(tmp_path / "f.jsonl")] == [FAIL]

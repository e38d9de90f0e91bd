"""A replay of many over the HTTP API of a whole installation, whose intake is killed meanwhile."""

import os
import signal
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import pytest

from schemas.topics import FACTS
from tests.broker.post import FORM, Post
from tests.broker.post import post as post
from tests.waiting import until

MANY = 60


@pytest.mark.timeout(300)
async def test_a_replay_of_many_outlives_a_kill_of_the_intake(post: Post) -> None:
    """Killed in the middle it goes on by itself: every form has its effect once, and the ledger balances."""
    forms = [orjson.dumps({**FORM, "cpr_id": f"PL-{number}"}) for number in range(MANY)]
    for body in forms:
        assert (await post.send(body, "text/plain"))[0] == 415

    async def all_there() -> bool:
        return len(await post.items()) == MANY

    await until(all_there, 60, "every form in the list")
    asked = {"source": ["cpr"], "dry_run": False, "purpose": "they are forms"}
    status, job = await post.api("POST", "/v1/replays", asked)
    assert (status, job["selected"]) == (200, MANY)

    async def progress() -> dict[str, Any]:
        return (await post.api("GET", f"/v1/replays/{job['job']}"))[1]

    async def some_done() -> bool:
        return bool((await progress())["done"] >= MANY // 8)

    await until(some_done, 60, "a part is done")
    os.kill(post.stage.pids["intake"], signal.SIGKILL)
    ended = post.lines(job["job"])
    assert MANY // 8 <= ended < MANY, "the kill came in the middle"

    async def done() -> bool:
        with suppress(aiohttp.ClientError, FileNotFoundError, KeyError):
            post.again()
            return bool((await progress())["state"] == "done")
        return False

    await until(done, 120, "the job's end after the kill")
    told = await progress()
    assert (told["done"], set(told["outcomes"]) <= {"replayed", "tried"}) == (MANY, True)
    ledger = await post.sztab("ledger", "--wait", "60")
    assert (ledger["balanced"], ledger["reports"], ledger["missing"]) == (True, MANY, {})
    assert await post.items() == {}
    facts = [orjson.loads(one.value)["change"] for one in await post.records(FACTS)]
    arrived = [one["report"]["report"]["far_id"] for one in facts if one["kind"] in {"IncidentOpened", "ReportLinked"}]
    assert sorted(arrived) == sorted(f"PL-{number}" for number in range(MANY))

"""A served quarantine over a fake broker: what `ops.roles.intake` composes, without Kafka."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from connectors.contract import Document, Refused
from connectors.replaying import Replaying
from ops.aside import desk as desk_module
from ops.aside import jobs as jobs_module
from ops.aside import reentry as reentry_module
from ops.aside.api import QuarantineApi
from ops.aside.desk import Desk
from ops.aside.jobs import Jobs
from ops.aside.reentry import Reentry
from ops.aside.shelf import Shelf
from ops.http import served
from ops.intake_app import Gate
from ops.settings_parts import Account
from schemas.errors import Code, Unavailable
from schemas.topics import QUARANTINE
from streams.contract import Output
from tests.connectors.broker_double import FakeBroker
from tests.ops.aside.papers import Topic
from tests.ops.intake_node import ACCOUNTS, OPERATOR, IntakeNode, intake_node
from tests.waiting import until


@dataclass
class Desktop:
    """A node whose topic `quarantine` is a list, and what was written to Kafka beside its publisher.

    `when_put_back` is called with each record that re-enters, `when_written` with each other one; `away` makes every
    write fail; `elsewhere` is the record of any other topic.
    """

    node: IntakeNode
    folder: Path
    topic: Topic = field(default_factory=Topic)
    written: list[Output] = field(default_factory=list)
    put: list[tuple[Output, int]] = field(default_factory=list)
    when_put_back: Callable[[Output], None] = lambda _: None
    when_written: Callable[[Output], None] = lambda _: None
    away: bool = False
    elsewhere: Any = None
    url: str = ""
    desk: Any = None
    jobs: Any = None

    async def ask(self, method: str, path: str, token: str = OPERATOR, **body: Any) -> tuple[int, dict[str, Any]]:
        """One request; status and body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = orjson.dumps(body) if method == "POST" else None
        async with self.node.client.request(method, self.url + path, data=data, headers=headers) as answer:
            return answer.status, orjson.loads(await answer.read())

    async def write(self, *outputs: Output) -> None:
        """As `Pen.write`."""
        if self.away:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "away")
        for one in outputs:
            self.written.append(one)
            if one.topic == QUARANTINE:
                self.topic.add(one.key, one.value, one.headers)
            self.when_written(one)

    async def put_back(self, output: Output, partition: int) -> None:
        """As `Pen.put_back`."""
        if self.away:
            raise Unavailable(Code.BROKER_UNAVAILABLE, "away")
        self.put.append((output, partition))
        self.when_put_back(output)

    async def fresh(self) -> Shelf:
        """As `Shelved.fresh`."""
        return self.topic.shelf

    @property
    def now(self) -> Shelf:
        """As `Shelved.now`."""
        return self.topic.shelf

    def acts(self, topic: str = QUARANTINE) -> list[str]:
        """The kinds of what was written, in order."""
        return [dict(one.headers)["ce_kind"].decode() for one in self.written if one.topic == topic]

    async def sent(self, body: bytes, source: str = "cpr") -> str:
        """What a partner sends goes to quarantine; the document's id, once its record is there."""
        answer = await self.node.runner.accept(source, Document(body, "application/json"))
        assert isinstance(answer, Refused)
        topic = f"t.{QUARANTINE}"
        key = (answer.document_id or "").encode()
        await until(lambda: [one for one in self.node.broker.of(topic) if one.key == key])
        (record,) = [one for one in self.node.broker.of(topic) if one.key == key]
        self.topic.add(record.key, record.value, record.headers)
        return answer.document_id or ""


@asynccontextmanager
async def desktop(
    folder: Path, monkeypatch: pytest.MonkeyPatch, accounts: tuple[Account, ...] = ACCOUNTS
) -> AsyncIterator[Desktop]:
    """A served one; its jobs are started."""
    async with intake_node(folder, FakeBroker()) as node:
        made = Desktop(node, folder)

        @asynccontextmanager
        async def pen(_cluster: Any) -> AsyncIterator[Desktop]:
            if made.away:
                raise Unavailable(Code.BROKER_UNAVAILABLE, "away")
            yield made

        async def fetched(_cluster: Any, topic: str, _partition: int, offset: int) -> Any:
            return made.topic.records[offset] if topic == QUARANTINE else made.elsewhere

        monkeypatch.setattr(desk_module, "pen", pen)
        monkeypatch.setattr(jobs_module, "pen", pen)
        monkeypatch.setattr(reentry_module, "fetched", fetched)
        nothing: Any = None
        shelved: Any = made
        made.desk = Desk(shelved, Reentry(lambda: nothing, "n1", Replaying(node.runner), nothing))
        made.jobs = Jobs(made.desk, folder / "quarantine")
        await made.jobs.start()
        app = web.Application()
        app.add_routes(QuarantineApi(made.desk, made.jobs, Gate(accounts)).routes())
        try:
            async with served(app, "127.0.0.1", 0) as made.url:
                yield made
        finally:
            await made.jobs.stop()

"""The contract of a source, as tests: `class TestCpr(SourceContract): connector = CONNECTOR` runs all of them.

A push connector's lab gives `documents(count)`, `revisions(count)` and `broken()`; a pulled one's lab is the far side
(`PullLab` in `source_stage`). A rule that does not hold for a connector is named in its `exempt`, with the reason, and
is skipped with it. Order and loss: `source_order`.
"""

import asyncio
import logging
import random
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from structlog.testing import capture_logs

from connectors.contract import Accepted, Connector, Document, Refused, Translation
from connectors.intake_metrics import OUTCOMES
from connectors.kits.http import Listener, Pushed, hashed
from schemas.errors import Rejected
from schemas.feed import FeedState
from schemas.report import Report, Telling
from tests.connectors.broker_double import FakeBroker
from tests.contract.source_order import COUNT, RULES, OrderContract
from tests.contract.source_stage import NAME, Stage, is_pull, lab_settings, staged, words
from tests.waiting import until


class SourceContract(OrderContract):
    """What every source promises. Subclass it with the connector."""

    async def say(self, stage: Stage, numbers: range) -> None:
        """The far side tells as many things; returns when they have all arrived."""
        before = len(set(stage.ids()))
        if is_pull(self.connector):
            for number in numbers:
                known = len(set(stage.ids()))
                await stage.lab.tell(number)
                await until(lambda known=known: len(set(stage.ids())) > known, what="an event")  # type: ignore[misc]
        else:
            for body in stage.lab.documents(len(numbers)):
                assert isinstance(await stage.post(body), Accepted)
        await until(lambda: len(set(stage.ids())) >= before + len(numbers), what="all events")

    def test_exemptions_are_of_this_suite(self) -> None:
        """`exempt` names rules of the suite, each with a reason."""
        assert all(reason for reason in self.connector.exempt.values())
        assert set(self.connector.exempt) <= {*RULES, "lab"}

    async def test_all_facts_arrive(self, stage: Stage) -> None:
        """Whatever the far side says becomes an event, and the journal says that it was published."""
        self.rule("arrive")
        await self.say(stage, range(COUNT))
        assert stage.feed.state is FeedState.UP

        async def settled() -> bool:
            return await stage.journal.backlog() == 0

        await until(settled)

    async def test_only_declared_payloads(self, stage: Stage) -> None:
        """Nothing but the payloads that the connector declares, on the topic of its lane."""
        self.rule("payloads")
        await self.say(stage, range(COUNT))
        assert {type(one.message()) for one in stage.events()} <= set(self.connector.emits)
        assert {one.topic for one in stage.events()} == {f"t.intake.{stage.feed.origin.lane}"}

    async def test_ids_are_stable(self, lab: Any, stage: Stage, tmp_path: Path) -> None:
        """The same documents on another node, with another journal, give the same ids."""
        self.rule("stable-ids")
        await self.say(stage, range(COUNT))
        documents = [await stage.journal.document(one.document_id) for one in await stage.journal.ids(0, 100)]
        (tmp_path / "other").mkdir()
        idle = FakeBroker()
        async with staged(self.pushed(), tmp_path / "other", lab, idle, "n2") as other:
            for row in documents:
                assert row is not None
                document = Document(row.document().body, row.content_type, row.occurrence, None, row.context)
                await other.runner.accept(NAME, document)
            await until(lambda: len(other.ids()) >= len(set(stage.ids())))
            assert set(other.ids()) == set(stage.ids())

    def pushed(self) -> Connector:
        """The connector with its documents handed in, whatever it is."""
        told = self.connector
        return Connector(
            told.name, told.title, told.settings, told.lane, told.translate_for, push=True, emits=told.emits
        )

    async def test_a_repeat_changes_nothing(self, stage: Stage) -> None:
        """The same document again is answered with the same ids, and nothing new goes out."""
        self.rule("repeat", pull=False)
        bodies = stage.lab.documents(COUNT)
        first = [await stage.post(body) for body in bodies]
        again = [await stage.post(body) for body in bodies]
        assert [one.document_id for one in first] == [one.document_id for one in again]
        assert len(stage.ids()) == len(set(stage.ids())) == COUNT

    async def test_resume(self, lab: Any, tmp_path: Path) -> None:
        """A node that was stopped goes on where it was: nothing is skipped, nothing that was saved is read again."""
        self.rule("resume", pull=True)
        broker = FakeBroker()
        async with staged(self.connector, tmp_path, lab, broker) as stage:
            await self.say(stage, range(COUNT))
            rows = stage.journal.last_row
        async with staged(self.connector, tmp_path, lab, broker) as stage:
            await self.say(stage, range(COUNT, 2 * COUNT))
            assert stage.journal.last_row - rows == rows
            assert len(set(stage.ids())) >= 2 * COUNT

    async def test_outages_are_told_once(self, lab: Any, tmp_path: Path) -> None:
        """However often a far side that is away is tried, one line says that it went and one that it came back."""
        self.rule("outage", pull=True)
        with capture_logs() as logs:
            async with staged(self.connector, tmp_path, lab) as stage:
                await self.say(stage, range(1))
                tried = stage.feed.attempts
                await lab.go_down()
                await until(lambda: stage.feed.attempts > tried + 3, what="several tries")
                await until(lambda: stage.feed.state is FeedState.DOWN)
                await lab.come_back()
                await self.say(stage, range(1, 3))
                await until(lambda: stage.feed.state is FeedState.UP)
        events = [line["event"] for line in logs if str(line["event"]).startswith("source_")]
        assert events == ["source_up", "source_down", "source_up", "source_stopped"]

    async def test_wrong_credentials_stop(self, lab: Any, tmp_path: Path) -> None:
        """A far side that denies us is not asked again; a pusher with a wrong token is refused and nothing is kept."""
        self.rule("credentials")
        async with staged(self.connector, tmp_path, lab) as stage:
            if not is_pull(self.connector):
                assert await self.wrong_token(stage) == web.HTTPUnauthorized.status_code
                assert stage.journal.last_row == 0
                return
            await lab.deny()
            await until(lambda: stage.feed.state is FeedState.DENIED)
            asking = [task for task in stage.runner._tasks if task.get_name() == f"source {NAME}"]
            await until(lambda: all(task.done() for task in asking))
            assert asking

    async def wrong_token(self, stage: Stage) -> int:
        """Status of a POST with another token than the source's."""
        told = Pushed(NAME, hashed("right"), 1 << 20, self.connector.content_types)
        listener = Listener({NAME: told}, stage.runner.accept, stage.journal.document, stage.runner.publisher.has)
        app = web.Application()
        app.add_routes(listener.routes())
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        headers = {"Authorization": "Bearer wrong", "Content-Type": self.connector.content_types[0]}
        url = f"http://{host}:{port}/v1/sources/{NAME}/documents"
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.post(url, data=stage.lab.documents(1)[0], headers=headers) as answer,
            ):
                return answer.status
        finally:
            await runner.cleanup()

    async def test_one_bad_item_spares_its_neighbours(self, stage: Stage) -> None:
        """What cannot be understood stands in quarantine; what came before and after it arrives."""
        self.rule("neighbours")
        await self.say(stage, range(1))
        if is_pull(self.connector):
            await stage.lab.garble()
        else:
            refused = await stage.post(stage.lab.broken())
            assert isinstance(refused, Refused)
            assert refused.document_id
        await until(lambda: stage.broker.of("t.quarantine"), what="a quarantine record")
        await self.say(stage, range(1, 3))
        assert stage.feed.rejected >= 1

    async def test_cancel_leaves_nothing(self, stage: Stage) -> None:
        """Stopped at any moment, the source leaves no task, socket or thread; closing again is harmless."""
        self.rule("cancel")
        await self.say(stage, range(1))
        await stage.runner.stop(1.0)
        if self.connector.source is not None:
            source = self.connector.source(lab_settings(self.connector, stage.lab))
            await source.close()
            await source.close()
        assert [task for task in asyncio.all_tasks() if task.get_name() == f"source {NAME}"] == []

    async def test_logs_tell_nothing_of_a_document(self, lab: Any, tmp_path: Path, caplog: Any) -> None:
        """No log line holds a text of a document, good or bad."""
        self.rule("logs")
        caplog.set_level(logging.DEBUG)
        with capture_logs() as logs:
            async with staged(self.connector, tmp_path, lab) as stage:
                await self.say(stage, range(2))
                if is_pull(self.connector):
                    await lab.garble()
                    await until(lambda: stage.broker.of("t.quarantine"), what="a quarantine record")
                else:
                    await stage.post(lab.broken())
                kept = [await stage.journal.document(one.document_id) for one in await stage.journal.ids(0, 100)]
        text = str(logs) + caplog.text
        shown = {word for row in kept if row and row.body for word in words(row.body) if word in text}
        assert shown == set()

    async def test_metrics_are_there(self, stage: Stage) -> None:
        """Every outcome is counted from zero, and whether the source is up is shown."""
        self.rule("metrics")
        labels = [{"source": NAME, "outcome": outcome} for outcome in OUTCOMES]
        assert all(stage.registry.get_sample_value("sztab_documents_total", one) == 0 for one in labels)
        await self.say(stage, range(2))
        assert (stage.registry.get_sample_value("sztab_documents_total", labels[0]) or 0) >= 2
        assert stage.registry.get_sample_value("sztab_feed_up", {"source": NAME}) == 1

    def test_translation_is_total(self, lab: Any) -> None:
        """Any bytes give a translation or `Rejected`, never another exception; the same bytes give the same."""
        self.rule("total")
        assert self.connector.translate_for is not None
        translate = self.connector.translate_for(lab_settings(self.connector, lab))
        dice = random.Random(1)
        bodies = [dice.randbytes(dice.randrange(200)) for _ in range(200)]
        if not is_pull(self.connector):
            bodies += [_bent(body, dice) for body in lab.documents(20) for _ in range(20)]
        for body in bodies:
            assert _meaning(translate, body) == _meaning(translate, body)


def _bent(body: bytes, dice: random.Random) -> bytes:
    """A document with a byte changed, taken out or put in."""
    at = dice.randrange(len(body))
    return body[:at] + dice.randbytes(dice.randrange(3)) + body[at + dice.randrange(2) :]


def _meaning(translate: Any, body: bytes) -> Translation | tuple[str, str]:
    try:
        done: Translation = translate(Document(body, "application/json"))
    except Rejected as refused:
        return refused.code, refused.at
    assert all(isinstance(told.payload, Telling) or not isinstance(told.payload, Report) for told in done.events)
    return done

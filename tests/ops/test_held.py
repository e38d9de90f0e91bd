"""What a restore left for a person: let go with its own ids, discarded for a reason, or sent again by its far side."""

from pathlib import Path

import pytest

from connectors.contract import Refused
from connectors.journal_reader import JournalReader
from connectors.journal_rows import HELD_CODE, RowState
from ops import runtime
from ops.restore import restore
from schemas.errors import Code, Rejected
from tests.connectors.broker_double import FakeBroker
from tests.ops.restore_stage import disaster, intake, yes
from tests.waiting import until


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers do not wait a second each for the broker that is away."""
    monkeypatch.setattr("connectors.runner.BROKER_SECONDS", 0.05)


async def test_a_row_let_go_leaves_with_its_own_ids(tmp_path: Path) -> None:
    """Released rows carry the document and report ids that were answered before the disaster; each leaves once."""
    lost = await disaster(tmp_path)
    restore(lost.settings, lost.copy)
    async with intake(lost.settings, FakeBroker()) as node:
        await until(lambda: len(node.aside()) == 4)
        first = (await node.runner.holding.rows())[0].row
        assert await node.runner.holding.decide([first], released=True, by="me", reason="") == [first]
        await until(lambda: len(node.sent()) == 1)
        assert set(node.sent()) <= {report for one in lost.waiting for report in one.report_ids}
        with pytest.raises(Rejected) as refused:
            await node.runner.holding.decide(None, released=True, by="me", reason=" ")
        assert refused.value.code is Code.REASON_MISSING
        await node.runner.holding.decide(None, released=True, by="me", reason="the topics do not have them")
        await until(lambda: len(node.sent()) == 3)
        assert await node.runner.holding.rows() == []
        await until(lambda: node.runner.publisher.backlog == 0)
        assert sorted(node.sent()) == sorted(report for one in lost.waiting for report in one.report_ids)
    async with intake(lost.settings, FakeBroker()) as node:
        assert node.runner.publisher.backlog == 0
        assert await node.runner.holding.rows() == []
        again = await yes(node, lost.waiting_bodies[0])
        assert again.repeated
        assert (node.sent(), node.aside()) == ([], [])


async def test_a_row_discarded_stays_with_its_reason(tmp_path: Path) -> None:
    """It is not held any more, never leaves, not at a later start either, and the journal says who decided, and why."""
    lost = await disaster(tmp_path)
    restore(lost.settings, lost.copy)
    async with intake(lost.settings, FakeBroker()) as node:
        await until(lambda: len(node.aside()) == 4)
        row = (await node.runner.holding.rows())[1].row
        with pytest.raises(Rejected):
            await node.runner.holding.decide([row], released=False, by="me", reason="")
        await node.runner.holding.decide([row], released=False, by="me", reason="an exercise")
        assert row not in {one.row for one in await node.runner.holding.rows()}
        with pytest.raises(Rejected) as unknown:
            await node.runner.holding.decide([row], released=True, by="me", reason="")
        assert unknown.value.code is Code.UNKNOWN_HERE
        reader = JournalReader(runtime.journal_file(lost.settings))
        assert reader._query("SELECT row, released, by, reason FROM decisions") == [(row, 0, "me", "an exercise")]
        reader.close()
    async with intake(lost.settings, FakeBroker()) as node:
        assert len(await node.runner.holding.rows()) == 2
        assert node.sent() == []


async def test_what_is_decided_before_the_quarantine_record_is_out_holds(tmp_path: Path) -> None:
    """With no broker: a row let go leaves once there is one, a discarded one only goes to quarantine."""
    lost = await disaster(tmp_path)
    restore(lost.settings, lost.copy)
    broker = FakeBroker(reachable=False)
    async with intake(lost.settings, broker) as node:
        released, discarded, kept = [one.row for one in await node.runner.holding.rows()]
        await node.runner.holding.decide([released], released=True, by="me", reason="")
        await node.runner.holding.decide([discarded], released=False, by="me", reason="an exercise")
        assert [one.row for one in await node.runner.holding.rows()] == [kept]
        broker.reachable = True
        await until(lambda: node.runner.publisher.backlog == 0 and len(node.sent()) == 1)
    async with intake(lost.settings, FakeBroker()) as node:
        assert [one.row for one in await node.runner.holding.rows()] == [kept]
        assert (node.sent(), node.aside()) == ([], [])
        row = await node.runner.journal.row(discarded)
        assert row is not None
        assert row.stored.verdict is not None


async def test_a_document_sent_again_is_taken(tmp_path: Path) -> None:
    """The far side repeats what is held: that is a report of now, answered with yes, and it leaves; so is the gap's."""
    lost = await disaster(tmp_path)
    restore(lost.settings, lost.copy)
    async with intake(lost.settings, FakeBroker()) as node:
        await until(lambda: len(node.aside()) == 4)
        again = await yes(node, lost.waiting_bodies[0])
        assert (again.document_id, again.report_ids) == (lost.waiting[0].document_id, lost.waiting[0].report_ids)
        assert again.repeated
        late = await yes(node, lost.later[0])
        assert (late.document_id, late.report_ids) == (
            lost.later_answers[0].document_id,
            lost.later_answers[0].report_ids,
        )
        await until(lambda: len(node.sent()) == 2)
        assert set(node.sent()) == {*again.report_ids, *late.report_ids}
        assert len(await node.runner.holding.rows()) == 2


async def test_a_discarded_document_sent_again_stays_refused(tmp_path: Path) -> None:
    """What a person decided is not undone by a repeat."""
    lost = await disaster(tmp_path)
    restore(lost.settings, lost.copy)
    async with intake(lost.settings, FakeBroker()) as node:
        await until(lambda: len(node.aside()) == 4)
        await node.runner.holding.decide(None, released=False, by="me", reason="an exercise")
        again = await node.post(lost.waiting_bodies[0])
        assert isinstance(again, Refused)
        assert again.code is HELD_CODE
        assert node.sent() == []


async def test_a_row_let_go_while_its_quarantine_record_is_on_its_way(tmp_path: Path) -> None:
    """The record's late acknowledgement does not hold the row again: it leaves behind it, and is published."""
    lost = await disaster(tmp_path)
    restore(lost.settings, lost.copy)
    broker = FakeBroker(frozen=True)
    async with intake(lost.settings, broker) as node:
        await until(lambda: len(node.runner.publisher._sending) == 4)
        row = (await node.runner.holding.rows())[0].row
        await node.runner.holding.decide([row], released=True, by="me", reason="")
        await until(lambda: not node.runner.publisher._behind.is_set())
        await node.runner.journal.backlog()
        assert node.sent() == []
        broker.thaw()
        await until(lambda: len(node.sent()) == 1 and node.runner.publisher.backlog == 0)

        async def marked() -> bool:
            found = await node.runner.journal.row(row)
            return found is not None and found.stored.state is RowState.PUBLISHED

        await until(marked)
        found = await node.runner.journal.row(row)
        assert found is not None
        assert found.stored.verdict is None
        assert len(await node.runner.holding.rows()) == 2

"""What was set aside at intake, tried again: through the same journal and the one publisher, once in effect."""

from pathlib import Path

import orjson
import pytest

from connectors.contract import Accepted, Document, Refused, Told, Translation
from connectors.journal_rows import RowState
from connectors.replaying import Replaying
from schemas.errors import Code, Rejected, Unavailable
from schemas.report import Report, Telling
from schemas.topics import FEEDS, QUARANTINE
from tests.connectors.broker_double import FakeBroker
from tests.connectors.intake_stage import LANE, Node, node, simple
from tests.waiting import until


class Translator:
    """One that is mended when `mended` is set."""

    def __init__(self) -> None:
        self.mended = False
        self.bug = False

    def __call__(self, _: Document) -> Translation:
        """One report of anything, or a refusal."""
        if self.bug:
            raise ZeroDivisionError
        if not self.mended:
            raise Rejected(Code.FIELD_MISSING, "no place", "/place")
        return Translation((Told(Telling(), far_id="1"),))


async def set_aside(one: Node) -> str:
    """A document in quarantine; its id."""
    answer = await one.post(b"{}")
    assert isinstance(answer, Refused)
    document_id = answer.document_id
    assert document_id is not None

    async def kept() -> bool:
        row = await one.journal.document(document_id)
        return row is not None and row.stored.state is RowState.QUARANTINED

    await until(kept)
    return document_id


async def test_it_is_refused_while_the_translation_is_as_it_was(tmp_path: Path) -> None:
    """It stays in quarantine, and nothing is written."""
    broker = FakeBroker()
    async with node(tmp_path, broker, simple(Translator())) as one:
        document, replaying = await set_aside(one), Replaying(one.runner)
        await until(lambda: broker.of(f"t.{FEEDS}"))  # said as soon as there is a producer, beside the document
        before = len(broker.kept)
        verdict = await replaying.would_again(document)
        assert verdict is not None
        assert (verdict.code, verdict.at) == (Code.FIELD_MISSING, "/place")
        answer = await replaying.again(document)
        assert answer == Refused(Code.FIELD_MISSING, "no place", "/place", document)
        assert len(broker.kept) == before


async def test_a_mended_translation_takes_it_once(tmp_path: Path) -> None:
    """The report goes out with the document's own id; again does nothing; the sender's repeat is now told yes."""
    broker, translator = FakeBroker(), Translator()
    async with node(tmp_path, broker, simple(translator)) as one:
        document, replaying = await set_aside(one), Replaying(one.runner)
        translator.mended = True
        assert await replaying.would_again(document) is None
        assert broker.of(LANE) == []
        answer = await replaying.again(document)
        assert isinstance(answer, Accepted)
        (record,) = broker.of(LANE)
        report = Report.model_validate_json(record.value)
        assert (report.document.document_id, answer.report_ids) == (document, (report.report_id,))

        async def settled() -> bool:
            row = await one.journal.document(document)
            return row is not None and row.stored.state is RowState.PUBLISHED and row.reports != ()

        await until(settled)
        again = await replaying.again(document)
        assert isinstance(again, Accepted)
        assert (again.repeated, again.report_ids) == (True, answer.report_ids)
        assert len(broker.of(LANE)) == 1
        repeat = await one.post(b"{}")
        assert isinstance(repeat, Accepted)
        assert repeat.repeated


async def test_a_crash_after_the_yes_loses_nothing(tmp_path: Path) -> None:
    """Replayed while no broker answers: the next start publishes it, as a report, not as a quarantine record."""
    broker, translator = FakeBroker(), Translator()
    async with node(tmp_path, broker, simple(translator)) as one:
        document = await set_aside(one)
        translator.mended = True
        broker.frozen = True
        answer = await Replaying(one.runner).again(document)
        assert isinstance(answer, Accepted)
        assert answer.held.value == "journal"
    later = FakeBroker()
    async with node(tmp_path, later, simple(translator)):
        await until(lambda: later.of(LANE))
        assert later.of(f"t.{QUARANTINE}") == []


async def test_what_this_node_does_not_have_is_said_so(tmp_path: Path) -> None:
    """Never a yes for a document of another node, or of a source that is gone."""
    async with node(tmp_path, FakeBroker(), simple(Translator())) as one:
        document, replaying = await set_aside(one), Replaying(one.runner)
        with pytest.raises(Rejected, match="unknown-here"):
            await replaying.again("unheard-of")
        one.runner.feeds.clear()
        with pytest.raises(Rejected, match="source-unknown"):
            await replaying.again(document)
        with pytest.raises(Rejected, match="source-unknown"):
            replaying.would("cpr", Document(b"{}"))


async def test_what_is_still_on_its_way_into_quarantine_waits(tmp_path: Path) -> None:
    """Its quarantine record is not with the broker yet: its mark would come after ours."""
    broker, translator = FakeBroker(reachable=False), Translator()
    async with node(tmp_path, broker, simple(translator)) as one:
        refused = await one.post(b"{}")
        assert isinstance(refused, Refused)
        assert refused.document_id is not None
        translator.mended = True
        with pytest.raises(Unavailable, match="overloaded"):
            await Replaying(one.runner).again(refused.document_id)


async def test_a_bug_of_the_translation_is_a_verdict(tmp_path: Path) -> None:
    """A dry run over thousands is not ended by one of them."""
    translator = Translator()
    async with node(tmp_path, FakeBroker(), simple(translator)) as one:
        document, replaying = await set_aside(one), Replaying(one.runner)
        translator.bug = True
        verdict = await replaying.would_again(document)
        assert verdict is not None
        assert verdict.code is Code.TRANSLATION_BUG


async def test_a_correction_says_what_it_corrects(tmp_path: Path) -> None:
    """In the report and in the headers of its record; without one nothing is said."""
    broker, translator = FakeBroker(), Translator()
    translator.mended = True
    async with node(tmp_path, broker, simple(translator)) as one:
        await Replaying(one.runner).correct("cpr", Document(b"{}", occurrence="corrects d", context={"corrects": "d"}))
        await one.post(b"{ }")
    first, second = broker.of(LANE)
    assert Report.model_validate_json(first.value).corrects == "d"
    assert dict(first.headers)["ce_corrects"] == b"d"
    assert "corrects" not in orjson.loads(second.value)
    assert "ce_corrects" not in dict(second.headers)
